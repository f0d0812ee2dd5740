/** `holdfast gate attestation` and `holdfast gate bill` on files of other tools. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { encodeEnvelope, publicKeyPem, sha256Hex, signEnvelope, type Signer, signerFromSeed } from '@holdfast/crypto';
import { buildCycloneDx, openDirectory, readPackages } from '@holdfast/scan';
import { temporaryDirectory } from '@holdfast/testing';
import { attestation } from '../src/commands/gate/attestation.ts';
import { bill } from '../src/commands/gate/bill.ts';

const VECTORS = join(import.meta.dirname, '../../../packages/gate/vectors/sigstore');
const REPOSITORY = join(import.meta.dirname, '../../..');
const BUILDER = signerFromSeed(Buffer.alloc(32, 7));
const STRANGER = signerFromSeed(Buffer.alloc(32, 8));
/** Who signed the published bundle. */
const IDENTITY =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main';
const ISSUER = 'https://token.actions.githubusercontent.com';
const PROVENANCE = 'https://slsa.dev/provenance/v1';

function signed(directory: string, artifact: string, signer: Signer): string {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'shop.tgz', digest: { sha256: sha256Hex(artifact) } }],
    predicateType: PROVENANCE,
    predicate: {},
  };
  const path = join(directory, 'shop.intoto.json');
  const payload = Buffer.from(JSON.stringify(statement));
  writeFileSync(path, encodeEnvelope(signEnvelope('application/vnd.in-toto+json', payload, [signer])));
  writeFileSync(join(directory, 'builder.pem'), publicKeyPem(BUILDER.publicKey));
  writeFileSync(join(directory, 'shop.tgz'), artifact);
  return path;
}

describe('holdfast gate attestation', () => {
  it('R-32: holds when a pinned key signed it, for these very bytes and of that type', (t) => {
    const directory = temporaryDirectory(t);
    const file = signed(directory, 'the archive', BUILDER);
    const [key, artifact] = [join(directory, 'builder.pem'), join(directory, 'shop.tgz')];
    const options = { key: [key], artifact: [artifact], predicateType: PROVENANCE };
    assert.equal(attestation(file, options).exitCode, 0);
    assert.equal(attestation(file, { ...options, predicateType: 'https://slsa.dev/provenance/v2' }).exitCode, 20);
    writeFileSync(artifact, 'another archive');
    assert.equal(attestation(file, options).exitCode, 20);
  });

  it('R-32: refuses what a stranger signed, and to guess whom to believe', (t) => {
    const directory = temporaryDirectory(t);
    const file = signed(directory, 'the archive', STRANGER);
    const key = [join(directory, 'builder.pem')];
    assert.throws(
      () => attestation(file, { key }),
      (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
    );
    for (const options of [{}, { trustedRoot: 'root.json' }, { key, trustedRoot: 'root.json' }])
      assert.throws(
        () => attestation(file, options),
        (error) => hasCode(error, 'ERR_CLI_USAGE'),
      );
  });

  it('R-32: verifies a public Sigstore bundle offline, under the pinned root and for nobody else', () => {
    const bundle = join(VECTORS, 'bundle.sigstore.json');
    const trust = { trustedRoot: join(VECTORS, 'trusted_root.json'), identity: IDENTITY, issuer: ISSUER };
    assert.equal(attestation(bundle, trust).exitCode, 0);
    assert.throws(
      () => attestation(bundle, { ...trust, identity: `${IDENTITY}x` }),
      (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
    );
  });
});

describe('holdfast gate bill', () => {
  it('R-26: holds for the bill of this tree, and finds one package more or less', async (t) => {
    const directory = temporaryDirectory(t);
    const { signal } = new AbortController();
    mkdirSync(join(directory, 'tree'));
    cpSync(join(REPOSITORY, 'package-lock.json'), join(directory, 'tree/package-lock.json'));
    cpSync(join(REPOSITORY, 'package.json'), join(directory, 'tree/package.json'));
    const tree = { directory: join(directory, 'tree') };
    const { packages } = await readPackages(openDirectory(tree.directory), () => false, signal);
    const write = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const subject = { name: 'shop', version: '1', nowMs: 0 };
    const whole = write('whole.json', buildCycloneDx(packages, subject));
    assert.equal((await bill(whole, tree, signal)).exitCode, 0);
    const less = await bill(write('less.json', buildCycloneDx(packages.slice(1), subject)), tree, signal);
    assert.deepEqual([less.exitCode, /not in the bill: pkg:npm/.test(less.text)], [20, true]);
    const text = readFileSync(whole, 'utf8').replaceAll('pkg:npm/zod@', 'pkg:npm/zod-of-others@');
    const other = await bill(write('other.json', text), tree, signal);
    assert.deepEqual([other.exitCode, /in no lockfile: pkg:npm\/zod-of-others/.test(other.text)], [20, true]);
  });
});
