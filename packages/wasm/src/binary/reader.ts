/**
 * Reads a module's bytes from front to back, between two bounds, and believes none of them: every
 * read is checked against the end, every LEB128 against the length and the unused bits that the
 * core specification (§5.2.2) allows. Longer spellings of a number are valid within that length.
 */
import { HoldfastError } from '@holdfast/core';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws `ERR_WASM_MALFORMED` always */
export function malformed(reason: string, offset: number): never {
  throw new HoldfastError(`${reason} at byte ${offset}`, { code: 'ERR_WASM_MALFORMED', fields: { reason, offset } });
}

/** @throws `ERR_WASM_FEATURE` always */
export function refuseFeature(feature: string, offset: number): never {
  throw new HoldfastError(`the module uses ${feature}, which is not accepted`, {
    code: 'ERR_WASM_FEATURE',
    fields: { feature, offset },
  });
}

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  pos: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.pos = start;
    this.end = end;
  }

  byte(): number {
    if (this.pos >= this.end) malformed('unexpected end', this.pos);
    return this.bytes[this.pos++]!; // inside, as just checked
  }

  /** Moves over `count` bytes. */
  skip(count: number): void {
    if (count > this.end - this.pos) malformed('length beyond the end', this.pos);
    this.pos += count;
  }

  u32(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.byte();
    if (last > 0x0f) malformed('number out of range', this.pos - 1);
    return (value | (last << 28)) >>> 0;
  }

  /** Checks and skips a signed number of `bits` (32, 33 or 64) and returns its low 31 bits and sign, enough for a type index. */
  signed(bits: 32 | 33 | 64): number {
    const only = this.bytes[this.pos];
    if (only !== undefined && only < 0x80 && this.pos < this.end) {
      this.pos++;
      return (only & 0x40) === 0 ? only : only - 0x80;
    }
    const maximum = bits === 32 || bits === 33 ? 5 : 10;
    let value = 0;
    for (let i = 0; i < maximum; i++) {
      const byte = this.byte();
      if (i < 4) value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        if (i === maximum - 1) {
          // The bits beyond the value must repeat its sign.
          const used = bits - 7 * i;
          const rest = (byte & 0x7f) >> (used - 1);
          if (rest !== 0 && rest !== 0x7f >> (used - 1)) malformed('number out of range', this.pos - 1);
        }
        return (byte & 0x40) === 0 ? value : i < 4 ? value | (-1 << (7 * (i + 1))) : -1;
      }
    }
    return malformed('number too long', this.pos - 1);
  }

  name(): string {
    const length = this.u32();
    const start = this.pos;
    this.skip(length);
    try {
      return UTF8.decode(this.bytes.subarray(start, this.pos));
    } catch {
      return malformed('name is not UTF-8', start); // the only way decoding fails
    }
  }

  /** A count of things of at least `minimumBytes` each: never more than the bytes left can hold. */
  count(minimumBytes: number): number {
    const at = this.pos;
    const count = this.u32();
    if (count * minimumBytes > this.end - this.pos) malformed('count beyond the end', at);
    return count;
  }
}
