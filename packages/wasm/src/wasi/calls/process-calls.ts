/** Arguments, environment, time, randomness and the end: what needs no descriptor (WASI preview 1). */
import { refuse } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';
import { HOST_COST } from '../host-cost.ts';
import { ProcessExit } from '../run-ended.ts';

const sizeOf = (strings: readonly Uint8Array[]): number => strings.reduce((sum, bytes) => sum + bytes.length, 0);

function writeSizes(guest: GuestContext, strings: readonly Uint8Array[], count: number, size: number): void {
  guest.memory.check(size, 4);
  guest.memory.setU32(count, strings.length);
  guest.memory.setU32(size, sizeOf(strings));
}

function writeStrings(guest: GuestContext, strings: readonly Uint8Array[], pointers: number, buffer: number): void {
  const size = sizeOf(strings);
  guest.chargeBytes(size + 4 * strings.length);
  guest.memory.check(pointers, 4 * strings.length);
  let at = guest.memory.check(buffer, size);
  for (const [index, bytes] of strings.entries()) {
    guest.memory.setU32((pointers >>> 0) + 4 * index, at);
    guest.memory.span(at, bytes.length).set(bytes);
    at += bytes.length;
  }
}

export const PROCESS_CALLS = {
  args_get(guest: GuestContext, argv: number, buffer: number): void {
    writeStrings(guest, guest.args, argv, buffer);
  },

  args_sizes_get(guest: GuestContext, count: number, size: number): void {
    writeSizes(guest, guest.args, count, size);
  },

  environ_get(guest: GuestContext, environ: number, buffer: number): void {
    writeStrings(guest, guest.env, environ, buffer);
  },

  environ_sizes_get(guest: GuestContext, count: number, size: number): void {
    writeSizes(guest, guest.env, count, size);
  },

  clock_res_get(guest: GuestContext, id: number, result: number): void {
    if (guest.time.read(id) === null) refuse('INVAL');
    guest.memory.setU64(result, guest.time.resolutionNs());
  },

  clock_time_get(guest: GuestContext, id: number, _precision: bigint, result: number): void {
    guest.memory.setU64(result, guest.time.read(id) ?? refuse('INVAL'));
  },

  random_get(guest: GuestContext, buffer: number, length: number): void {
    const target = guest.memory.span(buffer, length);
    guest.charge(target.length * HOST_COST.randomByte);
    guest.fillRandom(target);
  },

  sched_yield(): void {
    // There is nobody to yield to.
  },

  proc_exit(_guest: GuestContext, status: number): void {
    throw new ProcessExit(status >>> 0);
  },

  proc_raise(): void {
    refuse('NOSYS');
  },
} as const;
