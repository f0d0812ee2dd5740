/**
 * The launcher in aarch64 machine code, with the few instruction forms it uses (Arm ARM, C6.2).
 * What the program does is said in `launcher-image.ts`; both architectures have the same lines.
 */
import { type Branch, type Instruction, type Line } from './assemble.ts';
import {
  ENTRY_BYTES,
  EXPECT,
  FAILURE_ADDRESS,
  FAILURE_BYTES,
  HEADER_BYTES,
  MAX_TABLE_BYTES,
  RECORD,
  SLOT_TABLE_ADDRESS,
  TABLE_MAGIC,
} from './memory.ts';

type Register = `x${0 | 1 | 2 | 3 | 4 | 5 | 8 | 9 | 19 | 20 | 21 | 22 | 23}`;

const hex = (value: number): string => `#0x${value.toString(16)}`;
const number = (register: Register): number => Number(register.slice(1));

function word(value: number, text: string): Instruction {
  return { bytes: Uint8Array.of(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255), text };
}

/** MOVZ or MOVK: 16 bits of a register. */
function loadHalf(keep: boolean, register: Register, value: number, shift: 0 | 16): Instruction {
  const base = (keep ? 0xf280_0000 : 0xd280_0000) | (shift === 16 ? 1 << 21 : 0);
  const text = keep ? `movk ${register}, ${hex(value)}, lsl #16` : `mov ${register}, ${hex(value * 2 ** shift)}`;
  return word(base | (value << 5) | number(register), text);
}
const load = (register: Register, value: number): Instruction => loadHalf(false, register, value, 0);
/** For addresses whose low half is zero. */
const loadHigh = (register: Register, value: number): Instruction => loadHalf(false, register, value >>> 16, 16);
/** The high half of a register whose low half was loaded. */
const keepHigh = (register: Register, value: number): Instruction => loadHalf(true, register, value >>> 16, 16);

/** Three registers, no shift. */
function add(to: Register, left: Register, right: Register): Instruction {
  return word(0x8b00_0000 | (number(right) << 16) | (number(left) << 5) | number(to), `add ${to}, ${left}, ${right}`);
}
function subtract(to: Register, left: Register, right: Register): Instruction {
  return word(0xcb00_0000 | (number(right) << 16) | (number(left) << 5) | number(to), `sub ${to}, ${left}, ${right}`);
}
function addValue(to: Register, left: Register, value: number): Instruction {
  return word(0x9100_0000 | (value << 10) | (number(left) << 5) | number(to), `add ${to}, ${left}, ${hex(value)}`);
}
function move(to: Register, from: Register): Instruction {
  return word(0xaa00_03e0 | (number(from) << 16) | number(to), `mov ${to}, ${from}`);
}
function compare(left: Register, right: Register): Instruction {
  return word(0xeb00_001f | (number(right) << 16) | (number(left) << 5), `cmp ${left}, ${right}`);
}
/** Values up to 4,095; CMN compares with the negative of one. */
function compareValue(left: Register, value: number): Instruction {
  const [base, name] = value < 0 ? [0xb100_001f, 'cmn'] : [0xf100_001f, 'cmp'];
  return word(base | (Math.abs(value) << 10) | (number(left) << 5), `${name} ${left}, ${hex(Math.abs(value))}`);
}
function read(register: Register, pointer: Register, offset: number): Instruction {
  const place = offset === 0 ? `[${pointer}]` : `[${pointer}, ${hex(offset)}]`;
  return word(
    0xf940_0000 | ((offset / 8) << 10) | (number(pointer) << 5) | number(register),
    `ldr ${register}, ${place}`,
  );
}
function write(pointer: Register, offset: number, register: Register): Instruction {
  const place = offset === 0 ? `[${pointer}]` : `[${pointer}, ${hex(offset)}]`;
  return word(
    0xf900_0000 | ((offset / 8) << 10) | (number(pointer) << 5) | number(register),
    `str ${register}, ${place}`,
  );
}

const SUPERVISOR_CALL = word(0xd400_0001, 'svc #0');

/** Condition codes of B.cond. */
const CONDITIONS = { eq: 0, ne: 1, hs: 2, lo: 3, mi: 4, pl: 5, hi: 8, le: 13 } as const;

function jumpIf(condition: keyof typeof CONDITIONS, label: string): Branch {
  return {
    sizeBytes: 4,
    label,
    encode: (from, to) =>
      word(0x5400_0000 | ((((to - from) >> 2) & 0x7_ffff) << 5) | CONDITIONS[condition], `b.${condition} ${to - from}`),
  };
}
function jump(label: string): Branch {
  return {
    sizeBytes: 4,
    label,
    encode: (from, to) => word(0x1400_0000 | (((to - from) >> 2) & 0x3ff_ffff), `b ${to - from}`),
  };
}

/** System call numbers: include/uapi/asm-generic/unistd.h. */
const [SYS_READ, SYS_WRITE, SYS_EXIT_GROUP] = [63, 64, 94];

export const ARM64_LAUNCHER: readonly Line[] = [
  [load('x23', 3), 'where the table comes from'],
  [loadHigh('x19', SLOT_TABLE_ADDRESS), 'the table; later the entry at hand'],
  [load('x20', HEADER_BYTES), 'bytes wanted: first the header'],
  [load('x21', 0), 'bytes there; later the child'],
  ['receive:', ''],
  [load('x8', SYS_READ), ''],
  [move('x0', 'x23'), ''],
  [add('x1', 'x19', 'x21'), 'after what is there'],
  [subtract('x2', 'x20', 'x21'), 'never more than wanted'],
  [SUPERVISOR_CALL, 'read'],
  ['received:', ''],
  [compareValue('x0', 0), ''],
  [jumpIf('le', 'quit'), 'the spawner is gone, or let this slot go'],
  [add('x21', 'x21', 'x0'), ''],
  [compare('x21', 'x20'), ''],
  [jumpIf('lo', 'receive'), 'a short read'],
  [read('x9', 'x19', 0), ''],
  [load('x2', TABLE_MAGIC & 0xffff), ''],
  [keepHigh('x2', TABLE_MAGIC), ''],
  [compare('x9', 'x2'), ''],
  [jumpIf('ne', 'quit'), 'not a table'],
  [read('x20', 'x19', 8), 'bytes wanted: all'],
  [loadHigh('x2', MAX_TABLE_BYTES), ''],
  [compare('x20', 'x2'), ''],
  [jumpIf('hi', 'quit'), 'longer than the memory for it'],
  [compare('x21', 'x20'), ''],
  [jumpIf('lo', 'receive'), 'the header is here, the rest is not'],
  [add('x22', 'x19', 'x21'), 'the end of the table'],
  [addValue('x19', 'x19', HEADER_BYTES), 'the first entry'],
  ['entry:', ''],
  [compare('x19', 'x22'), ''],
  [jumpIf('hs', 'quit'), 'past the end: no table does that'],
  [read('x8', 'x19', 0), 'number'],
  [read('x0', 'x19', 8), ''],
  [read('x1', 'x19', 16), ''],
  [read('x2', 'x19', 24), ''],
  [read('x3', 'x19', 32), ''],
  [read('x4', 'x19', 40), ''],
  [read('x5', 'x19', 48), ''],
  [SUPERVISOR_CALL, 'the call of this entry'],
  [read('x9', 'x19', 56), 'what is expected of it'],
  [compareValue('x9', EXPECT.success), ''],
  [jumpIf('eq', 'success'), ''],
  [compareValue('x9', EXPECT.fork), ''],
  [jumpIf('eq', 'fork'), ''],
  [compareValue('x9', EXPECT.child), ''],
  [jumpIf('eq', 'child'), ''],
  [compareValue('x9', EXPECT.table), ''],
  [jumpIf('eq', 'table'), ''],
  [compare('x0', 'x9'), ''],
  [jumpIf('ne', 'failed'), ''],
  ['advance:', ''],
  [addValue('x19', 'x19', ENTRY_BYTES), ''],
  [jump('entry'), ''],
  ['success:', ''],
  [compareValue('x0', 0), ''],
  [jumpIf('pl', 'advance'), ''],
  [jump('failed'), ''],
  ['fork:', ''],
  [compareValue('x0', 0), ''],
  [jumpIf('eq', 'advance'), 'the child goes on'],
  [jumpIf('mi', 'failed'), ''],
  [move('x21', 'x0'), 'the parent keeps its number'],
  [read('x19', 'x19', 48), 'and has entries of its own'],
  [jump('entry'), ''],
  ['child:', ''],
  [compare('x0', 'x21'), ''],
  [jumpIf('eq', 'advance'), 'the child has ended'],
  [compareValue('x0', 0), ''],
  [jumpIf('pl', 'entry'), 'an orphan has: again'],
  [jump('failed'), ''],
  ['table:', ''],
  [compareValue('x0', 0), ''],
  [jumpIf('mi', 'failed'), ''],
  [read('x23', 'x19', 8), 'its descriptor'],
  [read('x19', 'x19', 16), 'its address'],
  [load('x20', HEADER_BYTES), ''],
  [load('x21', 0), ''],
  [jump('received'), 'as the first, from where some of its header is there'],
  ['failed:', ''],
  [loadHigh('x1', FAILURE_ADDRESS), ''],
  [load('x2', RECORD.failed), ''],
  [write('x1', 0, 'x2'), ''],
  [write('x1', 8, 'x19'), 'which entry'],
  [write('x1', 16, 'x0'), 'what came of it'],
  [load('x8', SYS_WRITE), ''],
  [load('x0', 3), ''],
  [load('x2', FAILURE_BYTES), ''],
  [SUPERVISOR_CALL, 'write: a result that cannot be delivered has no reader'],
  ['quit:', ''],
  [load('x8', SYS_EXIT_GROUP), ''],
  [load('x0', 1), ''],
  [SUPERVISOR_CALL, 'exit_group'],
];
