/**
 * G-35, first figures: how long a caller waits for the guard over its socket, the durable audit
 * included, one at a time; and how many reports of checks it seals a second for 16 callers at once.
 * The peer is what one such wait cannot be shorter than: write and fdatasync of 512 bytes on the same
 * disk, taken in turns with the requests. A whole guard answers, on a simulated host.
 */
import type { CheckReport } from '@holdfast/api';
import { formatUuidV7, hasCode } from '@holdfast/core';
import { costOf, milliseconds, percentile, perSecond } from '@holdfast/testing';
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { makeSite, start } from '../test/harness.ts';

const ROUNDS = 300;
const WARM_UP = 30;
const CALLERS = 16;
const SEALS_PER_CALLER = 20;
/** G-35 at half of saturation; one caller at a time is below that. */
const BUDGET_P99_MS = 5;

const report = (): CheckReport => ({
  bundleId: formatUuidV7(Date.now(), randomBytes(10)),
  check: 'files',
  started: new Date().toISOString(),
  ended: new Date().toISOString(),
  severity: 'low',
  outcome: 'pass',
  findings: [],
  observed: { files: 1 },
  clock: { status: 'sane', offsetMs: { value: 3 } },
  remediationId: null,
});

export async function bench() {
  const cleanups: (() => unknown)[] = [];
  try {
    return await measure({ after: (fn: () => unknown) => void cleanups.push(fn) });
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}

const of = (all: readonly number[], percent: number): number => percentile(all.slice(WARM_UP), percent);
const both = (all: readonly number[]): string => `p50 ${milliseconds(of(all, 50))}, p99 ${milliseconds(of(all, 99))}`;

const timed = async (into: number[], work: () => unknown): Promise<void> => {
  const startMs = performance.now();
  await work();
  into.push(performance.now() - startMs);
};

async function measure(t: { after(fn: () => unknown): void }) {
  const site = await makeSite(t);
  const { client, stop } = await start(t, site);
  const bare = openSync(join(site.paths.guardState, 'bare'), 'w');
  const bytes = Buffer.alloc(512, 0x61);
  const decisionMs: number[] = [];
  const sealMs: number[] = [];
  const syncMs: number[] = [];
  // Denied by the policy: decided, in the audit log, answered.
  const ask = async (): Promise<void> => {
    const answer = await client.request({ operation: 'accounts.lock', params: {} }).catch((error: unknown) => error);
    if (!hasCode(answer, 'ERR_GUARD_DENIED')) throw new Error('the request was not denied', { cause: answer });
  };
  const sync = (): void => {
    writeSync(bare, bytes);
    fdatasyncSync(bare);
  };
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    await timed(decisionMs, ask);
    await timed(sealMs, () => client.seal(report()));
    await timed(syncMs, sync);
  }
  const syncs = await costOf(() => {
    for (let n = 0; n < CALLERS * SEALS_PER_CALLER; n++) sync();
  });
  const sealed = await costOf(() =>
    Promise.all(
      Array.from({ length: CALLERS }, async () => {
        for (let n = 0; n < SEALS_PER_CALLER; n++) await client.seal(report());
      }),
    ),
  );
  closeSync(bare);
  await stop();
  return [
    {
      row: 'G-35',
      name: 'decision (deny) over the socket',
      measured: both(decisionMs),
      against: `fdatasync, ${both(syncMs)} (median to median)`,
      ratio: of(decisionMs, 50) / of(syncMs, 50),
      wanted: null,
    },
    {
      row: 'G-35',
      name: 'decision (deny) over the socket, p99',
      measured: both(decisionMs),
      against: `budget of ${milliseconds(BUDGET_P99_MS)}`,
      ratio: of(decisionMs, 99) / BUDGET_P99_MS,
      wanted: { atMost: 1 },
    },
    {
      row: 'G-35',
      name: 'sealing one report of a check',
      measured: both(sealMs),
      against: `fdatasync, ${both(syncMs)} (median to median)`,
      ratio: of(sealMs, 50) / of(syncMs, 50),
      wanted: null,
    },
    {
      row: 'G-35',
      name: `sealing, ${CALLERS} callers`,
      measured: perSecond((CALLERS * SEALS_PER_CALLER) / sealed.wallS),
      against: `fdatasync, ${perSecond((CALLERS * SEALS_PER_CALLER) / syncs.wallS)}`,
      ratio: syncs.wallS / sealed.wallS,
      wanted: null,
    },
  ];
}
