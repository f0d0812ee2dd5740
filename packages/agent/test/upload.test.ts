/** The queue drained over real TLS, with everything that goes wrong on the way (C-32 to C-34). */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { MAX_INGEST_BUNDLES, MAX_INGEST_BYTES } from '@holdfast/api';
import { formatUuidV7, hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { generateTlsKey } from '../src/certificate-request.ts';
import { HealthRegistry } from '../src/health.ts';
import { MAX_REFUSALS, openQueue, type Queue } from '../src/queue.ts';
import { withRetry } from '../src/retry.ts';
import { connectServer } from '../src/server-client.ts';
import { openTlsTransport } from '../src/transport.ts';
import { drainQueue, reportQueue, type UploaderDeps } from '../src/uploader.ts';
import { ControlPlane } from './control-plane.ts';
import { VirtualTime } from './virtual-time.ts';

const signal = AbortSignal.timeout(120_000);
const idOf = (seq: number): string => {
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(4, seq);
  return formatUuidV7(1_767_000_000_000, random);
};

class Drain {
  readonly time = new VirtualTime();
  readonly queue: Queue;
  readonly health: HealthRegistry;
  readonly evidence: string;
  readonly deps: UploaderDeps;
  readonly ids: string[] = [];

  constructor(t: TestContext, plane: ControlPlane, timeoutMs = 10_000) {
    const directory = temporaryDirectory(t);
    this.evidence = join(directory, 'evidence');
    mkdirSync(this.evidence);
    this.queue = openQueue(join(directory, 'queue.sqlite'), { wallMs: () => this.time.wallMs, random: () => 0.5 });
    this.health = new HealthRegistry(this.time.clock);
    const keyPem = generateTlsKey();
    const identity = { keyPem, certificatePem: plane.ca.issueForKey(keyPem) };
    const transport = openTlsTransport({ serverUrl: plane.url, caPem: plane.ca.certificatePem, identity, timeoutMs });
    t.after(() => {
      transport.close();
      this.queue.close();
    });
    const server = connectServer(
      withRetry(transport, () => Promise.resolve()),
      (own) => transport.probe(own),
    );
    this.deps = { queue: this.queue, server, health: this.health, evidenceDirectory: this.evidence };
  }

  /** Makes bundles of `bytes` bytes, all distinct, and queues them. */
  add(count: number, bytes = 400): void {
    const items = Array.from({ length: count }, (_, index) => {
      const seq = this.ids.length + index + 1;
      const path = join(this.evidence, `${seq}.json`);
      writeFileSync(path, `${seq}`.padEnd(bytes, ' '));
      return { seq, bundleId: idOf(seq), path };
    });
    this.ids.push(...items.map(({ bundleId }) => bundleId));
    this.queue.enqueue(items, this.ids.length);
  }

  run(): Promise<void> {
    return drainQueue(this.deps, signal);
  }

  get conditions(): string[] {
    reportQueue(this.queue, this.health);
    return this.health.snapshot(this.queue.stats()).conditions.map(({ code }) => code);
  }
}

describe('uploading', () => {
  it('C-33: 10,000 queued bundles drain in less than a minute, oldest first, each once, with its receipt', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(10_000);
    const began = performance.now();
    await drain.run();
    const seconds = (performance.now() - began) / 1_000;
    t.diagnostic(`10,000 bundles in ${seconds.toFixed(1)} s`);
    assert.ok(seconds < 60);
    assert.deepEqual(plane.accepted, drain.ids);
    assert.equal(plane.requests, 10_000 / MAX_INGEST_BUNDLES);
    assert.equal(drain.queue.receipt(idOf(42))?.index, 41);
    assert.equal(drain.queue.stats().totalUploaded, 10_000);
  });

  it('C-33: the server stopped in the middle of a batch: all arrives exactly once afterwards', async (t) => {
    const first = await ControlPlane.start();
    const { ca, port } = first;
    const drain = new Drain(t, first);
    drain.add(700);
    let served = 0;
    first.intercept = (path) => {
      // The third batch is taken in, and its answer is lost.
      if (path.endsWith('/evidence') && ++served === 3) setImmediate(() => void first[Symbol.asyncDispose]());
      return undefined;
    };
    await assert.rejects(drain.run(), (error) => hasCode(error, 'ERR_AGENT_CONNECTION'));
    const { totalPending, dead } = drain.queue.stats();
    assert.ok(totalPending > 0);
    assert.equal(dead, 0);
    await using second = await ControlPlane.start({ ca, port });
    for (const [id, bytes] of first.bundles) second.bundles.set(id, bytes);
    second.accepted.push(...first.accepted);
    await drain.run();
    assert.deepEqual(second.accepted, drain.ids);
    assert.equal(drain.queue.stats().totalPending, 0);
  });

  it('C-33: an answer that is lost after the server took the batch makes duplicates, which count as delivered', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(3);
    let isFirst = true;
    const bundles = new Map<string, string>();
    plane.intercept = (_path, body) => {
      if (!isFirst) return undefined;
      isFirst = false;
      for (const { bundleId, envelope } of (JSON.parse(body) as { bundles: { bundleId: string; envelope: string }[] })
        .bundles) {
        bundles.set(bundleId, envelope);
        plane.bundles.set(bundleId, envelope);
        plane.accepted.push(bundleId);
      }
      return 'reset';
    };
    await drain.run();
    assert.deepEqual(plane.accepted, drain.ids);
    assert.equal(drain.queue.stats().totalUploaded, 3);
    assert.equal(bundles.size, 3);
  });

  it('C-32: a server that is away counts no try, however often', async (t) => {
    const plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(2);
    await plane[Symbol.asyncDispose]();
    for (let round = 0; round < 20; round++) await assert.rejects(drain.run());
    const { totalPending, readyForRetry, dead } = drain.queue.stats();
    assert.deepEqual({ totalPending, readyForRetry, dead }, { totalPending: 2, readyForRetry: 2, dead: 0 });
  });

  it('P-36: other bytes under the same id are dead at once and a critical condition', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(3);
    plane.bundles.set(idOf(2), 'b3RoZXI=');
    await drain.run();
    assert.deepEqual(plane.accepted, [idOf(1), idOf(3)]);
    assert.equal(drain.queue.stats().dead, 1);
    assert.deepEqual(drain.conditions, ['evidence-conflict', 'evidence-dead']);
  });

  it('C-32: a bundle the server rejects is dead after ten refusals and holds up nobody', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(3);
    plane.intercept = (_path, body) => {
      const { bundles } = JSON.parse(body) as { bundles: { bundleId: string }[] };
      const results = bundles.map(({ bundleId }) => ({
        bundleId,
        status: bundleId === idOf(2) ? 'rejected' : 'accepted',
        code: bundleId === idOf(2) ? 'ERR_SIGNATURE_INVALID' : null,
        index: null,
        leafHash: null,
        promise: null,
      }));
      return { status: 200, body: { results } };
    };
    for (let round = 1; round <= MAX_REFUSALS; round++) {
      await drain.run();
      assert.equal(drain.queue.stats().dead, round === MAX_REFUSALS ? 1 : 0);
      await drain.time.advance(3_700_000);
    }
    assert.equal(drain.queue.stats().totalUploaded, 2);
  });

  it('C-32: one bundle for which the server refuses whole batches is found by halving', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(100);
    plane.intercept = (_path, body) => (body.includes(idOf(37)) ? { status: 400 } : undefined);
    await drain.run();
    assert.deepEqual(
      plane.accepted,
      drain.ids.filter((id) => id !== idOf(37)),
    );
    const { totalPending, dead } = drain.queue.stats();
    assert.deepEqual({ totalPending, dead }, { totalPending: 1, dead: 0 });
  });

  it('C-34: refused as a host, the queue keeps everything and blames no bundle', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(5);
    plane.intercept = () => ({ status: 403 });
    for (let round = 0; round < 15; round++) {
      await assert.rejects(drain.run(), (error) => hasCode(error, 'ERR_AGENT_AUTHENTICATION'));
    }
    plane.intercept = () => ({ status: 200, body: 'nonsense' });
    for (let round = 0; round < 15; round++)
      await assert.rejects(drain.run(), (error) => hasCode(error, 'ERR_AGENT_PROTOCOL'));
    plane.intercept = () => undefined;
    await drain.run();
    assert.deepEqual(plane.accepted, drain.ids);
  });

  it('C-32: a bundle the answer does not mention is tried again later', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(2);
    plane.intercept = () => ({ status: 200, body: { results: [] } });
    await drain.run();
    assert.equal(drain.queue.stats().totalPending, 2);
    plane.intercept = () => undefined;
    await drain.time.advance(120_000);
    await drain.run();
    assert.deepEqual(plane.accepted, drain.ids);
  });

  it('C-34: batches stay below the limits of a request', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(9, 1_500_000);
    const sizes: number[] = [];
    plane.intercept = (_path, body) => {
      sizes.push(body.length);
      return undefined;
    };
    await drain.run();
    assert.deepEqual(plane.accepted, drain.ids);
    assert.ok(
      sizes.every((size) => size <= MAX_INGEST_BYTES),
      sizes.join(' '),
    );
    assert.ok(sizes.length < 5);
  });

  it('P-30: a missing file is lost and a critical condition, a path outside the store is never read', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(2);
    rmSync(join(drain.evidence, '1.json'));
    drain.queue.enqueue(
      [
        { seq: 3, bundleId: idOf(3), path: '../queue.sqlite' },
        { seq: 4, bundleId: idOf(4), path: '/etc/passwd' },
      ],
      4,
    );
    await drain.run();
    assert.deepEqual(plane.accepted, [idOf(2)]);
    assert.equal(drain.queue.stats().lost, 3);
    assert.equal(drain.health.snapshot(drain.queue.stats()).queue.stuck, 3);
    assert.ok(drain.conditions.includes('evidence-lost'));
  });

  it('C-30, P-30: evidence that cannot be read is critical, counts as stuck, and arrives once it can be read', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(3);
    const [first, second] = [join(drain.evidence, '1.json'), join(drain.evidence, '2.json')];
    rmSync(first);
    mkdirSync(first); // EISDIR, as EIO is
    chmodSync(second, 0o000); // EACCES, but not for root
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) chmodSync(join(drain.evidence, '..'), 0o711);
    if (isRoot) process.seteuid?.(65_534);
    try {
      await drain.run();
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    assert.deepEqual(plane.accepted, [idOf(3)]);
    assert.deepEqual(drain.conditions, ['evidence-unreadable']);
    const { conditions, queue, status } = drain.health.snapshot(drain.queue.stats());
    assert.equal(conditions[0]?.severity, 'critical');
    assert.deepEqual([queue.stuck, queue.totalPending, queue.dead], [2, 2, 0]);
    assert.equal(status, 'failing');
    rmSync(first, { recursive: true });
    writeFileSync(first, '1');
    chmodSync(second, 0o400);
    await drain.time.advance(120_000);
    // Read, and given back because nobody answered: it is stuck no more.
    plane.intercept = () => ({ status: 500 });
    await assert.rejects(drain.run(), (error) => hasCode(error, 'ERR_AGENT_CONNECTION'));
    assert.deepEqual(drain.conditions, []);
    plane.intercept = () => undefined;
    await drain.run();
    assert.deepEqual(plane.accepted, [idOf(3), idOf(1), idOf(2)]);
    assert.equal(drain.health.snapshot(drain.queue.stats()).queue.stuck, 0);
  });

  it('C-30: a bundle that was refused is shown until it is taken or dead', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(1);
    const refusal = { bundleId: idOf(1), status: 'rejected', code: 'X', index: null, leafHash: null, promise: null };
    plane.intercept = () => ({ status: 200, body: { results: [refusal] } });
    await drain.run();
    assert.deepEqual(drain.conditions, ['evidence-refused']);
    plane.intercept = () => undefined;
    await drain.time.advance(120_000);
    await drain.run();
    assert.deepEqual(drain.conditions, []);
  });

  it('C-34: a bundle no request can carry is dead without being sent', async (t) => {
    await using plane = await ControlPlane.start();
    const drain = new Drain(t, plane);
    drain.add(1, MAX_INGEST_BYTES);
    drain.add(1);
    await drain.run();
    assert.deepEqual(plane.accepted, [idOf(2)]);
    assert.equal(drain.queue.stats().dead, 1);
  });
});
