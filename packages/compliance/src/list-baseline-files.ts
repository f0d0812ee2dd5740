/** Which files a host has to be looked at for: those that somebody may ask about (G-02), and those that modules are shown. */
import type { Baseline } from './baseline.ts';
import { expectationOf } from './baseline.ts';
import { files } from './checks/files.ts';

/** The paths the baseline lists, in its order. */
export function listBaselineFiles(baseline: Baseline | null): string[] {
  return expectationOf(baseline, files)?.entries.map(({ path }) => path) ?? [];
}

/** The paths whose content custom checks are shown (C-14). Whoever runs the checks has to be able to read them. */
export function listCustomCheckFiles(baseline: Baseline | null): string[] {
  return baseline?.customChecks.flatMap(({ inputs }) => inputs.files.map(({ path }) => path)) ?? [];
}
