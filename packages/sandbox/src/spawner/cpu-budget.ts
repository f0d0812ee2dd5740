/**
 * Processor time of a whole run. An rlimit counts each process by itself and starts anew at every fork,
 * so a command that forks would have its limit times its processes; its control group counts them all.
 */
import { availableParallelism } from 'node:os';
import type { Measured } from '../sandbox.ts';

/** Not more often than this, however little is left. */
const MIN_PAUSE_MS = 100;

/**
 * Looks when the budget could be used up at the earliest, with every processor at work, and calls
 * `onOver` once when it is. Never called where processor time is not measured.
 */
export function watchCpu(readMs: () => Measured<number>, budgetMs: number, onOver: () => void): Disposable {
  const pauseFor = (usedMs: number): number => Math.max(MIN_PAUSE_MS, (budgetMs - usedMs) / availableParallelism());
  const look = (): void => {
    const used = readMs();
    if ('unknown' in used) return;
    if (used.value >= budgetMs) onOver();
    else timer = setTimeout(look, pauseFor(used.value));
  };
  let timer = setTimeout(look, pauseFor(0));
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
