/**
 * The protocol between a client and the spawner: frames of `length (u32), kind (u8), run (u32)`, little
 * endian, then the payload. Runs are numbered by the client; number 0 is the connection. Nothing here
 * trusts the other end: every length and kind is checked before anything is kept.
 */
export const HEADER_BYTES = 9;
/** A profile with every list full is below this. */
export const MAX_FRAME_BYTES = 1_024 * 1_024;
/** Bytes of a stream that may be on their way and not yet taken by the reader. */
export const WINDOW_BYTES = 256 * 1_024;
/** Payload of one data frame. */
export const MAX_DATA_BYTES = 64 * 1_024;

export const FRAME = {
  /** Client: `{profile, argv, …}`. Answered by `started` or `failed`. */
  start: 1,
  stdin: 2,
  stdinEnd: 3,
  kill: 4,
  /** Either way: `stream (u8), bytes (u32)` of a stream were taken; as many more may be sent. */
  credit: 5,
  /** Client: which layers there are; the run number marks the answer. */
  layers: 6,
  /** Client: `{profile, slots}`. */
  warm: 7,
  started: 16,
  stdout: 17,
  stderr: 18,
  /** Spawner: how it ended, `SandboxResult` as JSON. The last frame of a run. */
  ended: 19,
  /** Spawner: `{code, message, fields}`. The last frame of a run or request. */
  failed: 20,
  /** Spawner: the answer to `layers` and `warm`, as JSON. */
  answer: 21,
} as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];
const KINDS: ReadonlySet<number> = new Set(Object.values(FRAME));

export const STREAM = { stdin: 0, stdout: 1, stderr: 2 } as const;

export interface Frame {
  readonly kind: FrameKind;
  readonly run: number;
  readonly payload: Buffer;
}

export function encodeFrame(kind: FrameKind, run: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt8(kind, 4);
  frame.writeUInt32LE(run, 5);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export const encodeJsonFrame = (kind: FrameKind, run: number, value: unknown): Buffer =>
  encodeFrame(kind, run, Buffer.from(JSON.stringify(value)));

export function encodeCredit(run: number, stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(5);
  payload.writeUInt8(stream, 0);
  payload.writeUInt32LE(bytes, 1);
  return encodeFrame(FRAME.credit, run, payload);
}

/** @returns `undefined` when it is no credit */
export function decodeCredit(payload: Buffer): { readonly stream: number; readonly bytes: number } | undefined {
  if (payload.length !== 5) return undefined;
  return { stream: payload.readUInt8(0), bytes: payload.readUInt32LE(1) };
}

/** Cuts a byte stream into frames. Keeps at most one frame, and copies each byte of it once, however it is cut up. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  #wantedBytes = HEADER_BYTES;

  /** @returns the frames that are complete; `undefined` once the bytes are no frames: the connection is to be closed */
  push(bytes: Buffer): readonly Frame[] | undefined {
    this.#chunks.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes < this.#wantedBytes) return [];
    const held = this.#chunks.length === 1 ? bytes : Buffer.concat(this.#chunks);
    const frames: Frame[] = [];
    let at = 0;
    this.#wantedBytes = HEADER_BYTES;
    while (held.length - at >= HEADER_BYTES) {
      const length = held.readUInt32LE(at);
      const kind = held.readUInt8(at + 4);
      if (length > MAX_FRAME_BYTES || !isKind(kind)) return undefined;
      const end = at + HEADER_BYTES + length;
      if (end > held.length) {
        this.#wantedBytes = HEADER_BYTES + length;
        break;
      }
      frames.push({ kind, run: held.readUInt32LE(at + 5), payload: held.subarray(at + HEADER_BYTES, end) });
      at = end;
    }
    this.#chunks = at === held.length ? [] : [held.subarray(at)];
    this.#heldBytes = held.length - at;
    return frames;
  }
}

function isKind(kind: number): kind is FrameKind {
  return KINDS.has(kind);
}
