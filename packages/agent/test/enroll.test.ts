/** Enrolment over real TLS: who is trusted, what is written, and what a second run does (T-08). */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { EnrollRequestSchema, type HostPaths, hostPaths, TrustSchema } from '@holdfast/api';
import { hasCode } from '@holdfast/core';
import { signerFromSeed, verifyEd25519 } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { subjectPublicKeyInfo } from '../src/certificate-request.ts';
import { enrollHost, enrollmentProofText } from '../src/enroll.ts';
import { parseTokenFingerprint } from '../src/enrollment-token.ts';
import { fingerprintOf } from '../src/pinned-ca.ts';
import { ControlPlane } from './control-plane.ts';
import { publicKeyOfRequest, TestCa } from './test-ca.ts';

const signal = AbortSignal.timeout(60_000);
const SECRET = 's'.repeat(43);
const tokenFor = (ca: TestCa): string => `hf1.${SECRET}.${fingerprintOf(new X509Certificate(ca.certificatePem))}`;
const logSigner = signerFromSeed(new Uint8Array(32).fill(9));

interface Enrolment {
  readonly requests: ReturnType<typeof EnrollRequestSchema.parse>[];
}

/** Answers enrolments like the server: the same keys get the same host id. */
function enrolling(
  plane: ControlPlane,
  change: (answer: Record<string, unknown>) => object = (answer) => answer,
): Enrolment {
  const requests: Enrolment['requests'] = [];
  plane.intercept = (path, body) => {
    if (path !== '/api/v1/enroll') return undefined;
    const request = EnrollRequestSchema.parse(JSON.parse(body));
    requests.push(request);
    const trust = {
      version: 1,
      orgId: 'org-1',
      siteId: 'site-1',
      hostId: `host-${Buffer.from(request.hostPublicKey, 'base64').toString('hex').slice(0, 8)}`,
      hostName: request.hostName,
      serverUrl: plane.url,
      caPem: plane.ca.certificatePem,
      logOrigin: 'holdfast.test/org-1',
      keys: [
        {
          keyId: logSigner.keyId,
          publicKey: Buffer.from(logSigner.publicKey).toString('base64'),
          purposes: ['log', 'order', 'baseline'],
          validFrom: '2026-01-01T00:00:00.000Z',
          validTo: null,
        },
      ],
    };
    return { status: 200, body: change({ trust, certificatePem: plane.ca.issueFor(request.csrPem) }) };
  };
  return { requests };
}

function enrol(
  t: TestContext,
  plane: ControlPlane,
  token: string,
  root = temporaryDirectory(t),
): { paths: HostPaths; done: ReturnType<typeof enrollHost>; root: string } {
  const paths = hostPaths(root);
  const done = enrollHost(
    {
      paths,
      serverUrl: plane.url,
      token,
      hostName: 'web-1',
      platform: { distribution: 'debian', version: '12', kernel: '6.1' },
      simulated: true,
      agentUid: process.getuid?.() ?? 0,
      agentGid: process.getgid?.() ?? 0,
      labels: { role: 'web' },
    },
    signal,
  );
  return { paths, done, root };
}

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

describe('enrolment', () => {
  it('T-08: goes on by the address that it enrolled by, whatever the server calls itself', async (t) => {
    await using plane = await ControlPlane.start();
    enrolling(plane, (answer) => ({
      ...answer,
      trust: { ...Object(answer['trust']), serverUrl: 'https://elsewhere.example:7443' },
    }));
    const { paths, done } = enrol(t, plane, tokenFor(plane.ca));
    assert.equal((await done).serverUrl, plane.url);
    assert.equal(TrustSchema.parse(JSON.parse(readFileSync(paths.trust, 'utf8'))).serverUrl, plane.url);
  });

  it('T-08: proves the host key, gets a certificate for its own TLS key, and writes what the daemons read', async (t) => {
    await using plane = await ControlPlane.start();
    const { requests } = enrolling(plane);
    const { paths, done } = enrol(t, plane, tokenFor(plane.ca));
    const trust = await done;
    assert.deepEqual(TrustSchema.parse(JSON.parse(readFileSync(paths.trust, 'utf8'))), trust);

    const request = requests[0];
    assert.ok(request);
    const publicKey = Buffer.from(request.hostPublicKey, 'base64');
    const proof = Buffer.from(request.proof, 'base64');
    assert.ok(verifyEd25519(publicKey, Buffer.from(enrollmentProofText(request.token, request.csrPem)), proof));
    assert.deepEqual(request.labels, { role: 'web' });

    const key = createPublicKey(createPrivateKey(readFileSync(paths.tlsKey, 'utf8')));
    assert.deepEqual(subjectPublicKeyInfo(publicKeyOfRequest(request.csrPem)), subjectPublicKeyInfo(key));
    assert.ok(
      new X509Certificate(readFileSync(paths.tlsCertificate)).verify(
        new X509Certificate(plane.ca.certificatePem).publicKey,
      ),
    );
    assert.deepEqual(
      [paths.hostKey, paths.tlsKey, paths.trust, paths.guardState, paths.agentState, paths.evidence].map(modeOf),
      ['600', '600', '644', '700', '700', '750'],
    );
    assert.ok(existsSync(paths.agentConfig));
    assert.ok(existsSync(paths.guardConfig));
  });

  it('T-08: a second run with the same token keeps both keys and the host id', async (t) => {
    await using plane = await ControlPlane.start();
    const { requests } = enrolling(plane);
    const first = enrol(t, plane, tokenFor(plane.ca));
    const before = await first.done;
    const keys = [first.paths.hostKey, first.paths.tlsKey].map((path) => readFileSync(path, 'utf8'));
    const after = await enrol(t, plane, tokenFor(plane.ca), first.root).done;
    assert.equal(after.hostId, before.hostId);
    assert.deepEqual(
      [first.paths.hostKey, first.paths.tlsKey].map((path) => readFileSync(path, 'utf8')),
      keys,
    );
    assert.equal(requests[0]?.hostPublicKey, requests[1]?.hostPublicKey);
  });

  it('T-08: an answer that is lost is asked for again with the same keys', async (t) => {
    await using plane = await ControlPlane.start();
    const { requests } = enrolling(plane);
    const answer = plane.intercept;
    let isFirst = true;
    plane.intercept = (path, body, request) => {
      const result = answer(path, body, request);
      if (!isFirst) return result;
      isFirst = false;
      return 'reset';
    };
    await enrol(t, plane, tokenFor(plane.ca)).done;
    assert.equal(requests.length, 2);
    assert.equal(requests[0]?.csrPem, requests[1]?.csrPem);
  });

  it('T-08: a server under another CA never sees the token', async (t) => {
    await using impostor = await ControlPlane.start();
    enrolling(impostor);
    const { paths, done } = enrol(t, impostor, tokenFor(new TestCa()));
    await assert.rejects(done, (error) => hasCode(error, 'ERR_AGENT_SERVER_UNTRUSTED'));
    assert.equal(impostor.requests, 0);
    assert.ok(!existsSync(paths.trust));
  });

  it('T-08: a server that only shows the right CA, without a certificate from it, never sees the token', async (t) => {
    const real = new TestCa();
    const other = new TestCa();
    const forged = other.issueServer();
    const certificate = { ...forged, certificatePem: forged.certificatePem + real.certificatePem };
    await using impostor = await ControlPlane.start({ ca: other, certificate });
    enrolling(impostor);
    await assert.rejects(enrol(t, impostor, tokenFor(real)).done, (error) =>
      hasCode(error, 'ERR_AGENT_AUTHENTICATION'),
    );
    assert.equal(impostor.requests, 0);
  });

  it('T-08: a leaf whose key matches the fingerprint is no CA', async (t) => {
    const ca = new TestCa();
    const leaf = ca.issueServer();
    await using plane = await ControlPlane.start({ ca, certificate: leaf });
    const token = `hf1.${SECRET}.${fingerprintOf(new X509Certificate(leaf.certificatePem))}`;
    await assert.rejects(enrol(t, plane, token).done, (error) => hasCode(error, 'ERR_AGENT_SERVER_UNTRUSTED'));
  });

  it('T-08: an answer with another CA or a certificate for another key is refused, and nothing counts as enrolled', async (t) => {
    const stranger = new TestCa();
    const lies: ((answer: Record<string, unknown>) => object)[] = [
      (answer) => ({ ...answer, trust: { ...(answer['trust'] as object), caPem: stranger.certificatePem } }),
      (answer) => ({ ...answer, certificatePem: stranger.issueServer().certificatePem }),
      (answer) => ({ ...answer, certificatePem: (answer['trust'] as { caPem: string }).caPem }),
    ];
    for (const lie of lies) {
      await using plane = await ControlPlane.start();
      enrolling(plane, lie);
      const { paths, done } = enrol(t, plane, tokenFor(plane.ca));
      await assert.rejects(done, (error) => hasCode(error, 'ERR_AGENT_SERVER_UNTRUSTED'));
      assert.ok(!existsSync(paths.trust));
    }
  });

  it('T-08: a used or expired token is refused by the server, once', async (t) => {
    await using plane = await ControlPlane.start();
    plane.intercept = () => ({ status: 403, body: { code: 'ERR_TOKEN_USED' } });
    await assert.rejects(enrol(t, plane, tokenFor(plane.ca)).done, (error) =>
      hasCode(error, 'ERR_AGENT_AUTHENTICATION'),
    );
    assert.equal(plane.requests, 1);
  });

  it('T-08: what is no token is refused before anything is made', async (t) => {
    await using plane = await ControlPlane.start();
    const good = tokenFor(plane.ca);
    for (const token of [
      '',
      'hf1',
      good.slice(0, -1),
      `${good}a`,
      good.replace('hf1', 'hf2'),
      `${good}\n`,
      good.replace(SECRET, 'short'),
    ]) {
      assert.throws(
        () => parseTokenFingerprint(token),
        (error) => hasCode(error, 'ERR_AGENT_TOKEN_INVALID'),
        token,
      );
      const { paths, done } = enrol(t, plane, token);
      await assert.rejects(done, (error) => hasCode(error, 'ERR_AGENT_TOKEN_INVALID'));
      assert.ok(!existsSync(paths.hostKey));
    }
    assert.equal(plane.connections, 0);
  });
});
