import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalJson, type ErrorCode, hasCode, isHoldfastError, type Json } from '@holdfast/core';
import { encodeEnvelope, signEnvelope } from '@holdfast/crypto';
import { hostSigner, otherSigner, sampleBundle, samplePredicate, STARTED } from '../test/sample.ts';
import { buildStatement, kindOf, parseStatement } from './build-statement.ts';
import { PAYLOAD_TYPE, type Predicate } from './statement.ts';
import { type EvidenceKeys, inspectBundle, verifyBundle } from './verify-bundle.ts';

const keys: EvidenceKeys = [hostSigner.publicKey];
const { bytes, digest } = sampleBundle();
const statement = buildStatement('check', samplePredicate());

/** Signs whatever the text, as a hostile host could. */
const sealText = (text: string, payloadType = PAYLOAD_TYPE): Uint8Array =>
  encodeEnvelope(signEnvelope(payloadType, Buffer.from(text), [hostSigner]));
const sealValue = (value: unknown): Uint8Array => sealText(canonicalJson(value as Json));

describe('statements', () => {
  it('P-07 P-26: names its subject and digests its post-state', () => {
    assert.deepEqual(statement.subject, [
      {
        name: 'host/host-1/firewall',
        // printf '{"rules":3}' | sha256sum
        digest: { sha256: '0aa1e590667f27ce86c7f10ff41692a7c02f419308d9e77e814d13953af989ab' },
      },
    ]);
    assert.equal(statement.predicateType, 'https://holdfast.dev/check/v1');
    assert.equal(kindOf(statement), 'check');
  });

  it('P-26: names the operation where there is no check, and the kind where there is neither', () => {
    const change = buildStatement('change', samplePredicate({ check: null, operation: 'services.restart' }));
    assert.equal(change.subject[0]?.name, 'host/host-1/services.restart');
    const order = buildStatement('order', samplePredicate({ check: null, outcome: 'rejected' }));
    assert.equal(order.subject[0]?.name, 'host/host-1/order');
  });

  const badPredicates: { name: string; kind: 'check' | 'change'; changes: Partial<Predicate> }[] = [
    { name: 'about both a check and an operation', kind: 'check', changes: { operation: 'x' } },
    { name: 'about neither', kind: 'change', changes: { check: null } },
    { name: 'that ends before it starts', kind: 'check', changes: { ended: '2020-01-01T00:00:00.000Z' } },
    { name: 'with a time in another spelling', kind: 'check', changes: { started: '2026-01-02T03:04:05Z' } },
    { name: 'with a host id that is none', kind: 'check', changes: { hostId: '../x' } },
    { name: 'with an excerpt beyond its limit', kind: 'check', changes: { actions: Array(201).fill(null) } },
  ];
  for (const { name, kind, changes } of badPredicates) {
    it(`P-26: refuses a predicate ${name}`, () => {
      assert.throws(
        () => buildStatement(kind, { ...samplePredicate(), ...changes }),
        (error) => hasCode(error, 'ERR_EVIDENCE_MALFORMED'),
      );
    });
  }

  it('P-06: survives its canonical form', () => {
    assert.deepEqual(parseStatement(Buffer.from(canonicalJson(statement))), statement);
  });
});

describe('verifyBundle', () => {
  it('P-32: gives the statement, the digest, the key and every check made', () => {
    const verified = verifyBundle(bytes, keys);
    assert.deepEqual(verified.statement, statement);
    assert.equal(verified.digest, digest);
    assert.equal(verified.keyId, hostSigner.keyId);
    assert.deepEqual(
      verified.steps.map(({ name, ok }) => [name, ok]),
      [
        ['envelope', true],
        ['signature', true],
        ['statement', true],
        ['key', true],
      ],
    );
  });

  const validity = { validFrom: '2026-01-01T00:00:00.000Z', validTo: '2026-02-01T00:00:00.000Z' };
  const { publicKey } = hostSigner;
  const refused: { name: string; bytes: Uint8Array; keys?: EvidenceKeys; step: string; code: ErrorCode }[] = [
    { name: 'nothing', bytes: new Uint8Array(), step: 'envelope', code: 'ERR_ENVELOPE_MALFORMED' },
    { name: 'no keys', bytes, keys: [], step: 'signature', code: 'ERR_SIGNATURE_INVALID' },
    { name: "another's key", bytes, keys: [otherSigner.publicKey], step: 'signature', code: 'ERR_SIGNATURE_INVALID' },
    {
      name: 'another payload type',
      bytes: sealText('{}', 'text/plain'),
      step: 'signature',
      code: 'ERR_SIGNATURE_INVALID',
    },
    { name: 'a payload that is not JSON', bytes: sealText('no'), step: 'statement', code: 'ERR_EVIDENCE_MALFORMED' },
    { name: 'another JSON', bytes: sealText('{}'), step: 'statement', code: 'ERR_EVIDENCE_MALFORMED' },
    {
      name: 'a lone surrogate',
      bytes: sealText(String.raw`{"a":"\ud800"}`),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'endless nesting',
      bytes: sealText('['.repeat(100_000)),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'deep nesting',
      bytes: sealText('['.repeat(5_000) + ']'.repeat(5_000)),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'JSON that is not canonical',
      bytes: sealText(`${canonicalJson(statement)} `),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'a repeated member',
      bytes: sealText(canonicalJson(statement).replace('{', '{"_type":"x",')),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'an unknown member',
      bytes: sealValue({ ...statement, extra: 1 }),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'a subject of another host',
      bytes: sealValue({ ...statement, subject: [{ ...statement.subject[0], name: 'host/host-2/firewall' }] }),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'a subject with another digest',
      bytes: sealValue({ ...statement, subject: [{ ...statement.subject[0], digest: { sha256: '0'.repeat(64) } }] }),
      step: 'statement',
      code: 'ERR_EVIDENCE_MALFORMED',
    },
    {
      name: 'a key pinned for another host',
      bytes,
      keys: [{ publicKey, hostId: 'host-2' }],
      step: 'key',
      code: 'ERR_EVIDENCE_UNTRUSTED_KEY',
    },
    {
      name: 'a key that was not valid yet',
      bytes,
      keys: [{ publicKey, validity: { ...validity, validFrom: '2026-01-03T00:00:00.000Z' } }],
      step: 'key',
      code: 'ERR_EVIDENCE_UNTRUSTED_KEY',
    },
    {
      name: 'a key that was valid no more',
      bytes,
      keys: [{ publicKey, hostId: 'host-1', validity: { ...validity, validTo: STARTED } }],
      step: 'key',
      code: 'ERR_EVIDENCE_UNTRUSTED_KEY',
    },
  ];
  for (const { name, bytes: hostile, keys: pinned = keys, step, code } of refused) {
    it(`P-32: refuses ${name}, and says at which check`, () => {
      const verdict = inspectBundle(hostile, pinned);
      assert.ok(!verdict.ok);
      assert.equal(verdict.error.code, code);
      assert.deepEqual(
        verdict.steps.filter(({ ok }) => !ok).map((failed) => failed.name),
        [step],
      );
      assert.equal(verdict.steps.at(-1)?.name, step);
      assert.throws(() => verifyBundle(hostile, pinned), verdict.error);
    });
  }

  it('P-04: a key pinned for several intervals counts in each', () => {
    const later = { publicKey, validity: { validFrom: '2027-01-01T00:00:00.000Z', validTo: null } };
    assert.ok(inspectBundle(bytes, [later, { publicKey, hostId: 'host-1', validity }]).ok);
    assert.ok(!inspectBundle(bytes, [later]).ok);
  });

  it('P-32: one changed byte anywhere is refused', () => {
    for (let index = 0; index < bytes.length; index += 1) {
      const tampered = Uint8Array.from(bytes);
      tampered[index] = (tampered[index] ?? 0) ^ 0x01;
      assert.throws(() => verifyBundle(tampered, keys), isHoldfastError, `byte ${index}`);
    }
  });
});
