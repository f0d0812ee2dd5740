/**
 * C-15 in part: one run of the checks of files, ports and accounts against this machine's own state,
 * read only, with the processor time of this process and of every command it runs, held against the
 * budgets of the row for all checks. Those of units, logging and packet filter need a lab host.
 */
import { sha256Hex } from '@holdfast/crypto';
import { openLinuxHost } from '@holdfast/host-linux';
import { median, milliseconds } from '@holdfast/testing';
import { readFileSync } from 'node:fs';
import { captureBaseline, parseBaseline, runChecks } from '../src/index.ts';

const ROUNDS = 15;
const BUDGET_WALL_MS = 1_000;
const BUDGET_CPU_MS = 300;
/** proc_pid_stat(5) counts in USER_HZ, which is 100 on every Linux Node runs on. */
const TICK_MS = 10;

/** Processor time of this process and of its children that ended. */
function cpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  // Counted from behind the name: utime, stime, cutime, cstime are fields 14 to 17 of the line.
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
}

export async function bench() {
  const { signal } = new AbortController();
  const host = await openLinuxHost();
  const paths = ['/etc/passwd', '/etc/hostname', '/etc/fstab'];
  const wanted = { name: 'bench', nowMs: Date.now(), files: paths, ports: true, accounts: true };
  const yaml = await captureBaseline(host, wanted, signal);
  const parsed = parseBaseline(yaml);
  if (!parsed.ok) throw new Error('a captured baseline does not parse');
  const loaded = { ok: true, baseline: parsed.baseline, hash: sha256Hex(yaml), keyId: 'bench' } as const;
  const wallMs: number[] = [];
  let spentMs = 0;
  let compared = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const cpu = cpuMs();
    const startMs = performance.now();
    const results = await runChecks(loaded, { host, nowMs: Date.now() }, signal);
    if (round === 0) continue; // compiles what the others run
    wallMs.push(performance.now() - startMs);
    spentMs += cpuMs() - cpu;
    compared = results.filter(({ status }) => status === 'pass' || status === 'fail').length;
  }
  const name = `a run of ${compared} checks on this machine`;
  const cpuPerRunMs = spentMs / ROUNDS;
  return [
    {
      row: 'C-15',
      name: `${name}, median`,
      measured: milliseconds(median(wallMs)),
      against: `budget of ${milliseconds(BUDGET_WALL_MS)}`,
      ratio: median(wallMs) / BUDGET_WALL_MS,
      wanted: { atMost: 1 },
    },
    {
      row: 'C-15',
      name: `${name}, processor time with its commands`,
      measured: milliseconds(cpuPerRunMs),
      against: `budget of ${milliseconds(BUDGET_CPU_MS)}`,
      ratio: cpuPerRunMs / BUDGET_CPU_MS,
      wanted: { atMost: 1 },
    },
  ];
}
