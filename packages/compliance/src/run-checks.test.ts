import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FindingSchema } from '@holdfast/evidence';
import { z } from 'zod';
import { captureAll, checksIn, loadedFrom, neverAborted } from '../test/baselines.ts';
import { goodParts, inMemoryHost, NOW_MS, unreadable } from '../test/in-memory-host.ts';
import type { Baseline, BaselineException } from './baseline.ts';
import type { Check } from './check.ts';
import { CHECKS } from './checks.ts';
import { fail, pass } from './finding.ts';
import { runChecks } from './run-checks.ts';
import type { LoadedBaseline } from './signed-baseline.ts';

const DAY_MS = 86_400_000;

const checkThat = (name: string, run: Check['run'], timeoutMs = 5_000): Check => ({
  name,
  title: name,
  expectation: z.strictObject({}),
  timeoutMs,
  run,
});

/** A baseline that has a section for each of these checks. */
function loadedFor(checks: readonly Check[], more: Partial<Baseline> = {}): LoadedBaseline {
  const section = { severity: null, controls: {}, remediation: 'auto', expectation: {} } as const;
  return {
    ok: true,
    hash: 'a'.repeat(64) as never, // only shown
    keyId: 'test',
    baseline: {
      version: 1,
      name: 'test',
      hostId: null,
      created: '2026-03-01T12:00:00.000Z',
      sections: new Map(checks.map(({ name }) => [name, section])),
      customChecks: [],
      exceptions: [],
      ...more,
    },
  };
}

async function runOnly(check: Check, more: Partial<Baseline> = {}, signal = neverAborted) {
  const host = inMemoryHost(goodParts());
  const options = { checks: new Map([[check.name, check]]) };
  const [result] = await runChecks(loadedFor([check], more), { host, nowMs: NOW_MS }, signal, options);
  assert.ok(result);
  for (const finding of result.findings) FindingSchema.parse(finding);
  return result;
}

const nothing = { observed: null, expected: null };

/** As many findings that pass as findings that do not. */
const many = (count: number, diff: string | null) =>
  checkThat('many', async () => [
    ...Array.from({ length: count }, (_, i) => pass('ok', `good ${i}`, 'as expected', nothing)),
    ...Array.from({ length: count }, (_, i) =>
      fail('high', 'bad', `bad ${i}`, 'not as expected', { observed: 'x'.repeat(100), expected: null, diff }),
    ),
  ]);

describe('runChecks', () => {
  it('C-06: one that throws is an error, and its text stays out', async () => {
    const result = await runOnly(checkThat('throws', () => Promise.reject(new Error('password=1'))));
    assert.equal(result.status, 'error');
    assert.ok(!JSON.stringify(result).includes('password'));
  });

  it('C-06: one that throws before its first await is an error, too', async () => {
    const check = checkThat('throws', () => {
      throw new RangeError('now');
    });
    assert.equal((await runOnly(check)).status, 'error');
  });

  it('C-06: one that hangs is an error after its own time, and the others do not wait', async () => {
    const hangs = checkThat('hangs', () => new Promise(() => undefined), 30);
    const fine = checkThat('fine', async () => [pass('ok', 'x', 'fine', nothing)]);
    const host = inMemoryHost(goodParts());
    const results = await runChecks(loadedFor([hangs, fine]), { host, nowMs: NOW_MS }, neverAborted, {
      checks: new Map([hangs, fine].map((check) => [check.name, check])),
    });
    assert.deepEqual(
      results.map(({ status }) => status),
      ['error', 'pass'],
    );
    assert.equal(results[0]?.findings[0]?.kind, 'check-timeout');
    const tookMs = results.map(({ startedMs, endedMs }) => endedMs - startedMs);
    assert.ok((tookMs[0] ?? 0) >= 25 && (tookMs[1] ?? 99) < 25, `took ${tookMs.join()} ms`); // C-15
  });

  it('C-06: an aborted run ends at once, without passing', async () => {
    const controller = new AbortController();
    controller.abort();
    const result = await runOnly(
      checkThat('slow', () => new Promise(() => undefined)),
      {},
      controller.signal,
    );
    assert.equal(result.findings[0]?.kind, 'check-aborted');
    assert.equal(result.status, 'error');
  });

  it('C-06: nothing found is unknown', async () => {
    assert.equal((await runOnly(checkThat('empty', async () => []))).status, 'unknown');
  });

  it('C-06: the status is the worst and the severity the highest of the findings', async () => {
    const check = checkThat('mixed', async () => [
      pass('ok', 'a', 'a', nothing),
      fail('critical', 'bad', 'b', 'b', nothing),
      fail('low', 'bad', 'c', 'c', nothing),
    ]);
    const result = await runOnly(check);
    assert.equal(result.status, 'fail');
    assert.equal(result.severity, 'critical');
  });

  it('C-02: a platform nobody knows is not applicable, and says why', async () => {
    const host = inMemoryHost(goodParts(), { distribution: 'plan9', simulated: false });
    const loaded = loadedFrom(await captureAll(host));
    const results = await runChecks(loaded, { host, nowMs: NOW_MS }, neverAborted, { checks: checksIn(loaded) });
    assert.equal(results.length, 8);
    for (const result of results) {
      assert.equal(result.status, 'not_applicable');
      assert.match(result.findings[0]?.message ?? '', /plan9/);
    }
  });

  it('C-03: without a valid baseline every check is unknown', async () => {
    const refused: LoadedBaseline = { ok: false, code: 'ERR_BASELINE_MISSING', reason: 'there is none' };
    const results = await runChecks(refused, { host: inMemoryHost(goodParts()), nowMs: NOW_MS }, neverAborted);
    assert.deepEqual(
      results.map(({ check, status }) => [check, status]),
      [...CHECKS.keys()].map((name) => [name, 'unknown']),
    );
  });

  it('C-03: a check without a section is not applicable, never good', async () => {
    const check = checkThat('unasked', async () => [pass('ok', 'x', 'x', nothing)]);
    assert.equal((await runOnly(check, { sections: new Map() })).status, 'not_applicable');
  });

  it('C-18: a failure nobody knows how to mend needs a person', async () => {
    const result = await runOnly(checkThat('odd', async () => [fail('low', 'constructor', 'x', 'x', nothing)]));
    assert.equal(result.findings[0]?.remediation, null);
  });

  it('C-26: what the baseline says is never remedied needs a person', async () => {
    const check = checkThat('svc', async () => [fail('low', 'service-inactive', 'a.service', 'x', nothing)]);
    const section = { severity: null, controls: {}, expectation: {} };
    const remediationWith = async (remediation: 'auto' | 'ask' | 'window-only' | 'never') =>
      (await runOnly(check, { sections: new Map([['svc', { ...section, remediation }]]) })).findings[0]?.remediation;
    assert.equal(await remediationWith('never'), null);
    for (const policy of ['auto', 'ask', 'window-only'] as const) {
      assert.deepEqual(await remediationWith(policy), { operation: 'services.restart', params: { unit: 'a.service' } });
    }
  });

  it('C-03: the baseline overrides severity and controls', async () => {
    const check = checkThat('firewall', async () => [
      fail('low', 'odd', 'x', 'x', nothing),
      pass('ok', 'y', 'y', nothing),
    ]);
    const section = {
      severity: 'critical',
      controls: { hipaa: [], soc2: ['CC6.6'] },
      remediation: 'auto',
      expectation: {},
    } as const;
    const { findings } = await runOnly(check, { sections: new Map([['firewall', section]]) });
    assert.deepEqual(
      findings.map(({ severity }) => severity),
      ['critical', 'info'],
    );
    assert.deepEqual(findings[0]?.controls, {
      'cis-debian-12': ['4.1', '4.3'],
      'iso-27001': ['A.8.20', 'A.8.22'],
      soc2: ['CC6.6'],
    });
  });

  describe('exceptions', () => {
    const failing = checkThat('ports', async () => [
      fail('high', 'port-unexpected', 'tcp 0.0.0.0:80', 'open', nothing),
      fail('high', 'port-missing', 'tcp 0.0.0.0:22', 'closed', nothing),
    ]);
    const exception = (more: Partial<BaselineException>): BaselineException => ({
      check: 'ports',
      kind: null,
      subject: '*',
      reason: 'migration',
      owner: 'alice',
      risk: 'low',
      expires: new Date(NOW_MS + DAY_MS).toISOString(),
      ...more,
    });
    const statusesWith = async (more: Partial<BaselineException>): Promise<string[]> =>
      (await runOnly(failing, { exceptions: [exception(more)] })).findings.map(({ status }) => status);

    const cases: { name: string; more: Partial<BaselineException>; want: string[] }[] = [
      { name: 'covers the whole check', more: {}, want: ['excepted', 'excepted'] },
      { name: 'covers one subject', more: { subject: 'tcp 0.0.0.0:80' }, want: ['excepted', 'fail'] },
      { name: 'covers one kind', more: { kind: 'port-missing' }, want: ['fail', 'excepted'] },
      { name: 'of another check covers nothing', more: { check: 'files' }, want: ['fail', 'fail'] },
      { name: 'lapses at its end', more: { expires: new Date(NOW_MS).toISOString() }, want: ['fail', 'fail'] },
      {
        name: 'holds until just before',
        more: { expires: new Date(NOW_MS + 1).toISOString() },
        want: ['excepted', 'excepted'],
      },
      {
        name: 'of 90 days holds',
        more: { expires: new Date(NOW_MS + 90 * DAY_MS).toISOString() },
        want: ['excepted', 'excepted'],
      },
      {
        name: 'of more than 90 days holds not at all',
        more: { expires: new Date(NOW_MS + 90 * DAY_MS + 1).toISOString() },
        want: ['fail', 'fail'],
      },
    ];
    for (const { name, more, want } of cases) {
      it(`C-05: an exception ${name}`, async () => assert.deepEqual(await statusesWith(more), want));
    }

    it('C-05: an excepted finding stays visible and is not remedied', async () => {
      const { findings, status } = await runOnly(failing, { exceptions: [exception({})] });
      assert.equal(status, 'excepted');
      assert.match(findings[0]?.message ?? '', /^open \(excepted until .* by alice: migration\)$/);
      assert.equal(findings[0]?.remediation, null);
    });

    it('C-05: what is unknown is not excepted', async () => {
      const parts = goodParts();
      const host = inMemoryHost(parts);
      const loaded = loadedFrom(await captureAll(host));
      parts.broken.set('sockets.list', unreadable);
      assert.ok(loaded.ok);
      const withException = { ...loaded, baseline: { ...loaded.baseline, exceptions: [exception({})] } };
      const results = await runChecks(withException, { host, nowMs: NOW_MS }, neverAborted);
      assert.equal(results.find(({ check }) => check === 'ports')?.status, 'unknown');
    });
  });

  describe('the size of a report', () => {
    it('G-01: 10,000 findings come down to what the guard takes, and the rest is counted', async () => {
      const result = await runOnly(many(5_000, null));
      assert.ok(result.findings.length <= 200);
      assert.ok(Buffer.byteLength(JSON.stringify(result)) < 60 * 1024);
      const rest = result.findings.slice(-2).map(({ kind, observed }) => [kind, observed]);
      const shownBad = result.findings.filter(({ kind }) => kind === 'bad').length;
      assert.deepEqual(rest, [
        ['more-as-expected', 5_000],
        ['more-findings', 5_000 - shownBad],
      ]);
      assert.equal(result.status, 'fail');
    });

    it('G-01: large diffs give way before findings do', async () => {
      const result = await runOnly(many(10, 'd'.repeat(10_000)));
      assert.ok(Buffer.byteLength(JSON.stringify(result)) < 60 * 1024);
      assert.deepEqual(result.findings.filter(({ kind }) => kind === 'bad').length, 10);
      assert.ok(result.findings.some(({ diff }) => diff !== null));
    });
  });
});
