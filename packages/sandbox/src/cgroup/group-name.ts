/**
 * Names of control groups say which spawner made them, so that the next one can tell what a killed
 * one left behind from what a living one uses: pid namespace, pid, and start time against reuse.
 */

export interface SpawnerIdentity {
  /** Inode of the pid namespace: a pid means nothing outside of it. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks after boot: field 22 of proc_pid_stat(5). */
  readonly startTicks: string;
}

export function formatGroupName({ pidNamespace, pid, startTicks }: SpawnerIdentity, slot: number): string {
  return `${pidNamespace}-${pid}-${startTicks}-${slot}`;
}

/** @returns `undefined` for a name that no spawner gave */
export function parseGroupName(name: string): SpawnerIdentity | undefined {
  const [, pidNamespace, pid, startTicks] = /^(\d{1,20})-(\d{1,10})-(\d{1,20})-\d{1,16}$/.exec(name) ?? [];
  if (pidNamespace === undefined || pid === undefined || startTicks === undefined) return undefined;
  return { pidNamespace, pid: Number(pid), startTicks };
}

/** Start time in the text of /proc/<pid>/stat; the command name before it may hold anything. */
export function parseStartTicks(stat: string): string | undefined {
  // Field 22, where the state after the last parenthesis is field 3.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
