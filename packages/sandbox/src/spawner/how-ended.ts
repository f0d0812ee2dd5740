/** What ended a run, from what the spawner did and what the kernel and process 1 report. Pure. */
import type { GroupUsage } from '../cgroup/control-groups.ts';
import type { LauncherEnd } from '../launcher/report.ts';
import type { SandboxResult } from '../sandbox.ts';

export interface Evidence {
  readonly timedOut: boolean;
  /** The client asked for its end. */
  readonly killed: boolean;
  /** All processes together were over the limit, for which we killed them. */
  readonly overCpu: boolean;
  /** What process 1 reported; `null` when it was killed before it could. */
  readonly ended: LauncherEnd | null;
  readonly used: GroupUsage | undefined;
  readonly cpuSeconds: number;
}

export function howEnded(evidence: Evidence): SandboxResult['endedBy'] {
  const { timedOut, killed, overCpu, ended, used, cpuSeconds } = evidence;
  if (timedOut) return 'timeout';
  if (overCpu) return 'cpu-limit';
  const signal = ended === null ? 'SIGKILL' : ended.signal;
  // One that had ended by itself when it was to be killed did end by itself.
  if (killed && signal === 'SIGKILL') return 'abort';
  if ((used?.oomKills ?? 0) > 0) return 'memory-limit';
  // setrlimit(2): SIGXCPU at the soft limit; who ignores it gets SIGKILL at the hard one.
  const isAtLimit = ended !== null && ended.cpuMs >= cpuSeconds * 1_000;
  return signal === 'SIGXCPU' || (signal === 'SIGKILL' && isAtLimit) ? 'cpu-limit' : 'itself';
}
