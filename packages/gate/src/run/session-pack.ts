/** The outputs of one session, one after the other in one object, each with its place and digest. */
import { createHash } from 'node:crypto';
import { sha256Hex } from '@holdfast/crypto';
import type { RunRecord } from '../records/run-record.ts';

/** Of one stream or report. A run that writes more is truncated, which makes it invalid. */
export const MAX_STREAM_BYTES = 16 * 1024 * 1024;
/** Of all outputs of a session, because the pack is one object in the repository. */
const MAX_PACK_BYTES = 256 * 1024 * 1024;

export type PackedStream = RunRecord['stdout'];

export class SessionPack {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  /** Adds what `stream` kept, as far as there is room. */
  add(stream: CapturedStream): PackedStream {
    const { bytes, digest } = stream;
    return { bytes, digest, ...this.#place(stream.kept()) };
  }

  #place(bytes: Uint8Array): { at: number; kept: number } {
    const at = this.#bytes;
    const part = bytes.subarray(0, MAX_PACK_BYTES - at);
    this.#parts.push(part);
    this.#bytes += part.length;
    return { at, kept: part.length };
  }

  /** All of it, once the session is over. */
  seal(): { readonly bytes: Uint8Array; readonly digest: string } {
    const bytes = Buffer.concat(this.#parts);
    return { bytes, digest: sha256Hex(bytes) };
  }
}

/** One stream while it is written: counted and hashed whole, kept up to the cap. */
export class CapturedStream {
  readonly #hash = createHash('sha256');
  readonly #chunks: Uint8Array[] = [];
  #kept = 0;
  #bytes = 0;
  #digest: string | null = null;

  static of(bytes: Uint8Array): CapturedStream {
    const stream = new CapturedStream();
    stream.write(bytes);
    return stream;
  }

  /** What comes after the digest was asked for is not part of it any more. */
  write(chunk: Uint8Array): void {
    if (this.#digest !== null) return;
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    const part = chunk.subarray(0, MAX_STREAM_BYTES - this.#kept);
    if (part.length > 0) this.#chunks.push(part);
    this.#kept += part.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing was dropped. */
  get whole(): boolean {
    return this.#kept === this.#bytes;
  }

  /** Hex; closes the stream. */
  get digest(): string {
    this.#digest ??= this.#hash.digest('hex');
    return this.#digest;
  }

  kept(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
}
