/**
 * System calls as data, and their encoding as a table that the launcher makes them from. A step
 * names its call and arguments as a person reads them; encoding resolves numbers and pointers.
 */
import { HoldfastError } from '@holdfast/core';
import { SYSCALLS, type Architecture } from '../seccomp/syscall-table.ts';
import { ENTRY_BYTES, EXPECT, HEADER_BYTES, MAX_TABLE_BYTES, TABLE_MAGIC } from './memory.ts';

/** Bytes in the launcher's memory, some of which may be pointers to others. Identity matters: one value, one place. */
export interface Data {
  readonly bytes: Uint8Array;
  readonly pointers?: readonly { readonly at: number; readonly to: Data }[];
}

/** A number, or the address of data or of a place within it. */
export type Argument = number | bigint | Data | { readonly inside: Data; readonly at: number };

export interface Step {
  /** For people: what fails when this fails. Safe to log. */
  readonly name: string;
  readonly call: string;
  readonly args: readonly Argument[];
  /** An exact result, or a kind of it; see `EXPECT`. */
  readonly expect: number | keyof typeof EXPECT;
}

/** What the launcher does of one table, and what process 1 does after the fork, if there is one. */
export interface TableSteps {
  readonly child: readonly Step[];
  readonly parent: readonly Step[];
}

export function cString(text: string): Data {
  return { bytes: Buffer.from(`${text}\0`) };
}

/** `char *const[]`, ended by a null pointer. */
export function pointerArray(items: readonly Data[]): Data {
  return { bytes: new Uint8Array(8 * (items.length + 1)), pointers: items.map((to, index) => ({ at: 8 * index, to })) };
}

/** 64-bit fields in a row. */
export function words(...values: readonly (number | bigint)[]): Data {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [at, value] of values.entries()) writeWord(bytes, value, 8 * at);
  return { bytes };
}

/** Two's complement, little-endian. A slot's table has a thousand of them. */
function writeWord(bytes: Buffer, value: number | bigint, at: number): void {
  if (typeof value === 'bigint') bytes.writeBigUInt64LE(BigInt.asUintN(64, value), at);
  else {
    bytes.writeInt32LE(value | 0, at);
    bytes.writeInt32LE(Math.floor(value / 2 ** 32), at + 4);
  }
}

/**
 * @param address where the launcher puts the table
 * @throws `ERR_SANDBOX_START` when argv and environment make the table longer than the launcher takes
 */
export function encodeTable({ child, parent }: TableSteps, architecture: Architecture, address: number): Uint8Array {
  const steps = [...child, ...parent];
  const data = steps
    .flatMap(({ args }) => args)
    .filter((argument) => typeof argument === 'object')
    .map((argument) => ('inside' in argument ? argument.inside : argument));
  const places = placeData(data, address, HEADER_BYTES + ENTRY_BYTES * steps.length);
  const table = Buffer.alloc(places.end);
  writeWord(table, TABLE_MAGIC, 0);
  writeWord(table, places.end, 8);
  const parentAddress = address + HEADER_BYTES + ENTRY_BYTES * child.length;
  for (const [index, step] of steps.entries()) {
    const at = HEADER_BYTES + ENTRY_BYTES * index;
    const args = step.expect === 'fork' ? [...step.args, parentAddress] : step.args;
    const number = SYSCALLS[architecture].get(step.call);
    if (number === undefined || args.length > 6) throw new TypeError(`no system call: ${step.call}`);
    const expected = typeof step.expect === 'number' ? step.expect : EXPECT[step.expect];
    writeWord(table, number, at);
    for (const [index, argument] of args.entries()) writeWord(table, places.resolve(argument), at + 8 * (index + 1));
    writeWord(table, expected, at + ENTRY_BYTES - 8);
  }
  places.write(table);
  return table;
}

/** Which step an entry of the table is, by its place; `undefined` when there is none. */
export function stepOf({ child, parent }: TableSteps, entry: number): Step | undefined {
  return [...child, ...parent][entry];
}

/** Gives all data, and what it points to, its place from `start` on in a table at `address`. */
function placeData(all: readonly Data[], address: number, start: number) {
  const offsets = new Map<Data, number>();
  let end = start;
  const place = (data: Data): void => {
    if (offsets.has(data)) return;
    offsets.set(data, end);
    end += Math.ceil(data.bytes.length / 8) * 8; // structures want to be aligned
    for (const { to } of data.pointers ?? []) place(to);
  };
  for (const data of all) place(data);
  if (end > MAX_TABLE_BYTES) {
    throw new HoldfastError('the arguments and environment of the command are too long', {
      code: 'ERR_SANDBOX_START',
      fields: { tableBytes: end, maxTableBytes: MAX_TABLE_BYTES },
    });
  }
  const addressOf = (data: Data): number => address + (offsets.get(data) ?? 0); // placed above, all of them
  return {
    end,
    resolve: (argument: Argument): number | bigint => {
      if (typeof argument !== 'object') return argument;
      return 'inside' in argument ? addressOf(argument.inside) + argument.at : addressOf(argument);
    },
    write: (table: Buffer): void => {
      for (const [data, offset] of offsets) {
        table.set(data.bytes, offset);
        for (const { at, to } of data.pointers ?? []) writeWord(table, addressOf(to), offset + at);
      }
    },
  };
}
