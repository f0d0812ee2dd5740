/** `holdfast baseline capture` and what the guard makes of it, on a simulated host. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type HostPaths, hostPaths, type Trust } from '@holdfast/api';
import { parseBaseline, signBaseline } from '@holdfast/compliance';
import type { JsonObject } from '@holdfast/core';
import { signerFromSeed } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { capture } from './commands/baseline.ts';
import { loadGuardBaseline, openHost } from './host-wiring.ts';

const SIGNER = signerFromSeed(new Uint8Array(32).fill(7));
const TRUST: Trust = {
  version: 1,
  orgId: 'acme',
  siteId: 'berlin',
  hostId: 'host-1',
  hostName: 'host-1',
  serverUrl: 'https://localhost',
  caPem: '-',
  logOrigin: 'log.example/acme',
  keys: [
    {
      keyId: SIGNER.keyId,
      publicKey: Buffer.from(SIGNER.publicKey).toString('base64'),
      purposes: ['baseline'],
      validFrom: '2020-01-01T00:00:00.000Z',
      validTo: null,
    },
  ],
};
const never = new AbortController().signal;

async function captureYaml(root: string, options: object): Promise<string> {
  const { data } = await capture({ root, name: 'test', heal: true, ...options }, never);
  return (data as { yaml: string }).yaml;
}

async function install(t: TestContext, options: object): Promise<{ root: string; paths: HostPaths }> {
  const root = temporaryDirectory(t);
  const paths = hostPaths(root);
  const yaml = await captureYaml(root, options);
  mkdirSync(dirname(paths.baseline), { recursive: true });
  writeFileSync(paths.baseline, signBaseline(Buffer.from(yaml), SIGNER));
  return { root, paths };
}

describe('baseline capture', () => {
  it('C-23: a file that not everybody may read is kept as a copy beside the baseline, and restored from it', async (t) => {
    const path = '/etc/sudoers';
    const { root, paths } = await install(t, { file: [path] });
    const host = await openHost(root);
    const good = await host.files.stat(path, never);
    assert.ok(good.kind === 'file' && good.mode === '0440');
    const bytes = await host.files.read(path, 100_000, never);
    const blobs = join(paths.guardState, 'blobs');
    assert.deepEqual(readdirSync(blobs), [good.sha256]);
    assert.equal(statSync(join(blobs, good.sha256 ?? '')).mode & 0o777, 0o600);

    await host.files.write(
      path,
      { bytes: Buffer.from('ALL ALL=(ALL) NOPASSWD: ALL\n'), mode: '0666', uid: 0, gid: 0 },
      never,
    );
    const { operations } = await loadGuardBaseline(paths, TRUST, Date.now());
    const restore = operations.get('files.restore');
    assert.ok(restore);
    const params: JsonObject = { path };
    assert.equal((await restore.plan(params, host, never)).length, 1);
    await restore.apply(params, host, never);
    assert.equal((await restore.verify(params, host, never)).ok, true);
    assert.deepEqual(await host.files.stat(path, never), good);
    assert.deepEqual(Buffer.from(await host.files.read(path, 100_000, never)), Buffer.from(bytes));
  });

  it('C-23: a copy that was tampered with restores nothing', async (t) => {
    const path = '/etc/sudoers';
    const { root, paths } = await install(t, { file: [path] });
    const blobs = join(paths.guardState, 'blobs');
    for (const name of readdirSync(blobs)) writeFileSync(join(blobs, name), 'ALL ALL=(ALL) NOPASSWD: ALL\n');
    const host = await openHost(root);
    await host.files.remove(path, never);
    const { operations } = await loadGuardBaseline(paths, TRUST, Date.now());
    await assert.rejects(operations.get('files.restore')!.plan({ path }, host, never), {
      code: 'ERR_RESTORE_SOURCE_MISSING',
    });
  });

  it('C-15: TLS services are named by address and port', async (t) => {
    const root = temporaryDirectory(t);
    const yaml = await captureYaml(root, { certificatePort: ['10.0.0.1:443', '[::1]:8443'] });
    const parsed = parseBaseline(yaml);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.baseline.sections.get('certificates')?.expectation['ports'], [
      { address: '10.0.0.1', port: 443 },
      { address: '::1', port: 8443 },
    ]);
    for (const wrong of ['443', '10.0.0.1', 'host:443', '::1:443', '10.0.0.1:', '10.0.0.1:443 '])
      await assert.rejects(captureYaml(root, { certificatePort: [wrong] }), { code: 'ERR_INPUT_INVALID' }, wrong);
  });
});
