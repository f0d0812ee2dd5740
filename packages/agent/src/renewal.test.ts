import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { MemoryServer } from '../test/agent-fixture.ts';
import { TestCa } from '../test/test-ca.ts';
import { generateTlsKey } from './certificate-request.ts';
import { isDueForRenewal, loadIdentity, type RenewalPaths, renewWhenDue } from './renewal.ts';

const { signal } = new AbortController();
const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 0, 2);

function make(t: TestContext): { ca: TestCa; paths: RenewalPaths; server: MemoryServer; keyPem: string } {
  const directory = temporaryDirectory(t);
  const paths = { tlsKey: join(directory, 'tls.key'), tlsCertificate: join(directory, 'tls.crt') };
  const ca = new TestCa();
  const keyPem = generateTlsKey();
  writeFileSync(paths.tlsKey, keyPem);
  writeFileSync(paths.tlsCertificate, ca.issueForKey(keyPem, { notBeforeMs: NOW, notAfterMs: NOW + 24 * HOUR }));
  const server = new MemoryServer();
  server.renew = async (csrPem?: string) =>
    ca.issueFor(String(csrPem), { notBeforeMs: NOW, notAfterMs: NOW + 48 * HOUR });
  return { ca, paths, server, keyPem };
}

describe('certificate renewal', () => {
  it('T-08: is due from half-life on, also after expiry', (t) => {
    const { paths } = make(t);
    const pem = readFileSync(paths.tlsCertificate, 'utf8');
    assert.equal(isDueForRenewal(pem, NOW + 12 * HOUR - 1_000), false);
    assert.equal(isDueForRenewal(pem, NOW + 12 * HOUR), true);
    assert.equal(isDueForRenewal(pem, NOW + 100 * HOUR), true);
  });

  it('T-08: swaps the certificate, keeps the key, and is quiet until the next half-life', async (t) => {
    const { paths, server, keyPem } = make(t);
    assert.equal(await renewWhenDue(paths, server, 'web-1', NOW, signal), null);
    const renewed = await renewWhenDue(paths, server, 'web-1', NOW + 13 * HOUR, signal);
    assert.deepEqual(renewed, loadIdentity(paths));
    assert.equal(renewed?.keyPem, keyPem);
    assert.equal(statSync(paths.tlsCertificate).mode & 0o777, 0o644);
    assert.equal(await renewWhenDue(paths, server, 'web-1', NOW + 13 * HOUR, signal), null);
  });

  it('T-08: a certificate for another key, or none at all, changes nothing on disk', async (t) => {
    const { ca, paths, server } = make(t);
    const before = readFileSync(paths.tlsCertificate, 'utf8');
    for (const answer of [ca.issueServer().certificatePem, 'nonsense']) {
      server.renew = async () => answer;
      await assert.rejects(renewWhenDue(paths, server, 'web-1', NOW + 13 * HOUR, signal), (error) =>
        hasCode(error, 'ERR_AGENT_PROTOCOL'),
      );
      assert.equal(readFileSync(paths.tlsCertificate, 'utf8'), before);
    }
  });

  it('T-08: without key or certificate the host is not enrolled', () => {
    const paths = { tlsKey: '/nonexistent/key', tlsCertificate: '/nonexistent/crt' };
    assert.throws(
      () => loadIdentity(paths),
      (error) => hasCode(error, 'ERR_AGENT_NOT_ENROLLED'),
    );
  });
});
