/**
 * Runs all checks of a host's own baseline again and again, in one process, as its agent does, and
 * prints what they came to as JSON (C-16). Run inside a lab host: `repeat-checks.ts ROUNDS`.
 */
import { readFileSync } from 'node:fs';
import { loadTrust } from '@holdfast/agent';
import { hostPaths } from '@holdfast/api';
import { runChecks } from '@holdfast/compliance';
import { loadHostBaseline, openHost } from '../apps/cli/src/host-wiring.ts';

/** proc_pid_stat(5): user and system time, our own and that of children we waited for, in ticks of 10 ms. */
function processorMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

const rounds = Number(process.argv[2]);
const { signal } = new AbortController();
const paths = hostPaths('/');
const host = await openHost('/');
const counts: Record<string, number> = {};
const bad: unknown[] = [];
const durationsMs: number[] = [];
const processorBeforeMs = processorMs();
for (let round = 0; round < rounds; round += 1) {
  const nowMs = host.clock.wallMs();
  const loaded = await loadHostBaseline(paths, loadTrust(paths), nowMs);
  const started = performance.now();
  const results = await runChecks(loaded, { host, nowMs }, signal);
  durationsMs.push(performance.now() - started);
  for (const { status, findings } of results) {
    counts[status] = (counts[status] ?? 0) + 1;
    if (status !== 'pass') bad.push(...findings.filter((finding) => finding.status !== 'pass'));
  }
}
const cpuMs = (processorMs() - processorBeforeMs) / rounds;
durationsMs.sort((a, b) => a - b);
const at = (part: number): number => Math.round(durationsMs[Math.floor((durationsMs.length - 1) * part)] ?? 0);
const spread = { medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
console.log(JSON.stringify({ rounds, counts, bad: bad.slice(0, 5), cpuMs, ...spread }));
