/** A buffer that grows: where the rewritten module is put together. Not a stream; taken once, whole. */

export class ByteWriter {
  /** Valid up to `length`; changes identity when it grows. */
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A signed number within 31 bits, as `i32.const` and `i64.const` take it. */
  signed(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest < -64 || rest > 63) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.bytes[this.length++] = rest & 0x7f;
  }

  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u32(encoded.length);
    this.copy(encoded, 0, encoded.length);
  }

  /** Appends `source` from `start` to `end`. */
  copy(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    // Most runs are a few instructions, for which a view costs more than a loop.
    if (count <= 64) {
      for (let i = start, to = this.length; i < end; i++, to++) this.bytes[to] = source[i]!;
    } else {
      this.bytes.set(source.subarray(start, end), this.length);
    }
    this.length += count;
  }

  /** Leaves room for a length that is known later. @returns what `close` takes */
  open(): number {
    this.reserve(5);
    this.length += 5;
    return this.length;
  }

  /** Writes the number of bytes since `open`, in five bytes: a longer spelling is valid (core specification §5.2.2). */
  close(mark: number): void {
    let rest = this.length - mark;
    for (let i = 5; i > 1; i--) {
      this.bytes[mark - i] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[mark - 1] = rest;
  }

  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
