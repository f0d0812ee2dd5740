/** Frames as any bytes in any pieces: what was encoded comes back, and nothing else is ever taken for one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  decodeCredit,
  encodeCredit,
  encodeFrame,
  FRAME,
  FrameDecoder,
  HEADER_BYTES,
  MAX_FRAME_BYTES,
} from './frames.ts';

const kind = fc.constantFrom(...Object.values(FRAME));
const run = fc.nat(0xffff_ffff);
const frame = fc.record({ kind, run, payload: fc.uint8Array({ maxLength: 300 }) });

/** Cut where `cuts` say, counted around. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

function header(length: number, kindByte: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt8(kindByte, 4);
  return bytes;
}

const plain = (all: readonly { kind: number; run: number; payload: Uint8Array }[]) =>
  all.map((one) => [one.kind, one.run, [...one.payload]]);

describe('FrameDecoder', () => {
  it('X-07: gives back every frame, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (frames, cuts) => {
        const bytes = Buffer.concat(frames.map((one) => encodeFrame(one.kind, one.run, one.payload)));
        const decoder = new FrameDecoder();
        const decoded = pieces(bytes, cuts).flatMap((piece) => decoder.push(piece) ?? assert.fail('refused'));
        assert.deepEqual(plain(decoded), plain(frames));
      }),
    );
  });

  it('X-07: takes any bytes without throwing, and no frame above the limit or of an unknown kind', () => {
    const kinds = new Set<number>(Object.values(FRAME));
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
        const decoder = new FrameDecoder();
        for (const chunk of chunks) {
          const frames = decoder.push(Buffer.from(chunk));
          if (frames === undefined) return;
          for (const one of frames) {
            assert.ok(kinds.has(one.kind));
            assert.ok(one.payload.length <= MAX_FRAME_BYTES);
          }
        }
      }),
    );
  });

  it('X-07: takes the longest frame, and refuses a longer one by its header alone', () => {
    const longest = encodeFrame(FRAME.start, 7, new Uint8Array(MAX_FRAME_BYTES));
    assert.equal(new FrameDecoder().push(longest)?.[0]?.payload.length, MAX_FRAME_BYTES);
    assert.equal(new FrameDecoder().push(header(MAX_FRAME_BYTES + 1, FRAME.start)), undefined);
    assert.equal(new FrameDecoder().push(header(0xffff_ffff, FRAME.start)), undefined);
    for (const unknown of [0, 8, 15, 22, 255]) {
      assert.equal(new FrameDecoder().push(header(0, unknown)), undefined, String(unknown));
    }
  });

  it('X-07: takes the longest frame byte by byte, at a cost that grows with its length and not its square', () => {
    const bytes = encodeFrame(FRAME.start, 7, new Uint8Array(MAX_FRAME_BYTES));
    const decoder = new FrameDecoder();
    let frames = 0;
    // Copied anew for every byte this would be half a terabyte.
    for (let at = 0; at < bytes.length; at++) frames += decoder.push(bytes.subarray(at, at + 1))?.length ?? 0;
    assert.equal(frames, 1);
  });
});

describe('a credit', () => {
  it('X-07: comes back, and is nothing at any other length', () => {
    const [whole] = new FrameDecoder().push(encodeCredit(3, 2, 65_536)) ?? [];
    assert.deepEqual(decodeCredit(whole?.payload ?? Buffer.alloc(0)), { stream: 2, bytes: 65_536 });
    for (const length of [0, 4, 6]) assert.equal(decodeCredit(Buffer.alloc(length)), undefined);
  });
});
