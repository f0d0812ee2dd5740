/**
 * What a module wrote on standard output, as findings. The module is nobody's friend: whatever is not
 * exactly an answer is no answer, and nothing in it can ask for a remedy, name a control or take the
 * place of a status that only `runChecks` gives.
 */
import { type Finding, FINDING_STATUSES, FindingSchema, SEVERITIES } from '@holdfast/evidence';
import { z } from 'zod';

/** Findings fit into 64 KiB of evidence; more than this is not an answer but a flood. */
export const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_FINDINGS = 100;
const MAX_VALUE_BYTES = 4 * 1024;

const Value = z
  .json()
  .refine((value) => JSON.stringify(value).length <= MAX_VALUE_BYTES, 'is larger than 4 KiB')
  .default(null);

const Answer = z.strictObject({
  version: z.literal(1),
  findings: z
    .array(
      z.strictObject({
        status: z.enum(FINDING_STATUSES).exclude(['error', 'excepted']),
        severity: z.enum(SEVERITIES),
        kind: FindingSchema.shape.kind,
        subject: FindingSchema.shape.subject,
        message: FindingSchema.shape.message,
        observed: Value,
        expected: Value,
      }),
    )
    .max(MAX_FINDINGS)
    .refine(
      (findings) => new Set(findings.map(({ kind, subject }) => `${kind} ${subject}`)).size === findings.length,
      'says the same thing twice',
    ),
});

/** @returns `null` for whatever is not an answer. Never throws. */
export function parseAnswer(stdout: Uint8Array): readonly Finding[] | null {
  if (stdout.length > MAX_ANSWER_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(stdout));
  } catch {
    return null; // not UTF-8, or not JSON
  }
  const answer = Answer.safeParse(value);
  if (!answer.success) return null;
  return answer.data.findings.map(({ status, severity, kind, subject, message, observed, expected }) => ({
    subject,
    kind,
    status,
    severity: status === 'pass' || status === 'not_applicable' ? 'info' : severity,
    message,
    observed,
    expected,
    diff: null,
    controls: {},
    remediation: null,
  }));
}
