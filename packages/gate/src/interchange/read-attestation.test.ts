import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { hasCode, isHoldfastError } from '@holdfast/core';
import { preAuthEncoding } from '@holdfast/crypto';
import * as fc from 'fast-check';
import { readAttestation } from './read-attestation.ts';
import { readSarif } from './read-sarif.ts';
import { readSbom } from './read-sbom.ts';

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_REPORT_MALFORMED');

const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'x.tgz', digest: { sha256: 'a'.repeat(64) } }],
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {},
};
const TYPE = 'application/vnd.in-toto+json';
const pairs = {
  ed25519: generateKeyPairSync('ed25519'),
  ecdsa: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
type Name = keyof typeof pairs;
const pem = (name: Name): string => pairs[name].publicKey.export({ type: 'spki', format: 'pem' });
const trust = (...names: Name[]) => ({ keys: new Map(names.map((name) => [name, pem(name)])) });
function envelope(names: readonly Name[], payload: Uint8Array = bytes(statement), type = TYPE) {
  const signed = preAuthEncoding(type, payload);
  const signatures = names.map((name) => ({
    keyid: 'a hint',
    sig: sign(name === 'ed25519' ? null : 'sha256', signed, pairs[name].privateKey).toString('base64'),
  }));
  return { payloadType: type, payload: Buffer.from(payload).toString('base64'), signatures };
}

describe('readAttestation', () => {
  for (const name of ['ed25519', 'ecdsa', 'rsa'] as const) {
    it(`R-32: reads what a pinned ${name} key signed`, () => {
      const read = readAttestation(bytes(envelope([name])), trust(name));
      assert.deepEqual(read, { statement, signedBy: [name] });
    });
  }

  it('R-34: one key that signed twice is one, and a stranger counts for nothing', () => {
    assert.deepEqual(readAttestation(bytes(envelope(['rsa', 'rsa', 'ecdsa'])), trust('rsa')).signedBy, ['rsa']);
    assert.throws(() => readAttestation(bytes(envelope(['rsa'])), trust('ecdsa')), isRefusal);
    assert.throws(() => readAttestation(bytes(envelope(['rsa'])), trust()), isRefusal);
  });

  it('R-34: refuses a payload that was changed, another type, and a statement about nothing', () => {
    const good = envelope(['ed25519']);
    const other = Buffer.from(JSON.stringify({ ...statement, predicateType: 'other' })).toString('base64');
    const nothing = bytes({ ...statement, subject: [] });
    for (const bad of [
      { ...good, payload: other },
      { ...good, payloadType: 'text/plain' },
      envelope(['ed25519'], bytes(statement), 'text/plain'),
      envelope(['ed25519'], nothing),
      { ...good, signatures: [] },
    ])
      assert.throws(() => readAttestation(bytes(bad), trust('ed25519')), isRefusal);
  });

  it('R-32: a pinned key that is private or no key is refused', () => {
    const secret = pairs.ed25519.privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const key of [secret, 'no key'])
      assert.throws(() => readAttestation(bytes(envelope(['ed25519'])), { keys: new Map([['k', key]]) }), isRefusal);
  });
});

describe('documents of strangers', () => {
  it('R-32: any bytes are read or refused, and a refusal quotes nothing of them', () => {
    const readers = [readSarif, readSbom, (input: Uint8Array) => readAttestation(input, { keys: new Map() })];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (input) => {
          for (const read of readers) assert.throws(() => read(input), isRefusal);
        },
      ),
    );
    try {
      readSarif(bytes({ version: 'hunter2', 'hunter2 key': 1 }));
      assert.fail('it was read');
    } catch (error) {
      assert.ok(isHoldfastError(error) && !JSON.stringify([error.message, error.fields]).includes('hunter2'));
    }
  });
});
