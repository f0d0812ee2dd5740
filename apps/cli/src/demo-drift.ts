/**
 * The show of `up --demo`: once the hosts are good, breaks one thing after another for real, and
 * tells from the control plane's own API what became of it (C-44). The last one no machine may mend
 * by itself: it stays an alert, and lowers the score, until it is put right.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HostSchema, type HostView, page, type Remediation, RemediationSchema, SummarySchema } from '@holdfast/api';
import type { BreakableCheck, Lab } from '@holdfast/lab';
import { narrate } from './progress.ts';
import { openOperatorClient } from './operator-client.ts';

interface Act {
  readonly check: BreakableCheck;
  readonly seed: number;
}

/** Each on the next host, round robin. */
const ACTS: readonly Act[] = [
  { check: 'firewall', seed: 1 },
  { check: 'services', seed: 1 },
  { check: 'files', seed: 1 },
  { check: 'ports', seed: 1 },
];
const LOOK_MS = 500;
/** Between two acts, so that a person can follow. */
const PAUSE_MS = 5_000;
/** How long the alert stands before the lab puts it right. */
const ALERT_MS = 20_000;
/** A guard against waiting for ever; not a promise. */
const MAX_WAIT_MS = 180_000;

const ENDED: ReadonlySet<Remediation['state']> = new Set(['fixed', 'reverted', 'failed', 'alert']);

export async function showDrift(lab: Lab, stateDirectory: string, signal: AbortSignal): Promise<void> {
  const client = openOperatorClient(stateDirectory, {}, signal);
  const hosts = async (): Promise<readonly HostView[]> =>
    (await client.get('/hosts?limit=100', page(HostSchema))).items;
  const score = async (): Promise<string> => {
    const summary = await client.get('/summary', SummarySchema);
    return summary.score === null ? 'no data' : `${summary.score.toFixed(1)} %`;
  };
  const waitFor = async <T>(look: () => Promise<T | undefined>): Promise<T | undefined> => {
    const started = performance.now();
    while (performance.now() - started < MAX_WAIT_MS) {
      const seen = await look();
      if (seen !== undefined) return seen;
      await sleep(LOOK_MS, undefined, { signal });
    }
    return undefined;
  };
  const findRemediation = async (
    host: string,
    check: string,
    known: ReadonlySet<string>,
  ): Promise<Remediation | undefined> => {
    const { items } = await client.get('/remediations', page(RemediationSchema));
    return items.find((item) => item.hostName === host && item.check === check && !known.has(item.remediationId));
  };

  const ready = await waitFor(async () => {
    const all = await hosts();
    return all.length === lab.hosts.length && all.every(({ state }) => state === 'good') ? true : undefined;
  });
  if (ready === undefined) return narrate('the hosts did not become good in time: see `npx holdfast status`');
  narrate(`every host is good: observed equals the signed baseline; score ${await score()}`);
  for (const [index, { check, seed }] of ACTS.entries()) {
    const host = lab.hosts[index % lab.hosts.length];
    if (host === undefined) return;
    await sleep(PAUSE_MS, undefined, { signal });
    const { items } = await client.get('/remediations', page(RemediationSchema));
    const known = new Set(items.map(({ remediationId }) => remediationId));
    const drift = await lab.break(host, check, seed, signal);
    const brokenAt = Date.now();
    narrate(`BROKEN  ${host} ${check}: ${drift.description}`);
    const ended = await waitFor(async () => {
      const found = await findRemediation(host, check, known);
      return found !== undefined && ENDED.has(found.state) ? found : undefined;
    });
    if (ended === undefined) {
      narrate(`${host} ${check} was not settled in time: see \`npx holdfast status\``);
      continue;
    }
    narrate(`        ${describe(ended, brokenAt)}; score ${await score()}`);
    if (ended.state !== 'alert') continue;
    await sleep(ALERT_MS, undefined, { signal });
    await lab.mend(host, check, signal);
    await waitFor(async () => ((await hosts()).every(({ state }) => state === 'good') ? true : undefined));
    narrate(`MENDED  ${host} ${check}, as a person would; score ${await score()}`);
  }
  narrate('now break something yourself: `npx holdfast lab break files --on web-2`; Ctrl-C ends it all');
}

const seconds = (from: number, to: number): string => Math.max(0, (to - from) / 1_000).toFixed(1);

/** `seen after 4.2 s, fixed 0.3 s later`. */
function describe({ history, state }: Remediation, brokenAt: number): string {
  const [first] = history;
  const last = history.findLast((entry) => entry.state === state);
  if (first === undefined || last === undefined) return state;
  const seen = Date.parse(first.at);
  const end = state === 'alert' ? 'needs a person' : state;
  return `seen after ${seconds(brokenAt, seen)} s, ${end} ${seconds(seen, Date.parse(last.at))} s later`;
}
