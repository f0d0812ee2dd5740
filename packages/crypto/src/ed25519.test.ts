import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { hasCode } from '@holdfast/core';
import {
  keyIdOf,
  parsePublicKeyPem,
  publicKeyPem,
  signerFromKeyObject,
  signerFromSeed,
  verifyEd25519,
  verifyEd25519InPool,
} from './ed25519.ts';
import { isKeyValidAt } from './key-validity.ts';

// RFC 8032 §7.1, TEST 2
const RFC8032 = {
  seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
  publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  message: '72',
  signature:
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
};
const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_KEY_INVALID');
const signer = signerFromSeed(hex(RFC8032.seed));

describe('Ed25519', () => {
  it('P-01: signs as RFC 8032 §7.1 does', () => {
    assert.equal(Buffer.from(signer.publicKey).toString('hex'), RFC8032.publicKey);
    assert.equal(Buffer.from(signer.sign(hex(RFC8032.message))).toString('hex'), RFC8032.signature);
    assert.ok(verifyEd25519(hex(RFC8032.publicKey), hex(RFC8032.message), hex(RFC8032.signature)));
  });

  it('verifies in the pool as it does here', async () => {
    const [key, message, signature] = [hex(RFC8032.publicKey), hex(RFC8032.message), hex(RFC8032.signature)];
    assert.equal(await verifyEd25519InPool(key, message, signature), true);
    assert.equal(await verifyEd25519InPool(key, hex('73'), signature), false);
    assert.equal(await verifyEd25519InPool(key, message, signature.subarray(1)), false);
    assert.equal(await verifyEd25519InPool(key.subarray(1), message, signature), false);
  });

  it('P-05: nothing but a whole signature by the key verifies', () => {
    const message = hex(RFC8032.message);
    for (const signature of [
      new Uint8Array(),
      new Uint8Array(64),
      hex(RFC8032.signature).subarray(1),
      Buffer.alloc(65),
    ]) {
      assert.ok(!verifyEd25519(signer.publicKey, message, signature));
    }
    assert.ok(!verifyEd25519(new Uint8Array(), message, hex(RFC8032.signature)));
    assert.ok(!verifyEd25519(Buffer.alloc(33), message, hex(RFC8032.signature)));
    assert.ok(!verifyEd25519(signer.publicKey, new Uint8Array(), hex(RFC8032.signature)));
  });

  it('P-01: refuses keys of other kinds', () => {
    assert.throws(() => signerFromKeyObject(generateKeyPairSync('ed448').privateKey), isRefusal);
    assert.throws(() => signerFromKeyObject(generateKeyPairSync('ed25519').publicKey), isRefusal);
    assert.throws(() => signerFromSeed(Buffer.alloc(31)), TypeError);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'pem', type: 'spki' });
    assert.throws(() => parsePublicKeyPem(rsa), isRefusal);
    assert.throws(() => parsePublicKeyPem(''), isRefusal);
    const privatePem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
    assert.throws(() => parsePublicKeyPem(privatePem), isRefusal);
  });

  it('P-01: a public key survives PEM', () => {
    assert.deepEqual(Buffer.from(parsePublicKeyPem(publicKeyPem(signer.publicKey))), Buffer.from(signer.publicKey));
  });

  it('P-08: a signer does not show its key', () => {
    const shown = inspect(signer, { showHidden: true, depth: null }) + JSON.stringify(signer);
    assert.ok(!shown.includes(RFC8032.seed) && !shown.includes(Buffer.from(RFC8032.seed, 'hex').toString('base64')));
  });

  it('names keys by their digest', () => {
    assert.equal(keyIdOf(signer.publicKey), signer.keyId);
    assert.match(signer.keyId, /^SHA256:[A-Za-z0-9_-]{43}$/);
  });
});

describe('key validity', () => {
  const validity = { validFrom: '2026-01-01T00:00:00.000Z', validTo: '2026-02-01T00:00:00.000Z' };
  const cases: {
    name: string;
    validity: typeof validity | { validFrom: string; validTo: null };
    at: string;
    valid: boolean;
  }[] = [
    { name: 'the start is inside', validity, at: '2026-01-01T00:00:00.000Z', valid: true },
    { name: 'before the start is outside', validity, at: '2025-12-31T23:59:59.999Z', valid: false },
    { name: 'the end is outside', validity, at: '2026-02-01T00:00:00.000Z', valid: false },
    { name: 'the last millisecond is inside', validity, at: '2026-01-31T23:59:59.999Z', valid: true },
    { name: 'no end is for ever', validity: { ...validity, validTo: null }, at: '2126-01-01T00:00:00Z', valid: true },
    {
      name: 'an unreadable start holds nothing',
      validity: { ...validity, validFrom: 'soon' },
      at: '2026-01-02T00:00:00Z',
      valid: false,
    },
    {
      name: 'an unreadable end holds nothing',
      validity: { ...validity, validTo: 'later' },
      at: '2026-01-02T00:00:00Z',
      valid: false,
    },
    { name: 'an unreadable time is outside', validity, at: 'never', valid: false },
  ];
  for (const { name, validity, at, valid } of cases) {
    it(`P-04: ${name}`, () => assert.equal(isKeyValidAt(validity, Date.parse(at)), valid));
  }
});
