import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { hasCode, isHoldfastError } from '@holdfast/core';
import { decodeEnvelope, encodeEnvelope, leafHash, signEnvelope, signerFromSeed } from '@holdfast/crypto';
import { PAYLOAD_TYPE } from '@holdfast/evidence';
import * as fc from 'fast-check';
import { decodeSealed, type SealedRecord } from './open-record.ts';

const ann = signerFromSeed(Buffer.alloc(32, 1));
const bob = signerFromSeed(Buffer.alloc(32, 2));
const seal = (payload: string, type = PAYLOAD_TYPE, signers = [ann]): Buffer =>
  Buffer.from(encodeEnvelope(signEnvelope(type, Buffer.from(payload), signers)));

/** What the general decoder makes of it. */
function decodeSlowly(bytes: Uint8Array): SealedRecord {
  const { payload, payloadType, signatures } = decodeEnvelope(bytes);
  assert.equal(payloadType, PAYLOAD_TYPE);
  assert.equal(signatures.length, 1);
  const { keyid: keyId = '', sig = '' } = signatures[0] ?? {};
  return {
    payload: Buffer.from(payload, 'base64'),
    keyId,
    signature: Buffer.from(sig, 'base64'),
    leaf: leafHash(bytes),
  };
}
const isRefusal =
  (record: number, rule: string) =>
  (error: unknown): boolean =>
    isHoldfastError(error) && error.fields['record'] === record && error.fields['rule'] === rule;
const isRefused = (error: unknown): boolean => hasCode(error, 'ERR_GATE_LOG_INVALID');

/** Either refuses `bytes`, or says of them what the general decoder says. */
const isSound = (bytes: Uint8Array): boolean => {
  let decoded: SealedRecord;
  try {
    decoded = decodeSealed(bytes, 0);
  } catch (error) {
    return isRefused(error);
  }
  return isDeepStrictEqual(decoded, decodeSlowly(bytes));
};
const NOTABLE = [...Buffer.from('\0\n "+=A\\~\u{e9}')];

describe('decodeSealed', () => {
  it('R-10: takes any payload out as it was signed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (payload) => {
        const bytes = seal(payload);
        assert.deepEqual(decodeSealed(bytes, 0), decodeSlowly(bytes));
      }),
    );
  });

  const sealed = seal('{"a":1}');
  it('R-10: accepts no envelope that the general decoder refuses, whichever byte is changed', () => {
    for (let at = 0; at < sealed.length; at++) {
      for (const byte of NOTABLE) assert.ok(isSound(sealed.with(at, byte)), `${byte} at ${at}`);
    }
  });

  it('R-10: accepts none either that is cut short, has bytes added or taken out', () => {
    for (let at = 0; at < sealed.length; at++) {
      const [before, after] = [sealed.subarray(0, at), sealed.subarray(at)];
      assert.throws(() => decodeSealed(before, 0), isRefused);
      assert.ok(isSound(Buffer.concat([before, after.subarray(1)])), `without ${at}`);
      for (const byte of NOTABLE)
        assert.ok(isSound(Buffer.concat([before, Buffer.of(byte), after])), `${byte} at ${at}`);
    }
  });

  const cases = [
    { name: 'two signatures', bytes: seal('{}', PAYLOAD_TYPE, [ann, bob]), rule: 'R-34' },
    { name: 'another payload type', bytes: seal('{}', 'text/plain'), rule: 'R-10' },
    { name: 'nothing', bytes: Buffer.alloc(0), rule: 'R-10' },
    { name: 'more than the limit', bytes: seal('1'.repeat(13 * 1024 * 1024)), rule: 'R-10' },
  ];
  for (const { name, bytes, rule } of cases) {
    it(`${rule}: refuses ${name}`, () => {
      assert.throws(() => decodeSealed(bytes, 7), isRefusal(7, rule));
    });
  }
});
