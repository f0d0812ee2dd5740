/**
 * A guest's linear memory as the host may touch it: every pointer and length comes from the guest and
 * is checked against the memory's size first (EFAULT). Pointers need not be aligned. Integers arrive
 * signed, as JavaScript gets them from WebAssembly, and are taken as unsigned here.
 *
 * `refresh` comes before each call: the guest may have grown its memory, which detaches every view.
 */
import type { WasmMemory } from '../engine/web-assembly.ts';
import { refuse } from './errno.ts';

export class GuestMemory {
  readonly #memory: WasmMemory | null;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);

  /** @param memory `null` for a module without one: every pointer is then outside */
  constructor(memory: WasmMemory | null) {
    this.#memory = memory;
  }

  refresh(): void {
    if (this.#memory === null || this.#memory.buffer === this.#bytes.buffer) return;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#view = new DataView(this.#memory.buffer);
  }

  /** The address, when `length` bytes from it are inside. */
  check(pointer: number, length: number): number {
    const start = pointer >>> 0;
    if (start + length > this.#bytes.length) refuse('FAULT');
    return start;
  }

  /** A view for this call only. */
  span(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    const start = this.check(pointer, length >>> 0);
    return this.#bytes.subarray(start, start + (length >>> 0));
  }

  u8(pointer: number): number {
    return this.#view.getUint8(this.check(pointer, 1));
  }

  u16(pointer: number): number {
    return this.#view.getUint16(this.check(pointer, 2), true);
  }

  u32(pointer: number): number {
    return this.#view.getUint32(this.check(pointer, 4), true);
  }

  u64(pointer: number): bigint {
    return this.#view.getBigUint64(this.check(pointer, 8), true);
  }

  setU8(pointer: number, value: number): void {
    this.#view.setUint8(this.check(pointer, 1), value);
  }

  setU16(pointer: number, value: number): void {
    this.#view.setUint16(this.check(pointer, 2), value, true);
  }

  setU32(pointer: number, value: number): void {
    this.#view.setUint32(this.check(pointer, 4), value, true);
  }

  setU64(pointer: number, value: bigint): void {
    this.#view.setBigUint64(this.check(pointer, 8), value, true);
  }
}
