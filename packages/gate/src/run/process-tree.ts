/**
 * Ends everything that a command started. A command is the leader of its own session and process
 * group; descendants that left the group are found by a variable in their environment, which nobody
 * else has. One that also cleared its environment is out of reach without a sandbox.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Names the run in the environment of all its processes; not part of the environment's digest. */
export const RUN_VARIABLE = 'HOLDFAST_GATE_RUN';

export interface ProcessTree {
  /** Of the group's leader. */
  readonly pid: number;
  /** The value of `RUN_VARIABLE`. */
  readonly run: string;
}

/** Sends `signal` to every process of the tree that can be found. @returns whether there was any */
export function signalTree({ pid, run }: ProcessTree, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  const marked = findMarked(`${RUN_VARIABLE}=${run}`);
  const found = [trySignal(-pid, signal), ...marked.map((other) => trySignal(other, signal))];
  return found.includes(true);
}

/** How often to look again for processes that were forked while others were being killed. */
const MAX_ROUNDS = 20;

/** SIGKILL to the whole tree until nothing of it is found any more. */
export function killTree(tree: ProcessTree): void {
  for (let round = 0; round < MAX_ROUNDS && signalTree(tree, 'SIGKILL'); round++);
}

/** Processes whose environment has the variable `assignment`, other than zombies, whose environment is gone. */
function findMarked(assignment: string): readonly number[] {
  const wanted = Buffer.from(`${assignment}\0`);
  let names: readonly string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return []; // no Linux: the process group is all there is
  }
  return names.flatMap((name) => {
    const pid = Number(name);
    return Number.isInteger(pid) && pid > 1 && pid !== process.pid && hasVariable(pid, wanted) ? [pid] : [];
  });
}

function hasVariable(pid: number, assignment: Buffer): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`);
    const at = environment.indexOf(assignment);
    return at === 0 || (at > 0 && environment[at - 1] === 0);
  } catch {
    return false; // it ended meanwhile, or belongs to somebody else
  }
}

function trySignal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // ESRCH: nobody is left; EPERM: it became another user's
  }
}
