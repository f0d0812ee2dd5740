/**
 * Frames of the guard's socket: bytes in, whole lines out (G-01). Bounded; knows nothing of JSON.
 */
import { HoldfastError } from '@holdfast/core';

const NEWLINE = 0x0a;

export class LineDecoder {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether a line was begun and not ended. */
  get isPartial(): boolean {
    return this.#size > 0;
  }

  /**
   * Takes the bytes that came and returns the lines they complete, without their newline.
   *
   * @throws `ERR_GUARD_REQUEST_TOO_LARGE` once a line is longer than allowed; framing is lost then
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const to = bytes.indexOf(NEWLINE, from);
      const piece = bytes.subarray(from, to === -1 ? undefined : to);
      if (this.#size + piece.length > this.#maxBytes) {
        throw new HoldfastError('a line is too long', { code: 'ERR_GUARD_REQUEST_TOO_LARGE' });
      }
      if (piece.length > 0) {
        this.#chunks.push(piece);
        this.#size += piece.length;
      }
      if (to === -1) return lines;
      lines.push(Buffer.concat(this.#chunks));
      this.#chunks = [];
      this.#size = 0;
      from = to + 1;
    }
  }
}
