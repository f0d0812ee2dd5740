/**
 * Decodes a module's sections: everything outside of function bodies, in the order and with the
 * limits of the core specification §5.5. It refuses what is not accepted by name and checks
 * structure, not types: V8 validates those before anything is built on them. Whatever is kept of a
 * module is counted against its cap first: a few bytes in it must not become many here.
 */
import { refuseLimit } from '../gate/refuse-limit.ts';
import type { ModuleLimits } from '../limits.ts';
import { isReferenceType, isValueType, OP, refusedFeature, refusedType } from './opcodes.ts';
import { ByteReader, malformed, refuseFeature } from './reader.ts';

/** A stretch of the module's bytes; `end` is the first byte after it. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface FunctionType {
  readonly parameters: number;
  readonly results: number;
}

/** A table's or memory's size, in elements or pages; `maximum` is `null` when it declares none. */
export interface Limits {
  readonly initial: number;
  readonly maximum: number | null;
}

export type ExternalKind = 'function' | 'table' | 'memory' | 'global';
const EXTERNAL_KINDS: readonly ExternalKind[] = ['function', 'table', 'memory', 'global'];

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
  /** Of a function. */
  readonly type: number;
}

export interface WasmModule {
  readonly bytes: Uint8Array;
  /** Contents of the sections, by section id; none of custom sections. */
  readonly sections: ReadonlyMap<number, Range>;
  readonly types: readonly FunctionType[];
  readonly imports: readonly Import[];
  /** Type of each function defined here, after the imported ones. */
  readonly functions: readonly number[];
  readonly tables: readonly (Limits & { readonly element: number })[];
  readonly memory: Limits | null;
  readonly globals: number;
  readonly exports: readonly { readonly name: string; readonly kind: ExternalKind; readonly index: number }[];
  readonly start: number | null;
  /** Functions that are reachable by reference: in an element segment or an initial value. */
  readonly referenced: ReadonlySet<number>;
  /** Local declarations and code of each function defined here. */
  readonly bodies: readonly Range[];
  readonly dataBytes: number;
}

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const;

/** Core specification §5.5.16: the order sections must have, which is not that of their ids. */
export const SECTION_ORDER: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

type Draft = { -readonly [K in keyof WasmModule]: WasmModule[K] } & {
  types: FunctionType[];
  imports: Import[];
  functions: number[];
  tables: (Limits & { element: number })[];
  exports: { name: string; kind: ExternalKind; index: number }[];
  bodies: Range[];
  sections: Map<number, Range>;
  referenced: Set<number>;
  dataCount: number | null;
};

/** @throws `ERR_WASM_MALFORMED`, `ERR_WASM_FEATURE`, `ERR_WASM_LIMIT` */
export function decodeModule(bytes: Uint8Array, limits: ModuleLimits): WasmModule {
  checkHeader(bytes);
  const module: Draft = {
    bytes,
    sections: new Map(),
    types: [],
    imports: [],
    functions: [],
    tables: [],
    memory: null,
    globals: 0,
    exports: [],
    start: null,
    referenced: new Set(),
    bodies: [],
    dataBytes: 0,
    dataCount: null,
  };
  const reader = new ByteReader(bytes, 8, bytes.length);
  let last = -1;
  while (reader.pos < reader.end) {
    const at = reader.pos;
    const id = reader.byte();
    const size = reader.u32();
    const start = reader.pos;
    reader.skip(size);
    const section = new ByteReader(bytes, start, reader.pos);
    if (id === SECTION.custom) {
      section.skip(section.u32()); // its name
      continue; // Carries no meaning; left out of what is built.
    }
    if (id === 13) refuseFeature('exceptions', at);
    if (id === 14) refuseFeature('stringref', at);
    const decode = DECODERS[id];
    if (decode === undefined) malformed('unknown section', at);
    const order = SECTION_ORDER.indexOf(id);
    if (order <= last) malformed('section out of order or twice', at);
    last = order;
    module.sections.set(id, { start, end: reader.pos });
    decode(section, module, limits);
    if (section.pos !== section.end) malformed('section longer than its contents', section.pos);
  }
  if (module.bodies.length !== module.functions.length) malformed('functions without code', reader.pos);
  return module;
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < 8 || bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) {
    malformed('not WebAssembly', 0);
  }
  if (bytes[6] === 1) malformed('a component, not a core module: build for wasm32-wasip1', 4);
  if (bytes[4] !== 1 || bytes[5] !== 0 || bytes[6] !== 0 || bytes[7] !== 0) malformed('unknown version', 4);
}

/** By section id. */
const DECODERS: Readonly<Record<number, (reader: ByteReader, module: Draft, limits: ModuleLimits) => void>> = {
  [SECTION.type]: decodeTypes,
  [SECTION.import]: decodeImports,
  [SECTION.function]: (reader, module, limits) => {
    const count = reader.count(1);
    keep('functions', limits, module.imports.length + count);
    for (let left = count; left > 0; left--) module.functions.push(readTypeIndex(reader, module));
  },
  [SECTION.table]: (reader, module, limits) => {
    const count = reader.count(3);
    keep('tables', limits, count);
    for (let left = count; left > 0; left--) {
      if (reader.bytes[reader.pos] === 0x40) refuseFeature('typed-function-references', reader.pos);
      const element = readReferenceType(reader);
      module.tables.push({ element, ...readLimits(reader, 'table') });
    }
  },
  [SECTION.memory]: (reader, module) => {
    const at = reader.pos;
    const count = reader.count(2);
    if (count > 1) refuseFeature('multi-memory', at);
    if (count === 1) module.memory = readLimits(reader, 'memory');
  },
  [SECTION.global]: (reader, module) => {
    module.globals = reader.count(4);
    for (let left = module.globals; left > 0; left--) {
      readValueType(reader);
      readMutability(reader);
      readConstant(reader, module);
    }
  },
  [SECTION.export]: decodeExports,
  [SECTION.start]: (reader, module) => {
    module.start = reader.u32();
  },
  [SECTION.element]: (reader, module) => {
    for (let left = reader.count(2); left > 0; left--) readElementSegment(reader, module);
  },
  [SECTION.dataCount]: (reader, module) => {
    module.dataCount = reader.u32();
  },
  [SECTION.code]: (reader, module) => {
    const at = reader.pos;
    const count = reader.count(3);
    if (count !== module.functions.length) malformed('as many bodies as functions expected', at);
    for (let left = count; left > 0; left--) {
      const size = reader.u32();
      const start = reader.pos;
      reader.skip(size);
      module.bodies.push({ start, end: reader.pos });
    }
  },
  [SECTION.data]: decodeData,
};

/** @throws `ERR_WASM_LIMIT` */
function keep(limit: 'types' | 'functions' | 'tables' | 'exports', limits: ModuleLimits, found: number): void {
  if (found > limits[limit]) refuseLimit(limit, limits[limit], found);
}

function decodeTypes(reader: ByteReader, module: Draft, limits: ModuleLimits): void {
  const count = reader.count(2);
  keep('types', limits, count);
  for (let left = count; left > 0; left--) {
    const at = reader.pos;
    const form = reader.byte();
    if (form === 0x5e || form === 0x5f || form === 0x4e || form === 0x4f || form === 0x50) refuseFeature('gc', at);
    if (form !== 0x60) malformed('unknown type', at);
    const parameters = readValueTypes(reader);
    module.types.push({ parameters, results: readValueTypes(reader) });
  }
}

function readValueTypes(reader: ByteReader): number {
  const count = reader.count(1);
  for (let left = count; left > 0; left--) readValueType(reader);
  return count;
}

function decodeImports(reader: ByteReader, module: Draft, limits: ModuleLimits): void {
  const count = reader.count(4);
  keep('functions', limits, count);
  for (let left = count; left > 0; left--) {
    const from = reader.name();
    const name = reader.name();
    const at = reader.pos;
    const kind = reader.byte();
    let type = 0;
    if (kind === 0) type = readTypeIndex(reader, module);
    else if (kind === 1) {
      readReferenceType(reader);
      readLimits(reader, 'table');
    } else if (kind === 2) readLimits(reader, 'memory');
    else if (kind === 3) {
      readValueType(reader);
      readMutability(reader);
    } else if (kind === 4) refuseFeature('exceptions', at);
    const named = EXTERNAL_KINDS[kind];
    if (named === undefined) malformed('unknown kind of import', at);
    module.imports.push({ module: from, name, kind: named, type });
  }
}

function decodeExports(reader: ByteReader, module: Draft, limits: ModuleLimits): void {
  const count = reader.count(3);
  keep('exports', limits, count);
  for (let left = count; left > 0; left--) {
    const name = reader.name();
    const at = reader.pos;
    const byte = reader.byte();
    if (byte === 4) refuseFeature('exceptions', at);
    const kind = EXTERNAL_KINDS[byte];
    if (kind === undefined) malformed('unknown kind of export', at);
    module.exports.push({ name, kind, index: reader.u32() });
  }
}

function decodeData(reader: ByteReader, module: Draft): void {
  const at = reader.pos;
  const count = reader.count(2);
  if (module.dataCount !== null && module.dataCount !== count) malformed('data count differs', at);
  for (let left = count; left > 0; left--) {
    const flags = reader.u32();
    if (flags > 2) malformed('unknown data segment', reader.pos);
    if (flags === 2 && reader.u32() !== 0) refuseFeature('multi-memory', reader.pos);
    if (flags !== 1) readConstant(reader, module);
    const size = reader.u32();
    reader.skip(size);
    module.dataBytes += size;
  }
}

/** Core specification §5.5.12: bit 0 passive or declared, bit 1 explicit table or declared, bit 2 expressions. */
function readElementSegment(reader: ByteReader, module: Draft): void {
  const flags = reader.u32();
  if (flags > 7) malformed('unknown element segment', reader.pos);
  const active = (flags & 1) === 0;
  const expressions = (flags & 4) !== 0;
  if (active) {
    if ((flags & 2) !== 0) reader.u32();
    readConstant(reader, module);
  }
  if ((flags & 3) !== 0) {
    if (expressions) readReferenceType(reader);
    else if (reader.byte() !== 0) malformed('unknown element kind', reader.pos - 1);
  }
  for (let left = reader.count(1); left > 0; left--) {
    if (expressions) readConstant(reader, module);
    else readReferenced(reader, module);
  }
}

function readReferenced(reader: ByteReader, module: Draft): void {
  const at = reader.pos;
  const index = reader.u32();
  if (index >= module.imports.length + module.functions.length) malformed('unknown function', at);
  module.referenced.add(index);
}

function readTypeIndex(reader: ByteReader, module: Draft): number {
  const at = reader.pos;
  const index = reader.u32();
  if (index >= module.types.length) malformed('unknown type index', at);
  return index;
}

function readValueType(reader: ByteReader): void {
  const at = reader.pos;
  const byte = reader.byte();
  if (!isValueType(byte)) refuseType(byte, at);
}

function readReferenceType(reader: ByteReader): number {
  const at = reader.pos;
  const byte = reader.byte();
  if (!isReferenceType(byte)) refuseType(byte, at);
  return byte;
}

/** @throws `ERR_WASM_FEATURE`, `ERR_WASM_MALFORMED` */
export function refuseType(byte: number, offset: number): never {
  const feature = refusedType(byte);
  return feature === undefined ? malformed('unknown type', offset) : refuseFeature(feature, offset);
}

function readMutability(reader: ByteReader): void {
  const at = reader.pos;
  const byte = reader.byte();
  if (byte === 2 || byte === 3) refuseFeature('shared-everything-threads', at);
  if (byte > 1) malformed('unknown mutability', at);
}

function readLimits(reader: ByteReader, of: 'table' | 'memory'): Limits {
  const at = reader.pos;
  const flags = reader.byte();
  if ((flags & 8) !== 0 && of === 'memory' && flags < 16) refuseFeature('custom-page-sizes', at);
  if ((flags & 4) !== 0 && flags < 8) refuseFeature('memory64', at);
  if ((flags & 2) !== 0 && flags < 4) refuseFeature('threads', at);
  if (flags > 1) malformed('unknown limits', at);
  const initial = reader.u32();
  return { initial, maximum: flags === 1 ? reader.u32() : null };
}

/** A constant expression, with the arithmetic of the extended-const proposal. */
function readConstant(reader: ByteReader, module: Draft): void {
  for (;;) {
    const at = reader.pos;
    const opcode = reader.byte();
    if (opcode === OP.end) return;
    if (opcode === OP.i32Const) reader.signed(32);
    else if (opcode === OP.i64Const) reader.signed(64);
    else if (opcode === 0x43) reader.skip(4);
    else if (opcode === 0x44) reader.skip(8);
    else if (opcode === OP.globalGet) reader.u32();
    else if (opcode === 0xd0) readReferenceType(reader);
    else if (opcode === OP.refFunc) readReferenced(reader, module);
    else if (!((opcode >= OP.i32Add && opcode <= 0x6c) || (opcode >= 0x7c && opcode <= OP.i64Mul))) {
      const feature = refusedFeature(opcode, reader.pos < reader.end ? reader.byte() : 0);
      if (feature === undefined) malformed('not a constant expression', at);
      refuseFeature(feature, at);
    }
  }
}
