/** What changed between two baselines, for people (C-04). */
import { stringify } from 'yaml';
import type { Baseline } from './baseline.ts';
import { diffLines } from './line-diff.ts';

const MAX_DIFF_CHARS = 200_000;

/**
 * Unified diff of both in their complete form: defaults filled in, keys in order, so that only what
 * means something differs.
 *
 * @returns `null` when both mean the same
 */
export function diffBaselines(before: Baseline, after: Baseline): string | null {
  return (
    diffLines(completeForm(before), completeForm(after), MAX_DIFF_CHARS)
      ?.replace('--- expected', '--- before')
      .replace('+++ observed', '+++ after') ?? null
  );
}

function completeForm({ sections, customChecks: declared, ...rest }: Baseline): string {
  const written = [...sections].map(
    ([name, { expectation, ...common }]) => [name, { ...common, ...expectation }] as const,
  );
  const isCustom = new Set(declared.map(({ name }) => name));
  const checks = Object.fromEntries(written.filter(([name]) => !isCustom.has(name)));
  const customChecks = Object.fromEntries(written.filter(([name]) => isCustom.has(name)));
  return stringify(
    { ...rest, checks, customChecks },
    { lineWidth: 0, aliasDuplicateObjects: false, sortMapEntries: true },
  );
}
