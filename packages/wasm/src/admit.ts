/**
 * From bytes nobody trusts to a module that may be run: decode, gate, meter.
 * Pure: the same bytes and limits give the same bytes. The result is cached by `key`.
 */
import { HoldfastError } from '@holdfast/core';
import { hash } from 'node:crypto';
import { decodeModule, type WasmModule } from './binary/module.ts';
import { wasmApi } from './engine/web-assembly.ts';
import { checkModule, PAGE_BYTES } from './gate/gate.ts';
import { refuseLimit } from './gate/refuse-limit.ts';
import type { ModuleLimits } from './limits.ts';
import { meterModule, scanModule } from './meter/meter.ts';
import { ADDED_LOCALS } from './meter/weave.ts';

/** Part of `key`: changes whenever the same module would be rewritten to other bytes. */
const REWRITER_VERSION = 3;

/** V8's own limits, which metering must not exceed: locals of a function, pages of a memory. */
const V8_MAX_LOCALS = 50_000;
const V8_MAX_PAGES = 65_536;
/** Globals and exports of a module (`kV8MaxWasmGlobals`, `kV8MaxWasmExports`), of which metering needs some. */
const V8_MAX_GLOBALS = 1_000_000;
const V8_MAX_EXPORTS = 1_000_000;
const ADDED_GLOBALS = 2;
const ADDED_EXPORTS = 4;

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
  /** Name under which memory is exported for accounting, also where the module keeps it to itself; `null` without one. */
  readonly memoryExport: string | null;
  readonly imports: readonly { readonly module: string; readonly name: string }[];
  readonly exports: readonly { readonly name: string; readonly kind: 'function' | 'table' | 'memory' | 'global' }[];
  /** Pages of 64 KiB: what it starts with, and the most it may have. */
  readonly memory: { readonly initialPages: number; readonly maximumPages: number } | null;
}

/** Which imports are offered, by module: everything else is refused at load. */
export type OfferedImports = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Signature of `admitModule`. What goes in is never changed, and nothing of it is run.
 *
 * @throws `ERR_WASM_MALFORMED`, `ERR_WASM_FEATURE`, `ERR_WASM_IMPORT`, `ERR_WASM_LIMIT`, `ERR_WASM_MEMORY`
 */
export type AdmitModule = (bytes: Uint8Array, offered: OfferedImports, limits: ModuleLimits) => AdmittedModule;

export const admitModule: AdmitModule = (given, offered, limits) => {
  const bytes = withoutSharing(given);
  if (bytes.length > limits.moduleBytes) refuseLimit('moduleBytes', limits.moduleBytes, bytes.length);
  const capped = {
    ...limits,
    locals: Math.min(limits.locals, V8_MAX_LOCALS - ADDED_LOCALS),
    globals: Math.min(limits.globals, V8_MAX_GLOBALS - ADDED_GLOBALS),
    exports: Math.min(limits.exports, V8_MAX_EXPORTS - ADDED_EXPORTS),
  };
  const module = decodeModule(bytes, capped);
  checkModule(module, offered, capped);
  const scan = scanModule(module, capped);
  // Structure is ours to check, types are V8's; only what is valid may be rewritten.
  if (!wasmApi.validate(bytes)) invalid('V8 finds the module invalid');

  const added = nameAdded(module);
  const maximumPages = Math.min(
    module.memory?.maximum ?? V8_MAX_PAGES,
    Math.floor(capped.memoryBytes / PAGE_BYTES),
    V8_MAX_PAGES,
  );
  const metered = meterModule(module, scan, added, capped, maximumPages);
  if (!wasmApi.validate(metered)) throw new TypeError('metering made a valid module invalid');

  const sha256 = hash('sha256', bytes, 'hex');
  return {
    key: hash('sha256', JSON.stringify([sha256, REWRITER_VERSION, sortedEntries(limits)]), 'hex'),
    sha256,
    metered,
    fuelExport: added.fuel,
    startExport: added.start,
    memoryDeniedExport: added.denied,
    memoryExport: added.memory,
    imports: module.imports.map(({ module: from, name }) => ({ module: from, name })),
    exports: module.exports.map(({ name, kind }) => ({ name, kind })),
    memory: module.memory === null ? null : { initialPages: module.memory.initial, maximumPages },
  };
};

/** Names for what is added that are none of the module's. */
function nameAdded({ exports, memory, start }: WasmModule) {
  // One pass, however many names were chosen to collide: the first length of `_` that is free.
  const taken = new Set(exports.map(({ name }) => /^holdfast(_*):/.exec(name)?.[1]?.length));
  let underscores = 0;
  while (taken.has(underscores)) underscores++;
  const prefix = `holdfast${'_'.repeat(underscores)}`;
  return {
    fuel: `${prefix}:fuel`,
    denied: `${prefix}:memory-denied`,
    memory: memory === null ? null : `${prefix}:memory`,
    start: start === null ? null : `${prefix}:start`,
  };
}

const sortedEntries = (limits: ModuleLimits) => Object.entries(limits).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Bytes that another thread could change between the check and the use are copied first. */
function withoutSharing(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    : bytes.slice();
}

function invalid(reason: string): never {
  throw new HoldfastError(reason, { code: 'ERR_WASM_MALFORMED', fields: { reason } });
}
