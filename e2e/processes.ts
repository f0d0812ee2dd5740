/** Processes of the machine, as the kernel lists them: who is below whom, and who is still there. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessSeen {
  readonly pid: number;
  readonly parent: number;
  /** In clock ticks since boot: with the pid it names one process for ever. */
  readonly startedAt: string;
  readonly command: string;
}

function readProcess(pid: string): ProcessSeen[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return []; // dead, and waiting for its parent to notice
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return [{ pid: Number(pid), parent: Number(fields[1]), startedAt: fields[19] ?? '', command }];
  } catch {
    return []; // ended meanwhile
  }
}

/** Everything alive below this process, itself included. */
export function listDescendants(root: number): ProcessSeen[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readProcess);
  const found = new Map(all.filter(({ pid }) => pid === root).map((one) => [one.pid, one]));
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const one of all) if (found.has(one.parent)) found.set(one.pid, one);
  }
  return [...found.values()];
}
