/** What the records of a story come to, in one line, and a verdict that says so. */
import type { ScanFinding } from '@holdfast/scan';
import type { Source } from '../src/records/run-record.ts';
import { assess } from '../src/verdict/assess.ts';
import type { Assessment } from '../src/verdict/assessment.ts';
import { planVerdict } from '../src/verdict/plan-verdict.ts';
import { SOURCE, type Story } from './story.ts';

export const assessAt = (story: Story, nowMs: number, candidate: Source = SOURCE): Assessment =>
  assess({ records: story.records, current: { digest: story.gateFileDigest }, candidate, nowMs });
export const now = (story: Story, candidate: Source = SOURCE): Assessment => assessAt(story, story.nowMs, candidate);
const codes = ({ reasons }: Assessment): string[] => reasons.map(({ code }) => code);
/** The verdict and why, in one line. */
export const told = (assessment: Assessment): string => [assessment.verdict, ...new Set(codes(assessment))].join(' ');
export const at = (text: string): number => Date.parse(text);

/** Issues what the records come to, as the issuer would. */
export function issue(story: Story, candidate: Source = SOURCE, author = 'dan'): void {
  const {
    gate: _,
    revision: __,
    author: ___,
    at: ____,
    ...predicate
  } = planVerdict(now(story, candidate), {
    author: 'dan',
    artifacts: [],
    head: story.head,
  });
  story.add('gate-verdict', author, predicate);
}

/** What a scanner of secrets found. */
export const secret: ScanFinding = {
  fingerprint: 'ab12'.repeat(16),
  rule: 'aws-access-key',
  aliases: [],
  severity: 'P0',
  message: 'an access key',
  location: 'src/web/cart.ts',
  line: 3,
  reachability: null,
  suppressed: null,
};
/** The id under which people speak about it. */
export const SECRET_ID = 'S-ab12ab12ab12';
