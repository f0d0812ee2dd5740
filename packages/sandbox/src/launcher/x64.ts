/**
 * The launcher in x86-64 machine code, with the few instruction forms it uses (Intel SDM volume 2).
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

const REGISTERS = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
];
type Register = 'rax' | 'rcx' | 'rdx' | 'rbx' | 'rbp' | 'rsi' | 'rdi' | 'r8' | 'r9' | 'r10' | 'r12' | 'r13' | 'r14';

const le32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
const hex = (value: number): string => `0x${value.toString(16)}`;
const number = (register: Register): number => REGISTERS.indexOf(register);

/** REX.W, with the high bits of the register and of the register or memory operand. */
function rex(register: number, operand: number): number {
  return 0x48 | (register >> 3 === 0 ? 0 : 4) | (operand >> 3);
}

/** An opcode between two registers: the operand gets the result. */
function between(name: string, opcode: number, operand: Register, register: Register): Instruction {
  const [to, from] = [number(operand), number(register)];
  const modRm = 0xc0 | ((from & 7) << 3) | (to & 7);
  return { bytes: Uint8Array.of(rex(from, to), opcode, modRm), text: `${name} ${operand},${register}` };
}
const move = (to: Register, from: Register): Instruction => between('mov', 0x89, to, from);
const add = (to: Register, from: Register): Instruction => between('add', 0x01, to, from);
const subtract = (to: Register, from: Register): Instruction => between('sub', 0x29, to, from);
const compare = (left: Register, right: Register): Instruction => between('cmp', 0x39, left, right);
const test = (register: Register): Instruction => between('test', 0x85, register, register);

/** An opcode of group 1 with a sign-extended 32-bit value; `digit` chooses the operation. */
function withValue(name: string, digit: number, register: Register, value: number): Instruction {
  const to = number(register);
  const text = value < 0 ? `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}` : hex(value);
  // The accumulator has a form of its own, which this assembler does not use: no caller names it.
  const bytes = Uint8Array.of(rex(0, to), 0x81, 0xc0 | (digit << 3) | (to & 7), ...le32(value));
  return { bytes, text: `${name} ${register},${text}` };
}
const addValue = (to: Register, value: number): Instruction => withValue('add', 0, to, value);
const compareValue = (left: Register, value: number): Instruction => withValue('cmp', 7, left, value);

/** Sign-extended; the values here are positive 32-bit numbers. */
function load(register: Register, value: number): Instruction {
  const to = number(register);
  return {
    bytes: Uint8Array.of(rex(0, to), 0xc7, 0xc0 | (to & 7), ...le32(value)),
    text: `mov ${register},${hex(value)}`,
  };
}

/** Eight bytes at a small distance from a pointer; `rsp` and `r12` cannot be the pointer in this form. */
function memory(opcode: number, register: Register, pointer: 'rbx' | 'rsi', offset: number): [number[], string] {
  const [value, base] = [number(register), number(pointer)];
  return [
    [rex(value, base), opcode, 0x40 | ((value & 7) << 3) | (base & 7), offset],
    `QWORD PTR [${pointer}+${hex(offset)}]`,
  ];
}
function read(register: Register, pointer: 'rbx' | 'rsi', offset: number): Instruction {
  const [bytes, place] = memory(0x8b, register, pointer, offset);
  return { bytes: Uint8Array.from(bytes), text: `mov ${register},${place}` };
}
function write(pointer: 'rbx' | 'rsi', offset: number, register: Register): Instruction {
  const [bytes, place] = memory(0x89, register, pointer, offset);
  return { bytes: Uint8Array.from(bytes), text: `mov ${place},${register}` };
}

const SYSCALL: Instruction = { bytes: Uint8Array.of(0x0f, 0x05), text: 'syscall' };

/** Condition codes of the near jumps, 0F 8x. */
const CONDITIONS = { jb: 2, jae: 3, je: 4, jne: 5, ja: 7, js: 8, jns: 9, jle: 14 } as const;

function jump(name: keyof typeof CONDITIONS | 'jmp', label: string): Branch {
  const opcode = name === 'jmp' ? [0xe9] : [0x0f, 0x80 | CONDITIONS[name]];
  const sizeBytes = opcode.length + 4;
  return {
    sizeBytes,
    label,
    encode: (from, to) => ({
      bytes: Uint8Array.of(...opcode, ...le32(to - from - sizeBytes)),
      text: `${name} ${hex(to)}`,
    }),
  };
}

/** System call numbers: arch/x86/entry/syscalls/syscall_64.tbl. */
const [SYS_READ, SYS_WRITE, SYS_EXIT_GROUP] = [0, 1, 231];

export const X64_LAUNCHER: readonly Line[] = [
  [load('r14', 3), 'where the table comes from'],
  [load('rbx', SLOT_TABLE_ADDRESS), 'the table; later the entry at hand'],
  [load('rbp', HEADER_BYTES), 'bytes wanted: first the header'],
  [load('r12', 0), 'bytes there; later the child'],
  ['receive:', ''],
  [load('rax', SYS_READ), ''],
  [move('rdi', 'r14'), ''],
  [move('rsi', 'rbx'), ''],
  [add('rsi', 'r12'), 'after what is there'],
  [move('rdx', 'rbp'), ''],
  [subtract('rdx', 'r12'), 'never more than wanted'],
  [SYSCALL, 'read'],
  ['received:', ''],
  [test('rax'), ''],
  [jump('jle', 'quit'), 'the spawner is gone, or let this slot go'],
  [add('r12', 'rax'), ''],
  [compare('r12', 'rbp'), ''],
  [jump('jb', 'receive'), 'a short read'],
  [read('rdx', 'rbx', 0), ''],
  [compareValue('rdx', TABLE_MAGIC), ''],
  [jump('jne', 'quit'), 'not a table'],
  [read('rbp', 'rbx', 8), 'bytes wanted: all'],
  [compareValue('rbp', MAX_TABLE_BYTES), ''],
  [jump('ja', 'quit'), 'longer than the memory for it'],
  [compare('r12', 'rbp'), ''],
  [jump('jb', 'receive'), 'the header is here, the rest is not'],
  [move('r13', 'rbx'), ''],
  [add('r13', 'r12'), 'the end of the table'],
  [addValue('rbx', HEADER_BYTES), 'the first entry'],
  ['entry:', ''],
  [compare('rbx', 'r13'), ''],
  [jump('jae', 'quit'), 'past the end: no table does that'],
  [read('rax', 'rbx', 0), 'number'],
  [read('rdi', 'rbx', 8), ''],
  [read('rsi', 'rbx', 16), ''],
  [read('rdx', 'rbx', 24), ''],
  [read('r10', 'rbx', 32), ''],
  [read('r8', 'rbx', 40), ''],
  [read('r9', 'rbx', 48), ''],
  [SYSCALL, 'the call of this entry'],
  [read('rdx', 'rbx', 56), 'what is expected of it'],
  [compareValue('rdx', EXPECT.success), ''],
  [jump('je', 'success'), ''],
  [compareValue('rdx', EXPECT.fork), ''],
  [jump('je', 'fork'), ''],
  [compareValue('rdx', EXPECT.child), ''],
  [jump('je', 'child'), ''],
  [compareValue('rdx', EXPECT.table), ''],
  [jump('je', 'table'), ''],
  [compare('rax', 'rdx'), ''],
  [jump('jne', 'failed'), ''],
  ['advance:', ''],
  [addValue('rbx', ENTRY_BYTES), ''],
  [jump('jmp', 'entry'), ''],
  ['success:', ''],
  [test('rax'), ''],
  [jump('jns', 'advance'), ''],
  [jump('jmp', 'failed'), ''],
  ['fork:', ''],
  [test('rax'), ''],
  [jump('je', 'advance'), 'the child goes on'],
  [jump('js', 'failed'), ''],
  [move('r12', 'rax'), 'the parent keeps its number'],
  [read('rbx', 'rbx', 48), 'and has entries of its own'],
  [jump('jmp', 'entry'), ''],
  ['child:', ''],
  [compare('rax', 'r12'), ''],
  [jump('je', 'advance'), 'the child has ended'],
  [test('rax'), ''],
  [jump('jns', 'entry'), 'an orphan has: again'],
  [jump('jmp', 'failed'), ''],
  ['table:', ''],
  [test('rax'), ''],
  [jump('js', 'failed'), ''],
  [read('r14', 'rbx', 8), 'its descriptor'],
  [read('rbx', 'rbx', 16), 'its address'],
  [load('rbp', HEADER_BYTES), ''],
  [load('r12', 0), ''],
  [jump('jmp', 'received'), 'as the first, from where some of its header is there'],
  ['failed:', ''],
  [load('rsi', FAILURE_ADDRESS), ''],
  [load('rdx', RECORD.failed), ''],
  [write('rsi', 0, 'rdx'), ''],
  [write('rsi', 8, 'rbx'), 'which entry'],
  [write('rsi', 16, 'rax'), 'what came of it'],
  [load('rax', SYS_WRITE), ''],
  [load('rdi', 3), ''],
  [load('rdx', FAILURE_BYTES), ''],
  [SYSCALL, 'write: a result that cannot be delivered has no reader'],
  ['quit:', ''],
  [load('rax', SYS_EXIT_GROUP), ''],
  [load('rdi', 1), ''],
  [SYSCALL, 'exit_group'],
];
