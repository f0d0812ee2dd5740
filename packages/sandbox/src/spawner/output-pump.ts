/** One stream of output of a run: sent as far as its reader takes it, dropped and counted above its cap. */
import type { Readable } from 'node:stream';
import { WINDOW_BYTES } from './frames.ts';

export class OutputPump {
  readonly #stream: Readable;
  readonly #capBytes: number;
  #window = WINDOW_BYTES;
  seenBytes = 0;

  constructor(stream: Readable, capBytes: number, send: (bytes: Uint8Array) => void) {
    this.#stream = stream;
    this.#capBytes = capBytes;
    stream.on('data', (bytes: Buffer) => {
      const kept = bytes.subarray(0, Math.max(0, this.#capBytes - this.seenBytes));
      this.seenBytes += bytes.length;
      if (kept.length === 0) return;
      this.#window -= kept.length;
      send(kept);
      if (this.#window <= 0) stream.pause();
    });
  }

  widen(bytes: number): void {
    this.#window += bytes;
    if (this.#window > 0) this.#stream.resume();
  }
}
