import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import * as fc from 'fast-check';
import { decodeEnvelope, encodeEnvelope, preAuthEncoding, signEnvelope, verifyEnvelope } from './dsse.ts';
import { signerFromSeed } from './ed25519.ts';

interface Vectors {
  payloadType: string;
  payload: string;
  pae: string;
  ecdsaP256: { x: string; y: string; sig: string };
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/dsse.json', import.meta.url), 'utf8')) as Vectors;

const TYPE = 'application/vnd.in-toto+json';
const signer = signerFromSeed(Buffer.alloc(32, 1));
const other = signerFromSeed(Buffer.alloc(32, 2));
const trust = { payloadType: TYPE, keys: [signer.publicKey] };
const payload = Buffer.from('{"a":1}');
const isInvalid = (error: unknown): boolean => hasCode(error, 'ERR_SIGNATURE_INVALID');
const isMalformed = (error: unknown): boolean => hasCode(error, 'ERR_ENVELOPE_MALFORMED');
const coordinate = (decimal: string): string =>
  Buffer.from(BigInt(decimal).toString(16).padStart(64, '0'), 'hex').toString('base64url');
const open = (bytes: Uint8Array): Uint8Array => verifyEnvelope(decodeEnvelope(bytes), trust).payload;

describe('DSSE', () => {
  it('P-07: encodes the pre-authentication encoding of the specification', () => {
    const encoded = preAuthEncoding(vectors.payloadType, Buffer.from(vectors.payload));
    assert.equal(Buffer.from(encoded).toString(), vectors.pae);
  });

  it("P-07: the specification's own signature verifies over it", () => {
    const { x, y, sig } = vectors.ecdsaP256;
    const key = createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: coordinate(x), y: coordinate(y) },
      format: 'jwk',
    });
    const signed = preAuthEncoding(vectors.payloadType, Buffer.from(vectors.payload));
    const signature = Buffer.from(sig, 'base64');
    assert.ok(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature));
  });

  it('P-07: counts bytes, not characters', () => {
    assert.equal(Buffer.from(preAuthEncoding('é', Buffer.from('ü'))).toString(), 'DSSEv1 2 é 2 ü');
  });

  it('P-06: gives back the exact bytes that were signed', () => {
    assert.deepEqual(Buffer.from(open(encodeEnvelope(signEnvelope(TYPE, payload, [signer])))), payload);
  });

  it('P-07: one of several signatures by a trusted key is enough', () => {
    const envelope = signEnvelope(TYPE, payload, [other, signer]);
    assert.equal(verifyEnvelope(envelope, trust).keyId, signer.keyId);
  });

  it('P-05: does not make an envelope without a signer', () => {
    assert.throws(() => signEnvelope(TYPE, payload, []), TypeError);
  });

  const envelope = signEnvelope(TYPE, payload, [signer]);
  const [signature] = envelope.signatures;
  assert.ok(signature);
  const invalid: { name: string; verify: () => unknown }[] = [
    { name: 'another payload type', verify: () => verifyEnvelope(envelope, { ...trust, payloadType: 'text/plain' }) },
    { name: 'no trusted keys', verify: () => verifyEnvelope(envelope, { ...trust, keys: [] }) },
    { name: 'another key', verify: () => verifyEnvelope(envelope, { ...trust, keys: [other.publicKey] }) },
    { name: 'no signatures', verify: () => verifyEnvelope({ ...envelope, signatures: [] }, trust) },
    {
      name: 'an empty signature, as a placeholder would be',
      verify: () => verifyEnvelope({ ...envelope, signatures: [{ keyid: signer.keyId, sig: '' }] }, trust),
    },
    {
      name: 'a signature of zeroes',
      verify: () =>
        verifyEnvelope(
          { ...envelope, signatures: [{ keyid: signer.keyId, sig: Buffer.alloc(64).toString('base64') }] },
          trust,
        ),
    },
    {
      name: "another's signature under a trusted key's name",
      verify: () =>
        verifyEnvelope(
          {
            ...envelope,
            signatures: signEnvelope(TYPE, payload, [other]).signatures.map(({ sig }) => ({
              keyid: signer.keyId,
              sig,
            })),
          },
          trust,
        ),
    },
    {
      name: 'a signature over the payload alone',
      verify: () =>
        verifyEnvelope(
          {
            ...envelope,
            signatures: [{ keyid: signer.keyId, sig: Buffer.from(signer.sign(payload)).toString('base64') }],
          },
          trust,
        ),
    },
  ];
  for (const { name, verify } of invalid) {
    it(`P-05 P-07: refuses ${name}`, () => {
      assert.throws(verify, isInvalid);
    });
  }

  const text = Buffer.from(encodeEnvelope(envelope)).toString();
  const malformed: { name: string; bytes: string | Uint8Array }[] = [
    { name: 'nothing', bytes: '' },
    { name: 'something else than JSON', bytes: 'payload' },
    { name: 'null', bytes: 'null' },
    { name: 'an array', bytes: '[]' },
    { name: 'white space after it', bytes: `${text}\n` },
    { name: 'a byte order mark', bytes: `\uFEFF${text}` },
    { name: 'bytes that are not UTF-8', bytes: Buffer.concat([Buffer.from(text), Buffer.of(0xff)]) },
    { name: 'an unknown member', bytes: text.replace('{', '{"extra":1,') },
    { name: 'a repeated member', bytes: text.replace('{', '{"payload":"e30=",') },
    { name: 'a member spelt with an escape', bytes: text.replace('"payload"', '"p\\u0061yload"') },
    { name: 'no signatures', bytes: text.replace(/"signatures":\[.*\]/, '"signatures":[]') },
    { name: 'too many signatures', bytes: encodeEnvelope({ ...envelope, signatures: Array(17).fill(signature) }) },
    { name: 'a short signature', bytes: text.replace(signature.sig, 'AAAA') },
    { name: 'base64url', bytes: encodeEnvelope({ ...envelope, payload: '-_-_' }) },
    { name: 'base64 without padding', bytes: encodeEnvelope({ ...envelope, payload: 'YQ' }) },
    { name: 'base64 with stray bits', bytes: encodeEnvelope({ ...envelope, payload: 'YR==' }) },
    { name: 'base64 with a line break', bytes: encodeEnvelope({ ...envelope, payload: 'YW\nFh' }) },
    { name: 'nesting without end', bytes: '['.repeat(100_000) },
    { name: 'more than the limit', bytes: Buffer.alloc(16 * 1024 * 1024 + 1, 0x20) },
  ];
  for (const { name, bytes } of malformed) {
    it(`P-07: does not decode ${name}`, () => {
      assert.throws(() => decodeEnvelope(typeof bytes === 'string' ? Buffer.from(bytes) : bytes), isMalformed);
    });
  }

  it('P-06: every single changed bit anywhere in an envelope is refused', () => {
    const bytes = encodeEnvelope(signEnvelope(TYPE, payload, [signer]));
    for (let index = 0; index < bytes.length; index += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const tampered = Uint8Array.from(bytes);
        tampered[index] = (tampered[index] ?? 0) ^ (1 << bit);
        assert.throws(
          () => open(tampered),
          (error) => isInvalid(error) || isMalformed(error),
          `byte ${index}, bit ${bit}`,
        );
      }
    }
  });

  it('P-06: every envelope cut short or with bytes added is refused', () => {
    const bytes = Buffer.from(encodeEnvelope(signEnvelope(TYPE, payload, [signer])));
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => open(bytes.subarray(0, length)), isMalformed);
    }
    assert.throws(() => open(Buffer.concat([bytes, bytes])), isMalformed);
  });

  it('P-06: any bytes and type survive signing, encoding, decoding and verifying', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ minLength: 1, maxLength: 50 }), (body, payloadType) => {
        const decoded = decodeEnvelope(encodeEnvelope(signEnvelope(payloadType, body, [signer])));
        const verified = verifyEnvelope(decoded, { payloadType, keys: [other.publicKey, signer.publicKey] });
        assert.deepEqual(Uint8Array.from(verified.payload), body);
        assert.equal(verified.keyId, signer.keyId);
      }),
    );
  });

  it('P-07: hostile bytes give a coded error and nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        (bytes) => {
          assert.throws(() => decodeEnvelope(bytes), isMalformed);
        },
      ),
    );
  });
});
