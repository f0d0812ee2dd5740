/**
 * P-12, P-19, P-26, C-35: a guard that is killed with -9 at random moments, over and over, while agents
 * seal, heal and deliver orders. Nothing that was acknowledged is lost, nothing is half done, and the
 * log verifies each time.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { randomBytes } from 'node:crypto';
import type { CheckReport, OrderReport } from '@holdfast/api';
import { verifyAuditLog } from '@holdfast/audit';
import { formatUuidV7, hasCode } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import { connectGuard, type GuardClient } from '../src/index.ts';
import { listEvidence, makeOrder, makeSite, signOrder, start, type TestSite } from './harness.ts';

const ROUNDS = 6;
const PROGRAM = new URL('guard-process.ts', import.meta.url).pathname;

function makeReport(): CheckReport {
  const now = new Date().toISOString();
  return {
    bundleId: formatUuidV7(Date.now(), randomBytes(10)),
    check: 'services',
    started: now,
    ended: now,
    severity: 'info',
    outcome: 'pass',
    findings: [],
    observed: null,
    clock: { status: 'sane', offsetMs: { value: 0 } },
    remediationId: null,
  };
}

interface Acknowledged {
  readonly bundles: Map<string, string>;
  readonly orders: Map<string, OrderReport>;
  /** Called after each acknowledgement. */
  onTold: () => void;
}

const untilGone = async (step: () => Promise<void>): Promise<void> => {
  for (;;) {
    try {
      await step();
    } catch (error) {
      if (hasCode(error, 'ERR_GUARD_UNREACHABLE')) return;
      throw error;
    }
  }
};

/** Asks until the guard is gone, and writes down what it was told. */
async function work(client: GuardClient, site: TestSite, told: Acknowledged, envelopes: string[]): Promise<void> {
  await Promise.all([
    untilGone(async () => {
      const report = makeReport();
      const { digest } = await client.seal(report);
      told.bundles.set(report.bundleId, digest);
      told.onTold();
    }),
    untilGone(async () => {
      const { bundleId, outcome } = await client.request({
        operation: 'services.restart',
        params: { path: `/etc/x${randomBytes(4).toString('hex')}` },
      });
      assert.equal(outcome, 'committed');
      assert.ok(bundleId);
      told.bundles.set(bundleId, '');
      told.onTold();
    }),
    untilGone(async () => {
      const envelope = signOrder(makeOrder(site, { params: { path: `/etc/o${envelopes.length}` } }));
      envelopes.push(envelope);
      told.orders.set(envelope, await client.order(envelope));
      told.onTold();
    }),
  ]);
}

describe('a guard that is killed', needs('linux'), () => {
  it('P-19: loses nothing it acknowledged, and leaves no change half done', async (t) => {
    const site = await makeSite(t);
    const told: Acknowledged = { bundles: new Map(), orders: new Map(), onTold: () => undefined };
    const envelopes: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const child = spawn(process.execPath, [PROGRAM, site.root], { stdio: ['ignore', 'pipe', 'pipe'] });
      t.after(() => child.kill('SIGKILL'));
      const exited = once(child, 'exit');
      await Promise.race([
        once(child.stdout, 'data'),
        exited.then(async () => assert.fail(`the guard did not start: ${String(child.stderr.read())}`)),
      ]);
      const client = connectGuard(site.paths.socket, new AbortController().signal);
      // Any moment: after a few acknowledgements, and then somewhere inside of what comes next.
      let left = 1 + Math.floor(Math.random() * 15);
      told.onTold = () => {
        left -= 1;
        if (left === 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * 25);
      };
      await work(client, site, told, envelopes);
      await exited;
      client[Symbol.dispose]();
      const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
      const isTornOnly = verdict.problems.every(({ fault }) => fault.includes('torn'));
      assert.ok(verdict.ok || isTornOnly, JSON.stringify(verdict));
    }

    const { client, stop } = await start(t, site);
    const changes = await client.changes(500);
    assert.ok(changes.every(({ state, outcome }) => state === 'ended' && outcome !== 'frozen'));
    for (const [envelope, report] of told.orders) assert.deepEqual(await client.order(envelope), report);
    // Unanswered ones: brought again, they have one effect and a final report.
    const finals = await Promise.all(envelopes.map(async (envelope) => client.order(envelope)));
    assert.ok(finals.every(({ outcome }) => outcome === 'done' || outcome === 'failed' || outcome === 'reverted'));
    const byOrder = new Set(finals.map(({ orderId }) => orderId));
    assert.equal(byOrder.size, envelopes.length);
    const outbox: string[] = [];
    for (
      let after = 0, page = await client.outbox(0, 1_000);
      page.items.length > 0;
      page = await client.outbox(after, 1_000)
    ) {
      outbox.push(...page.items.map(({ bundleId }) => bundleId));
      after = page.nextSeq;
    }
    await stop();

    const evidence = new Map((await listEvidence(site)).map((bundle) => [bundle.bundleId as string, bundle]));
    assert.ok(told.bundles.size + told.orders.size >= ROUNDS);
    for (const [bundleId, digest] of told.bundles) {
      const bundle = evidence.get(bundleId);
      assert.ok(bundle, `acknowledged and lost: ${bundleId}`);
      if (digest !== '') assert.equal(bundle.digest, digest);
    }
    assert.deepEqual(outbox.toSorted(), [...evidence.keys()].toSorted());
    const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
    assert.equal(verdict.ok, true, JSON.stringify(verdict));
  });
});
