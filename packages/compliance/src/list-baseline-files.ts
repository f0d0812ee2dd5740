/** Which files a host has to be looked at for: all that somebody may ask about (G-02). */
import type { Baseline } from './baseline.ts';
import { expectationOf } from './baseline.ts';
import { files } from './checks/files.ts';

/** The paths the baseline lists, in its order. */
export function listBaselineFiles(baseline: Baseline | null): string[] {
  return expectationOf(baseline, files)?.entries.map(({ path }) => path) ?? [];
}
