/** Which spawner this is, and whether another one still lives: what names of leftovers are judged by. */
import { readFileSync, readlinkSync } from 'node:fs';
import { parseStartTicks, type SpawnerIdentity } from './group-name.ts';

export function readIdentity(): SpawnerIdentity {
  const pidNamespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  const startTicks = parseStartTicks(readFileSync('/proc/self/stat', 'utf8')) ?? '0';
  return { pidNamespace, pid: process.pid, startTicks };
}

/** True when we can see that `other` has ended. In another pid namespace we can see nothing. */
export function hasEnded(other: SpawnerIdentity, own: SpawnerIdentity): boolean {
  if (other.pidNamespace !== own.pidNamespace) return false;
  try {
    return parseStartTicks(readFileSync(`/proc/${other.pid}/stat`, 'utf8')) !== other.startTicks;
  } catch {
    return true; // no such process
  }
}
