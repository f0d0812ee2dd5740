/**
 * Sends a guest's output to the parent as it is written, because the parent may kill this process at
 * any time and what was written until then is not to be lost. A guest that has written very
 * often is not worth a frame for each call any more: then little is collected for a moment.
 */
import type { OutputStreamName } from '@holdfast/wasm';

/** Calls of one run that are passed on each for itself: the first second of a chatty program. */
const PROMPT_WRITES = 1_000;
/** What is held back at most after that, and so lost at most when the process is killed. */
const MAX_HELD_BYTES = 4_096;
/** How old it may get before the next write takes it along. */
const MAX_HELD_MS = 10;

export class OutputSender {
  readonly #send: (stream: OutputStreamName, bytes: Uint8Array) => void;
  readonly #monotonicMs: () => number;
  readonly #held = Buffer.alloc(MAX_HELD_BYTES);
  #heldBytes = 0;
  #stream: OutputStreamName = 'stdout';
  #writes = 0;
  #sentMs = 0;

  constructor(send: (stream: OutputStreamName, bytes: Uint8Array) => void, monotonicMs: () => number) {
    this.#send = send;
    this.#monotonicMs = monotonicMs;
  }

  write(stream: OutputStreamName, bytes: Uint8Array): void {
    this.#writes += 1;
    if (stream !== this.#stream || this.#heldBytes + bytes.length > MAX_HELD_BYTES) this.flush();
    this.#stream = stream;
    if (this.#writes <= PROMPT_WRITES || bytes.length > MAX_HELD_BYTES) return this.#pass(bytes);
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes += bytes.length;
    if (this.#monotonicMs() - this.#sentMs >= MAX_HELD_MS) this.flush();
  }

  flush(): void {
    if (this.#heldBytes === 0) return;
    this.#pass(this.#held.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
  }

  #pass(bytes: Uint8Array): void {
    this.#send(this.#stream, bytes);
    this.#sentMs = this.#monotonicMs();
  }
}
