/**
 * Puts the metered module together: the original sections, changed only where they must be, and
 * every function rewritten. Indices stay what they were; globals and exports are appended; custom
 * sections are left out, because what they say of the code is no longer true.
 */
import { type Range, SECTION, SECTION_ORDER, type WasmModule } from '../binary/module.ts';
import { ByteWriter } from '../binary/writer.ts';
import { OP, VALUE_TYPE } from '../binary/opcodes.ts';
import { refuseLimit } from '../gate/refuse-limit.ts';
import type { ModuleLimits } from '../limits.ts';
import { planMetering, type MeteringPlan } from './call-graph.ts';
import { FunctionScan } from './scan.ts';
import { Weaver } from './weave.ts';

/** Dearest function that callers charge for; dearer ones gain nothing from it. */
const MAX_PREPAID = 64;

/** V8's own limit (`kV8MaxWasmFunctionSize`), which a function inside our caps can reach by being metered. */
const MAX_METERED_FUNCTION_BYTES = 7_654_321;

const EXPORT_KIND = { function: 0, memory: 2, global: 3 } as const;

export interface AddedExports {
  readonly fuel: string;
  readonly denied: string;
  /** `null` when there is no memory. */
  readonly memory: string | null;
  /** `null` when there is no start section. */
  readonly start: string | null;
}

/** What one pass over all functions found, before any of them is rewritten. */
export interface ModuleScan {
  readonly plan: MeteringPlan;
  readonly costs: Float64Array;
}

/**
 * Reads every function once: refuses what is not accepted and decides how each is metered.
 *
 * @throws `ERR_WASM_MALFORMED`, `ERR_WASM_FEATURE`, `ERR_WASM_LIMIT`
 */
export function scanModule(module: WasmModule, limits: ModuleLimits): ModuleScan {
  const count = module.bodies.length;
  const importCount = module.imports.length;
  const scan = new FunctionScan(module.types, importCount + module.functions.length, limits);
  const costs = new Float64Array(count);
  const chargeable = new Uint8Array(count);
  const indirect = new Uint8Array(count);
  const referenced = new Uint8Array(count);
  const edgeStart = new Int32Array(count + 1);
  let edges = new Int32Array(1_024);
  const visible = new Set(module.referenced);
  for (const { kind, index } of module.exports) if (kind === 'function') visible.add(index);
  if (module.start !== null) visible.add(module.start);

  for (const [f, body] of module.bodies.entries()) {
    scan.scan(module.bytes, body, module.types[module.functions[f]!]!); // Indices checked while decoding.
    costs[f] = scan.cost;
    chargeable[f] = scan.isStraight && scan.cost <= MAX_PREPAID && !visible.has(importCount + f) ? 1 : 0;
    indirect[f] = scan.callsIndirectly ? 1 : 0;
    referenced[f] = module.referenced.has(importCount + f) ? 1 : 0;
    const total = edgeStart[f]! + scan.callCount;
    if (total > edges.length) {
      const larger = new Int32Array(Math.max(total, edges.length * 2));
      larger.set(edges);
      edges = larger;
    }
    edges.set(scan.calls.subarray(0, scan.callCount), edgeStart[f]);
    edgeStart[f + 1] = total;
  }
  return { plan: planMetering({ importCount, costs, chargeable, indirect, referenced, edges, edgeStart }), costs };
}

/** Of a module that V8 found valid. @throws `ERR_WASM_LIMIT` when a function becomes larger than V8 takes */
export function meterModule(
  module: WasmModule,
  { plan, costs }: ModuleScan,
  added: AddedExports,
  limits: ModuleLimits,
  memoryMaximum: number,
): Uint8Array {
  const out = new ByteWriter(module.bytes.length * 2 + 1_024);
  out.copy(module.bytes, 0, 8);
  for (const id of SECTION_ORDER) {
    const range = module.sections.get(id);
    if (id === SECTION.start) continue; // Became an export: it runs when there is fuel.
    if (range === undefined && id !== SECTION.global && id !== SECTION.export) continue;
    out.byte(id);
    const mark = out.open();
    if (id === SECTION.table) writeTables(out, module, limits);
    else if (id === SECTION.memory) writeMemory(out, module, memoryMaximum);
    else if (id === SECTION.global) writeGlobals(out, module, range);
    else if (id === SECTION.export) writeExports(out, module, range, added);
    else if (id === SECTION.code) writeCode(out, module, { plan, costs }, limits, memoryMaximum);
    else if (range !== undefined) out.copy(module.bytes, range.start, range.end);
    out.close(mark);
  }
  return out.take();
}

function writeTables(out: ByteWriter, module: WasmModule, limits: ModuleLimits): void {
  out.u32(module.tables.length);
  for (const { element, initial, maximum } of module.tables) {
    out.byte(element);
    out.byte(1);
    out.u32(initial);
    out.u32(Math.min(maximum ?? limits.tableElements, limits.tableElements));
  }
}

function writeMemory(out: ByteWriter, { memory }: WasmModule, maximum: number): void {
  out.u32(memory === null ? 0 : 1);
  if (memory === null) return;
  out.byte(1);
  out.u32(memory.initial);
  out.u32(maximum);
}

/** Appends the fuel left and the flag of refused memory. */
function writeGlobals(out: ByteWriter, module: WasmModule, range: Range | undefined): void {
  out.u32(module.globals + 2);
  if (range !== undefined) out.copy(module.bytes, afterCount(module.bytes, range), range.end);
  for (const [type, constant] of [
    [VALUE_TYPE.i64, OP.i64Const],
    [VALUE_TYPE.i32, OP.i32Const],
  ] as const) {
    for (const byte of [type, 1, constant, 0, OP.end]) out.byte(byte);
  }
}

function writeExports(out: ByteWriter, module: WasmModule, range: Range | undefined, added: AddedExports): void {
  out.u32(module.exports.length + 2 + (added.memory === null ? 0 : 1) + (added.start === null ? 0 : 1));
  if (range !== undefined) out.copy(module.bytes, afterCount(module.bytes, range), range.end);
  const append = (name: string, kind: number, index: number) => {
    out.name(name);
    out.byte(kind);
    out.u32(index);
  };
  append(added.fuel, EXPORT_KIND.global, module.globals);
  append(added.denied, EXPORT_KIND.global, module.globals + 1);
  if (added.memory !== null) append(added.memory, EXPORT_KIND.memory, 0);
  if (added.start !== null) append(added.start, EXPORT_KIND.function, module.start!); // Named only when there is one.
}

/** Where a vector's elements begin: after the number that counts them. */
function afterCount(bytes: Uint8Array, { start }: Range): number {
  let at = start;
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}

function writeCode(
  out: ByteWriter,
  module: WasmModule,
  { plan, costs }: ModuleScan,
  limits: ModuleLimits,
  memoryMaximum: number,
): void {
  const importCount = module.imports.length;
  const scan = new FunctionScan(module.types, importCount + module.functions.length, limits);
  // The module's own maximum may be what refuses to grow; then nothing was denied by us.
  const isCapped = module.memory !== null && (module.memory.maximum ?? Infinity) > memoryMaximum;
  const weaver = new Weaver(out, {
    fuelGlobal: module.globals,
    deniedGlobal: module.globals + 1,
    onMemoryLimit: isCapped ? limits.onMemoryLimit : 'ignore',
    prepaidCost: (index) =>
      index >= importCount && plan.prepaid[index - importCount] === 1 ? costs[index - importCount]! : -1,
    // The host charges and tests for itself.
    untestedCost: (index) => (index >= importCount ? plan.untested[index - importCount]! : 0),
  });
  out.u32(module.bodies.length);
  for (const [f, body] of module.bodies.entries()) {
    scan.scan(module.bytes, body, module.types[module.functions[f]!]!); // Indices checked while decoding.
    const mark = out.open();
    weaver.weave(module.bytes, body.end, scan, plan.tests[f] === 1, plan.prepaid[f] === 1);
    const size = out.length - mark;
    if (size > MAX_METERED_FUNCTION_BYTES) refuseLimit('functionBytes', MAX_METERED_FUNCTION_BYTES, size);
    out.close(mark);
  }
}
