import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { encodeBase64, encodeEnvelope, sha256Hex, signEnvelope, signerFromSeed } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { PINNED, SIGNER } from '../test/baselines.ts';
import { NOW_MS } from '../test/in-memory-host.ts';
import {
  BASELINE_PAYLOAD_TYPE,
  type BaselineKey,
  type LoadedBaseline,
  loadBaseline,
  signBaseline,
  verifyBaseline,
} from './signed-baseline.ts';

const yamlFor = (hostId: string | null): string =>
  `version: 1\nname: web\n${hostId === null ? '' : `hostId: ${hostId}\n`}created: 2026-03-01T12:00:00.000Z\nchecks:\n  ports: {listening: []} # comment\n`;
const YAML = Buffer.from(yamlFor(null));
const SIGNED = signBaseline(YAML, SIGNER);
const codeOf = (loaded: LoadedBaseline): string => (loaded.ok ? 'ok' : loaded.code);

describe('signed baseline', () => {
  it('C-03: verifies, and its hash is that of the exact bytes', () => {
    const loaded = verifyBaseline(SIGNED, [PINNED], NOW_MS);
    assert.ok(loaded.ok);
    assert.equal(loaded.hash, sha256Hex(YAML));
    assert.equal(loaded.keyId, SIGNER.keyId);
    assert.equal(loaded.baseline.name, 'web');
  });

  const keys: { name: string; key: Partial<BaselineKey>; nowMs?: number }[] = [
    { name: 'another key', key: { publicKey: encodeBase64(signerFromSeed(new Uint8Array(32)).publicKey) } },
    { name: 'a key pinned for another purpose', key: { purposes: ['order', 'log'] } },
    { name: 'a key that is not valid yet', key: { validFrom: '2026-03-01T12:00:00.001Z' } },
    { name: 'a key that has ended', key: { validTo: '2026-03-01T12:00:00.000Z' } },
    { name: 'a key that is no key', key: { publicKey: '%%%' } },
    { name: 'a key of another length', key: { publicKey: 'AAAA' } },
  ];
  for (const { name, key } of keys) {
    it(`P-04: refuses with ${name}`, () => {
      assert.equal(codeOf(verifyBaseline(SIGNED, [{ ...PINNED, ...key }], NOW_MS)), 'ERR_BASELINE_UNTRUSTED');
    });
  }

  it('C-03: refuses without any key', () => {
    assert.equal(codeOf(verifyBaseline(SIGNED, [], NOW_MS)), 'ERR_BASELINE_UNTRUSTED');
  });

  it('C-03: refuses every single changed byte', () => {
    for (let index = 0; index < SIGNED.length; index += 1) {
      const changed = Uint8Array.from(SIGNED);
      changed[index] = (changed[index] ?? 0) ^ 1;
      assert.equal(verifyBaseline(changed, [PINNED], NOW_MS).ok, false, `byte ${index}`);
    }
  });

  it('C-03: refuses plain YAML, an empty file and an envelope of another type', () => {
    const other = encodeEnvelope(signEnvelope('application/vnd.in-toto+json', YAML, [SIGNER]));
    for (const bytes of [YAML, new Uint8Array(), other, new Uint8Array(3_000_000)]) {
      assert.equal(verifyBaseline(bytes, [PINNED], NOW_MS).ok, false);
    }
  });

  it('C-03: refuses what is signed but not valid, and does not sign it either', () => {
    const invalid = Buffer.from('version: 1\n');
    const signed = encodeEnvelope(signEnvelope(BASELINE_PAYLOAD_TYPE, invalid, [SIGNER]));
    assert.equal(codeOf(verifyBaseline(signed, [PINNED], NOW_MS)), 'ERR_BASELINE_INVALID');
    assert.throws(
      () => signBaseline(invalid, SIGNER),
      (error) => hasCode(error, 'ERR_BASELINE_INVALID'),
    );
  });

  it('C-03: one bound to a host is for that host alone', () => {
    const signed = signBaseline(Buffer.from(yamlFor('host-1')), SIGNER);
    assert.equal(codeOf(verifyBaseline(signed, [PINNED], NOW_MS, 'host-1')), 'ok');
    assert.equal(codeOf(verifyBaseline(signed, [PINNED], NOW_MS, 'host-2')), 'ERR_BASELINE_OTHER_HOST');
    assert.equal(codeOf(verifyBaseline(signed, [PINNED], NOW_MS)), 'ERR_BASELINE_OTHER_HOST');
    assert.equal(codeOf(verifyBaseline(SIGNED, [PINNED], NOW_MS, 'host-2')), 'ok');
  });

  it('C-03: loads from a file, and names what is missing', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'baseline.dsse.json');
    assert.equal(codeOf(await loadBaseline(path, [PINNED], NOW_MS)), 'ERR_BASELINE_MISSING');
    writeFileSync(path, SIGNED);
    assert.equal(codeOf(await loadBaseline(path, [PINNED], NOW_MS)), 'ok');
    writeFileSync(path, SIGNED.subarray(0, -1));
    assert.equal(codeOf(await loadBaseline(path, [PINNED], NOW_MS)), 'ERR_BASELINE_UNTRUSTED');
    symlinkSync(path, join(directory, 'link'));
    assert.equal(codeOf(await loadBaseline(join(directory, 'link'), [PINNED], NOW_MS)), 'ERR_BASELINE_MISSING');
    mkdirSync(join(directory, 'directory'));
    assert.equal(codeOf(await loadBaseline(join(directory, 'directory'), [PINNED], NOW_MS)), 'ERR_BASELINE_MISSING');
  });
});
