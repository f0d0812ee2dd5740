/** Every way a run can end, and which of two reasons counts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GroupUsage } from '../cgroup/control-groups.ts';
import type { LauncherEnd } from '../launcher/report.ts';
import { type Evidence, howEnded } from './how-ended.ts';

const exited: LauncherEnd = { exitCode: 0, signal: null, cpuMs: 5, peakMemoryBytes: 1 };
const by = (signal: string, cpuMs = 5): LauncherEnd => ({ exitCode: null, signal, cpuMs, peakMemoryBytes: 1 });
const unknown = { unknown: 'not measured' };
const out: GroupUsage = {
  cpuMs: unknown,
  peakMemoryBytes: unknown,
  readBytes: unknown,
  writtenBytes: unknown,
  oomKills: 1,
};
const plain: Evidence = {
  timedOut: false,
  killed: false,
  overCpu: false,
  ended: exited,
  used: undefined,
  cpuSeconds: 2,
};

const cases: { name: string; evidence: Partial<Evidence>; want: string }[] = [
  { name: 'an exit', evidence: {}, want: 'itself' },
  { name: 'a signal of its own', evidence: { ended: by('SIGSEGV') }, want: 'itself' },
  { name: 'SIGKILL from within', evidence: { ended: by('SIGKILL') }, want: 'itself' },
  { name: 'the soft limit of processor time', evidence: { ended: by('SIGXCPU', 2_000) }, want: 'cpu-limit' },
  { name: 'the hard limit of processor time', evidence: { ended: by('SIGKILL', 3_000) }, want: 'cpu-limit' },
  { name: 'SIGKILL right below the limit', evidence: { ended: by('SIGKILL', 1_999) }, want: 'itself' },
  { name: 'an exit above the limit', evidence: { ended: { ...exited, cpuMs: 9_000 } }, want: 'itself' },
  { name: 'all of its processes together', evidence: { overCpu: true, ended: null }, want: 'cpu-limit' },
  { name: 'memory, with the command killed', evidence: { ended: by('SIGKILL'), used: out }, want: 'memory-limit' },
  { name: 'memory, with process 1 killed', evidence: { ended: null, used: out }, want: 'memory-limit' },
  { name: 'memory of a child, after which it exited', evidence: { used: out }, want: 'memory-limit' },
  { name: 'a kill before process 1 could report', evidence: { killed: true, ended: null }, want: 'abort' },
  { name: 'a kill that process 1 reported', evidence: { killed: true, ended: by('SIGKILL') }, want: 'abort' },
  { name: 'a kill that came after its exit', evidence: { killed: true }, want: 'itself' },
  { name: 'a time-out, whatever came of it', evidence: { timedOut: true, killed: true, used: out }, want: 'timeout' },
];

describe('howEnded', () => {
  for (const { name, evidence, want } of cases) {
    it(`X-07: ${name} is ${want}`, () => assert.equal(howEnded({ ...plain, ...evidence }), want));
  }
});
