/**
 * Every instruction that is accepted, as data: its name, what follows it in the bytes, and what it
 * costs; and the proposals that are not accepted, by the bytes that give them away.
 *
 * WebAssembly core specification 2.0, §5.4 (binary format of instructions), without vectors.
 * An opcode in neither list is malformed: what V8 learns next is refused until it is listed here.
 */

/** What follows an opcode. The values index nothing; they are small so that they fit a byte. */
export const IMMEDIATE = {
  refused: 0,
  none: 1,
  /** Block type: empty, a value type, or a type index. */
  block: 2,
  /** One index: of a local, global, function, table, label, segment. */
  index: 3,
  twoIndices: 4,
  /** Alignment and offset. */
  memory: 5,
  i32: 6,
  i64: 7,
  f32: 8,
  f64: 9,
  labels: 10,
  /** A byte that is 0 while there is one memory. */
  zero: 11,
  twoZeros: 12,
  indexZero: 13,
  /** Result types of a typed `select`. */
  types: 14,
  referenceType: 15,
  /** `0xFC`: a second opcode follows. */
  prefix: 16,
} as const;
export type Immediate = (typeof IMMEDIATE)[keyof typeof IMMEDIATE];

export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eq: 0x46,
  i64LtS: 0x53,
  i32Add: 0x6a,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64ShrU: 0x88,
  i64ExtendI32U: 0xad,
  refFunc: 0xd2,
  prefix: 0xfc,
} as const;

/** Second opcodes after `0xFC`. */
export const BULK = {
  memoryInit: 8,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  tableCopy: 14,
  tableGrow: 15,
  tableFill: 17,
} as const;

type Row = readonly [first: number, immediate: keyof typeof IMMEDIATE, names: string];

/** Instructions in the order of their opcodes, from `first` on. */
const ROWS: readonly Row[] = [
  [0x00, 'none', 'unreachable nop'],
  [0x02, 'block', 'block loop if'],
  [0x05, 'none', 'else'],
  [0x0b, 'none', 'end'],
  [0x0c, 'index', 'br br_if'],
  [0x0e, 'labels', 'br_table'],
  [0x0f, 'none', 'return'],
  [0x10, 'index', 'call'],
  [0x11, 'twoIndices', 'call_indirect'],
  [0x1a, 'none', 'drop select'],
  [0x1c, 'types', 'select_t'],
  [0x20, 'index', 'local.get local.set local.tee global.get global.set table.get table.set'],
  [
    0x28,
    'memory',
    'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32',
  ],
  [0x3f, 'zero', 'memory.size memory.grow'],
  [0x41, 'i32', 'i32.const'],
  [0x42, 'i64', 'i64.const'],
  [0x43, 'f32', 'f32.const'],
  [0x44, 'f64', 'f64.const'],
  [0x45, 'none', 'i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u'],
  [0x50, 'none', 'i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u'],
  [0x5b, 'none', 'f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge'],
  [
    0x67,
    'none',
    'i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr',
  ],
  [
    0x79,
    'none',
    'i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr',
  ],
  [
    0x8b,
    'none',
    'f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign',
  ],
  [
    0x99,
    'none',
    'f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign',
  ],
  [
    0xa7,
    'none',
    'i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u i64.extend_i32_s i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64 f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64',
  ],
  [0xc0, 'none', 'i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s'],
  [0xd0, 'referenceType', 'ref.null'],
  [0xd1, 'none', 'ref.is_null'],
  [0xd2, 'index', 'ref.func'],
  [0xfc, 'prefix', 'prefix_fc'],
];

const BULK_ROWS: readonly Row[] = [
  [
    0,
    'none',
    'i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u',
  ],
  [8, 'indexZero', 'memory.init'],
  [9, 'index', 'data.drop'],
  [10, 'twoZeros', 'memory.copy'],
  [11, 'zero', 'memory.fill'],
  [12, 'twoIndices', 'table.init'],
  [13, 'index', 'elem.drop'],
  [14, 'twoIndices', 'table.copy'],
  [15, 'index', 'table.grow table.size table.fill'],
];

/** Cost 0: they only shape the code and V8 emits nothing for them. Every other instruction costs 1. */
const FREE: ReadonlySet<string> = new Set(['unreachable', 'nop', 'block', 'loop', 'else', 'end', 'return', 'drop']);

function tabulate(rows: readonly Row[], size: number) {
  const immediates = new Uint8Array(size);
  const costs = new Uint8Array(size);
  const names = new Map<number, string>();
  for (const [first, immediate, list] of rows) {
    for (const [i, name] of list.split(' ').entries()) {
      immediates[first + i] = IMMEDIATE[immediate];
      costs[first + i] = FREE.has(name) ? 0 : 1;
      names.set(first + i, name);
    }
  }
  return { immediates, costs, names };
}

/** Of one-byte opcodes. `IMMEDIATE.refused` and cost 0 where there is none. */
export const OPCODES = tabulate(ROWS, 256);
/** Of opcodes after `0xFC`. */
export const BULK_OPCODES = tabulate(BULK_ROWS, 18);

/** First opcode bytes of proposals that are not accepted. */
const REFUSED: readonly (readonly [opcodes: readonly number[], feature: string])[] = [
  [[0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f], 'exceptions'],
  [[0x12, 0x13], 'tail-calls'],
  [[0x14, 0x15, 0xd4, 0xd5, 0xd6], 'typed-function-references'],
  [[0xd3, 0xfb], 'gc'],
  [[0xfd], 'simd'],
  [[0xfe], 'threads'],
];

/** The proposal an opcode belongs to that is not accepted; `undefined` when it is no opcode of any we know. */
export function refusedFeature(opcode: number, second: number): string | undefined {
  if (opcode === 0xfb && second >= 0x80) return 'stringref';
  if (opcode === 0xfd && second >= 0x100) return 'relaxed-simd';
  if (opcode === OP.prefix) return second === 18 ? 'memory-control' : second <= 22 ? 'wide-arithmetic' : undefined;
  return REFUSED.find(([opcodes]) => opcodes.includes(opcode))?.[1];
}

export const VALUE_TYPE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, funcref: 0x70, externref: 0x6f } as const;
const ACCEPTED_TYPES: ReadonlySet<number> = new Set(Object.values(VALUE_TYPE));

export const isValueType = (byte: number): boolean => ACCEPTED_TYPES.has(byte);
export const isReferenceType = (byte: number): boolean => byte === VALUE_TYPE.funcref || byte === VALUE_TYPE.externref;

/** The proposal a type's first byte belongs to; `undefined` when it is none we know. */
export function refusedType(byte: number): string | undefined {
  if (byte === 0x7b) return 'simd';
  if (byte === 0x69 || byte === 0x74) return 'exceptions';
  if (byte === 0x63 || byte === 0x64) return 'typed-function-references';
  if (byte >= 0x65 && byte <= 0x67) return 'stringref';
  if ((byte >= 0x6a && byte <= 0x73) || byte === 0x77 || byte === 0x78) return 'gc';
  return undefined;
}
