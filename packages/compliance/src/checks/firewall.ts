/** The packet filter against the signed ruleset (C-11). */
import { sha256Hex } from '@holdfast/crypto';
import type { Finding } from '@holdfast/evidence';
import { normalizeRuleset } from '@holdfast/host';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { diffLines } from '../line-diff.ts';

const SUBJECT = 'ruleset';

export const FirewallExpectation = z.strictObject({
  /** As `baseline capture` wrote it. Empty is no ruleset: a host that filters nothing has no baseline for it. */
  ruleset: z
    .string()
    .max(512 * 1024)
    .refine(isRuleset, 'is not a ruleset, or an empty one'),
});
export type FirewallExpectation = z.infer<typeof FirewallExpectation>;

export const firewall: Check<FirewallExpectation> = {
  name: 'firewall',
  title: 'The packet filter runs exactly the ruleset of the baseline',
  expectation: FirewallExpectation,
  timeoutMs: 10_000,

  async run({ ruleset }, { host }, signal): Promise<readonly Finding[]> {
    const read = await attempt(() => host.packetFilter.read(signal), signal);
    if (!read.ok)
      return [unknown('critical', 'firewall-unreadable', SUBJECT, `The ruleset cannot be read: ${read.why}`)];

    const expected = normalizeRuleset(ruleset);
    const observed = read.value;
    const comparison = { observed: summary(observed), expected: summary(expected) };
    if (observed === expected)
      return [pass('firewall-ok', SUBJECT, 'The ruleset is the one of the baseline', comparison)];
    const diff = diffLines(expected, observed);
    if (observed === '') {
      return [
        fail('critical', 'firewall-inactive', SUBJECT, 'The packet filter has no rules', { ...comparison, diff }),
      ];
    }
    return [
      fail('high', 'firewall-differs', SUBJECT, 'The ruleset differs from the baseline', { ...comparison, diff }),
    ];
  },
};

/** Only what has one spelling can be compared, and only what has rules filters anything. */
function isRuleset(text: string): boolean {
  try {
    return normalizeRuleset(text) !== '';
  } catch {
    return false;
  }
}

function summary(ruleset: string): { sha256: string; lines: number } {
  return { sha256: sha256Hex(ruleset), lines: ruleset === '' ? 0 : ruleset.split('\n').length - 1 };
}
