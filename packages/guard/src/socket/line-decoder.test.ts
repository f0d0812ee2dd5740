import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { LineDecoder } from './line-decoder.ts';

describe('LineDecoder', () => {
  it('gives back the lines, however their bytes are cut', () => {
    const line = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.filter((byte) => byte !== 0x0a));
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (lines, cuts) => {
          const bytes = Buffer.concat(lines.map((one) => Buffer.concat([one, Buffer.from('\n')])));
          const decoder = new LineDecoder(40);
          const got: Uint8Array[] = [];
          for (let from = 0, cut = 0; from < bytes.length; cut += 1) {
            const size = cuts[cut % cuts.length]!;
            got.push(...decoder.push(bytes.subarray(from, from + size)));
            from += size;
          }
          assert.deepEqual(
            got.map((one) => Buffer.from(one).toString('hex')),
            lines.map((one) => Buffer.from(one).toString('hex')),
          );
          assert.equal(decoder.isPartial, false);
        },
      ),
    );
  });

  it('G-01: takes the longest line and refuses one byte more, whole or in pieces', () => {
    const fits = new LineDecoder(4);
    assert.equal(fits.push(Buffer.from('abcd\n')).length, 1);
    assert.throws(() => fits.push(Buffer.from('abcde\n')), { code: 'ERR_GUARD_REQUEST_TOO_LARGE' });
    const pieces = new LineDecoder(4);
    pieces.push(Buffer.from('abcd'));
    assert.equal(pieces.isPartial, true);
    assert.throws(() => pieces.push(Buffer.from('e')), { code: 'ERR_GUARD_REQUEST_TOO_LARGE' });
  });
});
