/**
 * From bytes nobody trusts to a module that may be run: decode, gate, meter.
 * Pure: the same bytes and limits give the same bytes. The result is cached by `key`.
 */
import type { ModuleLimits } from './limits.ts';

/** A module that passed the gate, with metering woven in. */
export interface AdmittedModule {
  /** SHA-256 over the original bytes, the rewriter's version and the limits. */
  readonly key: string;
  /** SHA-256 of the original bytes. */
  readonly sha256: string;
  /** Valid WebAssembly that counts its own work. */
  readonly metered: Uint8Array;
  /** Name of the exported mutable i64 global that holds the fuel left; not a name of the original's. */
  readonly fuelExport: string;
  /** Name of the exported function that was the start section; `null` when there was none. */
  readonly startExport: string | null;
  /** Name of the exported mutable i32 global that is 1 after a `memory.grow` was refused by the cap. */
  readonly memoryDeniedExport: string;
  readonly imports: readonly { readonly module: string; readonly name: string }[];
  readonly exports: readonly { readonly name: string; readonly kind: 'function' | 'table' | 'memory' | 'global' }[];
  /** Pages of 64 KiB: what it starts with, and the most it may have. */
  readonly memory: { readonly initialPages: number; readonly maximumPages: number } | null;
}

/** Which imports are offered, by module: everything else is refused at load. */
export type OfferedImports = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Signature of `admitModule`.
 *
 * @throws `ERR_WASM_MALFORMED`, `ERR_WASM_FEATURE`, `ERR_WASM_IMPORT`, `ERR_WASM_LIMIT`, `ERR_WASM_MEMORY`
 */
export type AdmitModule = (bytes: Uint8Array, offered: OfferedImports, limits: ModuleLimits) => AdmittedModule;
