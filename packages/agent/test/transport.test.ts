/** The client over real TLS sockets (C-34). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateRequest, generateTlsKey } from '../src/certificate-request.ts';
import type { ServerPort } from '../src/ports.ts';
import { withRetry } from '../src/retry.ts';
import { connectServer } from '../src/server-client.ts';
import { openTlsTransport, type TlsTransport } from '../src/transport.ts';
import { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';
import { TestCa } from './test-ca.ts';

const signal = AbortSignal.timeout(60_000);

interface Client extends Disposable {
  readonly transport: TlsTransport;
  readonly server: ServerPort;
  /** Waits between tries, in order. */
  readonly waits: number[];
}

function clientOf(plane: ControlPlane, { ca = plane.ca, timeoutMs = 5_000, maxResponseBytes = 100_000 } = {}): Client {
  const keyPem = generateTlsKey();
  const transport = openTlsTransport({
    serverUrl: plane.url,
    caPem: ca.certificatePem,
    identity: { keyPem, certificatePem: plane.ca.issueForKey(keyPem) },
    timeoutMs,
    maxResponseBytes,
  });
  const waits: number[] = [];
  const retrying = withRetry(transport, async (ms) => {
    waits.push(ms);
  });
  const server = connectServer(retrying, (probeSignal) => transport.probe(probeSignal));
  return { transport, server, waits, [Symbol.dispose]: () => transport.close() };
}

const upload = (server: ServerPort): Promise<unknown> =>
  server.upload([{ bundleId: '019b7a00-0000-7000-8000-000000000000', envelope: 'AAAA' }], signal);

async function start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  return ControlPlane.start(options);
}

describe('the client', () => {
  it('C-34: speaks mutual TLS 1.3 and parses the answer', async () => {
    await using plane = await start();
    let protocol: string | null = null;
    plane.intercept = (_path, _body, request) => {
      protocol = (request.socket as unknown as { getProtocol(): string }).getProtocol();
      return undefined;
    };
    using client = clientOf(plane);
    assert.equal(((await upload(client.server)) as { status: string }[])[0]?.status, 'accepted');
    assert.equal(protocol, 'TLSv1.3');
    assert.equal(await client.transport.probe(signal), true);
  });

  it('C-34: a server with a certificate of another CA is refused without a retry', async () => {
    await using plane = await start();
    using client = clientOf(plane, { ca: new TestCa() });
    await assert.rejects(upload(client.server), (error) => hasCode(error, 'ERR_AGENT_AUTHENTICATION'));
    assert.equal(plane.requests, 0);
    assert.deepEqual(client.waits, []);
    assert.equal(await client.transport.probe(signal), false);
  });

  it('C-34: a server certificate for another name, or an expired one, is refused', async () => {
    const ca = new TestCa();
    const wrong = [
      ca.issueServer({ addresses: ['192.0.2.1'] }),
      ca.issueServer({ notBeforeMs: 1e12, notAfterMs: 1.1e12 }),
    ];
    for (const certificate of wrong) {
      await using plane = await start({ ca, certificate });
      using client = clientOf(plane);
      await assert.rejects(upload(client.server), (error) => hasCode(error, 'ERR_AGENT_AUTHENTICATION'));
      assert.equal(plane.requests, 0);
    }
  });

  it('C-34: a server that offers TLS 1.2 at most is refused', async () => {
    await using plane = await start({ maxVersion: 'TLSv1.2' });
    using client = clientOf(plane);
    await assert.rejects(upload(client.server), (error) => hasCode(error, 'ERR_AGENT_PROTOCOL'));
    assert.equal(plane.requests, 0);
  });

  it('C-34: 429 and 5xx are tried again after 1, 2 and 4 s, then given up as a connection error', async () => {
    for (const status of [429, 500, 503, 599]) {
      await using plane = await start();
      plane.intercept = () => ({ status });
      using client = clientOf(plane);
      await assert.rejects(upload(client.server), (error) => hasCode(error, 'ERR_AGENT_CONNECTION'));
      assert.deepEqual(client.waits, [1_000, 2_000, 4_000]);
      assert.equal(plane.requests, 4);
    }
  });

  it('C-34: Retry-After is honoured, and capped', async () => {
    await using plane = await start();
    const asked = ['7', '86400', 'soon'];
    plane.intercept = () => {
      const after = asked.shift();
      return after === undefined ? undefined : { status: 429, headers: { 'retry-after': after } };
    };
    using client = clientOf(plane);
    await upload(client.server);
    assert.deepEqual(client.waits, [7_000, 30_000, 4_000]);
  });

  it('C-34: other 4xx are not tried again; 401 and 403 are authentication, the rest protocol', async () => {
    const cases = [
      [400, 'ERR_AGENT_PROTOCOL'],
      [401, 'ERR_AGENT_AUTHENTICATION'],
      [403, 'ERR_AGENT_AUTHENTICATION'],
      [404, 'ERR_AGENT_PROTOCOL'],
      [413, 'ERR_AGENT_PROTOCOL'],
      [302, 'ERR_AGENT_PROTOCOL'],
    ] as const;
    for (const [status, code] of cases) {
      await using plane = await start();
      plane.intercept = () => ({ status, body: { code: 'ERR_SOMETHING', secret: 'x' } });
      using client = clientOf(plane);
      await assert.rejects(
        upload(client.server),
        (error) => hasCode(error, code) && error.fields['problem'] === 'ERR_SOMETHING',
      );
      assert.deepEqual(client.waits, []);
      assert.equal(plane.requests, 1);
    }
  });

  it('C-34: a connection that breaks is tried again', async () => {
    await using plane = await start();
    let breaks = 2;
    plane.intercept = () => (breaks-- > 0 ? 'reset' : undefined);
    using client = clientOf(plane);
    await upload(client.server);
    assert.deepEqual(client.waits, [1_000, 2_000]);
  });

  it('C-34: nobody listening is a connection error', async () => {
    const plane = await start();
    using client = clientOf(plane);
    await plane[Symbol.asyncDispose]();
    await assert.rejects(upload(client.server), (error) => hasCode(error, 'ERR_AGENT_CONNECTION'));
    assert.equal(client.waits.length, 3);
    assert.equal(await client.transport.probe(signal), false);
  });

  it('C-34: a server that does not answer is given up after the time-out', async () => {
    await using plane = await start();
    plane.intercept = () => 'hang';
    using client = clientOf(plane, { timeoutMs: 100 });
    await assert.rejects(
      upload(client.server),
      (error) => hasCode(error, 'ERR_AGENT_CONNECTION') && error.fields['reason'] === 'timeout',
    );
    assert.equal(plane.requests, 4);
  });

  it('C-34: an endless answer is cut off at its cap', async () => {
    await using plane = await start();
    plane.intercept = () => ({ status: 200, body: `"${'x'.repeat(200_000)}"` });
    using client = clientOf(plane);
    await assert.rejects(
      upload(client.server),
      (error) => hasCode(error, 'ERR_AGENT_PROTOCOL') && error.fields['maxBytes'] === 100_000,
    );
    assert.deepEqual(client.waits, []);
  });

  it('C-34: an answer of another shape is a protocol error', async () => {
    for (const body of ['', '[]', '{"results":[{"bundleId":"x"}]}', '{"results":[],"more":1}', '\u0000']) {
      await using plane = await start();
      plane.intercept = () => ({ status: 200, body });
      using client = clientOf(plane);
      await assert.rejects(upload(client.server), (error) => hasCode(error, 'ERR_AGENT_PROTOCOL'));
    }
  });

  it('C-34: an abort passes its reason through, and nothing is tried again', async () => {
    await using plane = await start();
    plane.intercept = () => 'hang';
    using client = clientOf(plane);
    const controller = new AbortController();
    const pending = client.server.renew('x', controller.signal);
    const reason = new Error('stop');
    controller.abort(reason);
    await assert.rejects(pending, (error) => error === reason);
  });

  it('C-34: at most ten connections, which are used again; a probe makes its own', async () => {
    await using plane = await start();
    using client = clientOf(plane);
    await Promise.all(Array.from({ length: 40 }, () => upload(client.server)));
    assert.ok(plane.connections <= 10, `${plane.connections} connections`);
    const before = plane.connections;
    await upload(client.server);
    assert.equal(plane.connections, before);
    await client.transport.probe(signal);
    assert.equal(plane.connections, before + 1);
  });

  it('C-34: a result the server does not want is an order error', async () => {
    await using plane = await start();
    plane.intercept = () => ({ status: 409 });
    using client = clientOf(plane);
    const result = { outcome: 'done', code: null, bundleId: null } as const;
    await assert.rejects(client.server.reportOrder('o/1', result, signal), (error) =>
      hasCode(error, 'ERR_AGENT_ORDER'),
    );
  });

  it('T-08: openssl accepts the certificate request', needs('openssl'), (t) => {
    const path = join(temporaryDirectory(t), 'request.pem');
    writeFileSync(path, createCertificateRequest(generateTlsKey(), 'host-1'));
    const { status, stdout, stderr } = spawnSync(
      'openssl',
      ['req', '-in', path, '-verify', '-noout', '-subject', '-utf8'],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
    assert.match(stdout + stderr, /verify OK/i);
    assert.match(stdout, /host-1/);
  });
});
