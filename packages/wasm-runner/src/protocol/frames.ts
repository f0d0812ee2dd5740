/**
 * Frames on the two pipes of a runner process: a length, then so many bytes. What comes from the
 * process is hostile: bounded before it is kept, and JSON with raw bytes behind it, never anything
 * that V8 would deserialise.
 */
import { HoldfastError } from '@holdfast/core';

const LENGTH_BYTES = 4;

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + payload.length);
  frame.writeUInt32LE(payload.length);
  frame.set(payload, LENGTH_BYTES);
  return frame;
}

/** JSON, its length before it, and the blobs one after the other. The JSON says how long each is. */
export function encodeParts(header: object, blobs: readonly Uint8Array[]): Uint8Array {
  const json = Buffer.from(JSON.stringify({ ...header, blobs: blobs.map(({ length }) => length) }));
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, ...blobs]);
}

/** @throws `ERR_WASM_RUNNER` when the bytes are no such frame */
export function decodeParts(payload: Buffer): { readonly header: unknown; readonly blobs: Uint8Array } {
  const jsonBytes = payload.length < LENGTH_BYTES ? Infinity : payload.readUInt32LE();
  if (LENGTH_BYTES + jsonBytes > payload.length) throw brokenProtocol('length');
  try {
    const header: unknown = JSON.parse(payload.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + jsonBytes));
    return { header, blobs: payload.subarray(LENGTH_BYTES + jsonBytes) };
  } catch (cause) {
    throw brokenProtocol('json', cause);
  }
}

export function brokenProtocol(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('a runner process broke its protocol', {
    code: 'ERR_WASM_RUNNER',
    fields: { reason },
    cause,
  });
}

/** Cuts a stream into frames, keeping no more than the largest allowed one. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Of a frame's payload; may change between frames. */
  maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** @throws `ERR_WASM_RUNNER` for a frame above the bound */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.#expected();
  }

  /** The next whole payload. */
  shift(): Buffer | undefined {
    const expected = this.#expected();
    if (expected === undefined || this.#size < LENGTH_BYTES + expected) return undefined;
    const all = this.#join();
    this.#chunks = [all.subarray(LENGTH_BYTES + expected)];
    this.#size -= LENGTH_BYTES + expected;
    return all.subarray(LENGTH_BYTES, LENGTH_BYTES + expected);
  }

  #expected(): number | undefined {
    if (this.#size < LENGTH_BYTES) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < LENGTH_BYTES) this.#join();
    const first = this.#chunks[0] ?? new Uint8Array(LENGTH_BYTES); // there are four bytes, so there is a chunk
    const expected = new DataView(first.buffer, first.byteOffset).getUint32(0, true);
    if (expected > this.maxBytes) throw brokenProtocol('too large');
    return expected;
  }

  #join(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
