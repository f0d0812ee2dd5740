/** One output stream of a guest: collected up to a cap, and told as it comes. */
import { OutputExceeded } from './run-ended.ts';

const FIRST_BYTES = 4_096;

export class OutputBuffer {
  readonly #limit: number;
  readonly #onLimit: 'drop' | 'end';
  readonly #onKept: (bytes: Uint8Array) => void;
  #bytes = new Uint8Array(0);
  #length = 0;
  truncated = false;

  /** @param onKept told of what is kept, when it is written; MUST copy what it wants to keep itself */
  constructor(limitBytes: number, onLimit: 'drop' | 'end', onKept: (bytes: Uint8Array) => void) {
    this.#limit = limitBytes;
    this.#onLimit = onLimit;
    this.#onKept = onKept;
  }

  /** Takes what fits. @throws `OutputExceeded` when that is not all and the run shall end */
  append(bytes: Uint8Array): void {
    const length = Math.min(bytes.length, this.#limit - this.#length);
    if (this.#length + length > this.#bytes.length) {
      const grown = new Uint8Array(
        Math.min(this.#limit, Math.max(FIRST_BYTES, 2 * this.#bytes.length, this.#length + length)),
      );
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(0, length), this.#length);
    this.#length += length;
    if (length > 0) this.#onKept(bytes.subarray(0, length));
    if (length === bytes.length) return;
    this.truncated = true;
    if (this.#onLimit === 'end') throw new OutputExceeded();
  }

  collected(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
