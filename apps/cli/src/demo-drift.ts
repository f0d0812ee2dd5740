/**
 * The show of `up --demo`: once the hosts are good, breaks one thing after another for real, and
 * tells from the control plane's own API when it was seen and when it was mended (C-44).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HostSchema, type HostView, page } from '@holdfast/api';
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
];
const LOOK_MS = 500;
/** A guard against waiting for ever; not a promise. */
const MAX_WAIT_MS = 180_000;

export async function showDrift(lab: Lab, stateDirectory: string, signal: AbortSignal): Promise<void> {
  const client = openOperatorClient(stateDirectory, {}, signal);
  const look = async (): Promise<readonly HostView[]> => (await client.get('/hosts?limit=100', page(HostSchema))).items;
  const waitFor = async (seen: (hosts: readonly HostView[]) => boolean): Promise<number | null> => {
    const started = performance.now();
    while (performance.now() - started < MAX_WAIT_MS) {
      if (seen(await look())) return (performance.now() - started) / 1_000;
      await sleep(LOOK_MS, undefined, { signal });
    }
    return null;
  };
  const statusOf = (hosts: readonly HostView[], name: string, check: string): string | undefined =>
    hosts.find((host) => host.name === name)?.checks.find((entry) => entry.check === check)?.status;

  const ready = await waitFor(
    (hosts) => hosts.length === lab.hosts.length && hosts.every(({ state }) => state === 'good'),
  );
  if (ready === null) return narrate('the hosts did not become good in time: see `npx holdfast status`');
  narrate('every host is good: observed equals the signed baseline');
  for (const [index, { check, seed }] of ACTS.entries()) {
    const host = lab.hosts[index % lab.hosts.length];
    if (host === undefined) return;
    const drift = await lab.break(host, check, seed, signal);
    narrate(`BROKEN  ${host} ${check}: ${drift.description}`);
    const shown = await waitFor((hosts) => statusOf(hosts, host, check) === 'fail');
    narrate(
      shown === null
        ? `${check} was not seen in time`
        : `SEEN    ${host} ${check} drifts; shown after ${shown.toFixed(1)} s`,
    );
    const healed = await waitFor((hosts) => statusOf(hosts, host, check) === 'pass');
    narrate(
      healed === null
        ? `${check} was not healed in time`
        : `HEALED  ${host} ${check} passes again; after ${healed.toFixed(1)} s more`,
    );
  }
  narrate('now break something yourself: `npx holdfast lab break files --on web-2`; Ctrl-C ends it all');
}
