import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { type SigstorePolicy, verifySigstoreBundle } from './verify-sigstore-bundle.ts';

const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_REPORT_MALFORMED');

const vector = (name: string): Buffer => readFileSync(new URL(`../../vectors/sigstore/${name}`, import.meta.url));
const root = vector('trusted_root.json');
const bundle = vector('bundle.sigstore.json');
const policy: SigstorePolicy = {
  identity:
    'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main',
  issuer: 'https://token.actions.githubusercontent.com',
};
const changed = (from: string | RegExp, to: string): Buffer => {
  const text = bundle.toString().replace(from, to);
  assert.notEqual(text, bundle.toString());
  return Buffer.from(text);
};

describe('verifySigstoreBundle', () => {
  it('R-32: verifies a published bundle offline under the pinned root', () => {
    const { subject, predicateType } = verifySigstoreBundle(bundle, root, policy);
    assert.equal(subject[0]?.digest['sha256'], '70ed0277251d0cf2eb5eda8b574ce012de485e39a3de1fb4b1e0717e14b02d6a');
    assert.equal(predicateType, 'https://example.com/predicate/v1');
  });

  const other = { identity: `${policy.identity}2`, issuer: 'https://accounts.example' };
  const refused: { name: string; bundle?: Buffer; root?: Buffer; policy?: SigstorePolicy }[] = [
    { name: 'another identity', policy: { ...policy, identity: other.identity } },
    { name: 'a part of the identity', policy: { ...policy, identity: 'https://github.com/sigstore-conformance/' } },
    { name: 'an identity that is a pattern', policy: { ...policy, identity: '.*' } },
    { name: 'another issuer', policy: { ...policy, issuer: other.issuer } },
    { name: 'another payload', bundle: changed(/"payload": "eyJ/, '"payload": "eyK') },
    { name: 'another signature', bundle: changed(/"sig": "MEQCID/, '"sig": "MEQCIE') },
    { name: 'another time of logging', bundle: changed('"1778701653"', '"1778701654"') },
    { name: 'another path to the root of the log', bundle: changed('IjaVP', 'IjaVQ') },
    { name: 'another head of the log', bundle: changed('1403653554\\nL0o7', '1403653554\\nL0o8') },
    { name: 'another certificate', bundle: changed('MIIIMjCCB7ig', 'MIIIMjCCB7ih') },
    { name: 'no entry of the log', bundle: changed(/"tlogEntries": \[[^]*?\n {4}\]/, '"tlogEntries": []') },
    {
      name: 'a root without authorities',
      root: Buffer.from('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'),
    },
    { name: 'an empty file', bundle: Buffer.alloc(0) },
  ];
  for (const { name, ...given } of refused) {
    it(`R-34: refuses ${name}`, () =>
      assert.throws(
        () => verifySigstoreBundle(given.bundle ?? bundle, given.root ?? root, given.policy ?? policy),
        isRefusal,
      ));
  }
});
