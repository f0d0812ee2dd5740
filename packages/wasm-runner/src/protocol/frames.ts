/**
 * Frames on the two pipes of a runner process: a length, then so many bytes. What comes from the
 * process is hostile: bounded before it is kept, and JSON with raw bytes behind it, never anything
 * that V8 would deserialise.
 */
import { HoldfastError } from '@holdfast/core';
import type { OutputStreamName } from '@holdfast/wasm';

const LENGTH_BYTES = 4;
const STREAMS: readonly OutputStreamName[] = ['stdout', 'stderr'];
const OUTPUT_HEADER_BYTES = LENGTH_BYTES + 1;

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

/**
 * A piece of a guest's output: where the JSON's length is otherwise, a zero, then the number of the
 * stream, then the bytes. There may be thousands in one read, so nothing is parsed.
 */
export function encodeOutput(stream: OutputStreamName, bytes: Uint8Array): Uint8Array {
  const payload = Buffer.allocUnsafe(OUTPUT_HEADER_BYTES + bytes.length);
  payload.writeUInt32LE(0);
  payload.writeUInt8(STREAMS.indexOf(stream), LENGTH_BYTES);
  payload.set(bytes, OUTPUT_HEADER_BYTES);
  return payload;
}

/** @returns `undefined` when it is no piece of output. @throws `ERR_WASM_RUNNER` for one of no stream, or without bytes */
export function decodeOutput(
  payload: Buffer,
): { readonly stream: OutputStreamName; readonly bytes: Uint8Array } | undefined {
  if (payload.length < LENGTH_BYTES || payload.readUInt32LE() !== 0) return undefined;
  const stream = STREAMS[payload[LENGTH_BYTES] ?? STREAMS.length];
  if (stream === undefined || payload.length === OUTPUT_HEADER_BYTES) throw brokenProtocol('output');
  return { stream, bytes: payload.subarray(OUTPUT_HEADER_BYTES) };
}

/** Cuts a stream into frames, keeping no more than the largest allowed one. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Of a frame's payload; may change between frames. */
  maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** @throws `ERR_WASM_RUNNER` for a frame above the bound */
  push(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
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
    const [first = Buffer.alloc(LENGTH_BYTES)] = this.#chunks; // there are four bytes, so there is a chunk
    const expected = first.readUInt32LE();
    if (expected > this.maxBytes) throw brokenProtocol('too large');
    return expected;
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    const all = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
