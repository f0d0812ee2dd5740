/**
 * What measurements share: medians, the processor time of this process, and how a rate is printed.
 * Subject and peer are measured in turns, a slice each, so that whatever else the machine does
 * weighs on both alike; the median over the rounds leaves out the rounds it did not.
 */

/** The middle of `values`. @throws `RangeError` without any: nothing measured is no figure */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest-rank percentile, `percent` in 1 … 100. @throws `RangeError` without values */
export function percentile(values: readonly number[], percent: number): number {
  const value = values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil((values.length * percent) / 100) - 1)];
  if (value === undefined) throw new RangeError('nothing was measured');
  return value;
}

/** What a slice of work took: by the clock, and of this process's processor time (all its threads). */
export interface Cost {
  readonly wallS: number;
  readonly cpuS: number;
}

export async function costOf(work: () => unknown): Promise<Cost> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const wallS = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { wallS, cpuS: (user + system) / 1e6 };
}

/** `12,345/s`. */
export const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')}/s`;
/** `1.23 ms`. */
export const milliseconds = (ms: number): string => `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
