/**
 * The budgets of a module and of a run. Each has a number, a reason for its default and an
 * error code of its own; none stands in for another.
 */
const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Checked before a module is compiled: compiling itself costs time and memory that fuel does not measure. */
export interface ModuleLimits {
  readonly moduleBytes: number;
  /** Function types; these, functions and exports are also what decoding keeps in memory. */
  readonly types: number;
  readonly exports: number;
  /** Imported ones among them. */
  readonly functions: number;
  /** Encoded size of one function's body. */
  readonly functionBytes: number;
  /** Locals of one function, parameters among them. */
  readonly locals: number;
  /** Blocks inside blocks. */
  readonly nesting: number;
  readonly globals: number;
  /** Elements of one table, whatever the module declares as its maximum. */
  readonly tableElements: number;
  readonly tables: number;
  /** Bytes of all data segments together. */
  readonly dataBytes: number;
  /** Linear memory in bytes, whatever the module declares as its maximum; a multiple of 64 KiB. */
  readonly memoryBytes: number;
  /** What `memory.grow` beyond the cap does: `-1` to the module, or the end of the run with `ERR_WASM_MEMORY`. */
  readonly onMemoryLimit: 'refuse' | 'trap';
}

export const DEFAULT_MODULE_LIMITS: ModuleLimits = {
  moduleBytes: 64 * MIB,
  types: 100_000,
  exports: 100_000,
  functions: 100_000,
  functionBytes: 4 * MIB,
  locals: 50_000, // V8's own limit
  nesting: 1_000,
  globals: 10_000,
  tableElements: 100_000,
  tables: 16,
  dataBytes: 64 * MIB,
  memoryBytes: 128 * MIB,
  onMemoryLimit: 'refuse',
};

/** Of one run. */
export interface RunLimits {
  /** Units of work: one per executed instruction, see `meter/cost.ts`. */
  readonly fuel: bigint;
  /** Of standard output and standard error each. */
  readonly outputBytes: number;
  /** What output beyond the cap does: it is dropped, or the run ends with `ERR_WASM_OUTPUT`. */
  readonly onOutputLimit: 'drop' | 'end';
  /** That the guest opens, beyond what it starts with. */
  readonly openFiles: number;
}

export const DEFAULT_RUN_LIMITS: RunLimits = {
  fuel: 10_000_000_000n, // between half a second and several minutes, by what the module does: keep the deadline too
  outputBytes: MIB,
  onOutputLimit: 'drop',
  openFiles: 64,
};
