/**
 * The file in which a reviewer says what was looked at: YAML, written with what git and the
 * records know, and read back with every missing part named at once.
 */
import { HoldfastError } from '@holdfast/core';
import { parseDocument, stringify } from 'yaml';
import type { z } from 'zod';
import type { Packet } from '../gate-file/gate-schema.ts';
import { PacketReviewSchema } from '../records/statements.ts';

/** A review of 10,000 files with a reason each. */
const MAX_REVIEW_CHARS = 16_000_000;

const ReviewFileSchema = PacketReviewSchema.pick({
  changes: true,
  checklist: true,
  checks: true,
  residualRisk: true,
  rollback: true,
});
export type ReviewFile = z.infer<typeof ReviewFileSchema>;

/** @param changed paths, as git has them */
export function reviewTemplate(packet: Packet, changed: readonly string[]): string {
  const head = [
    `# Review of packet ${packet.id}: ${packet.title}`,
    '# Fill in what is empty; an empty part is refused. Then:',
    `#   holdfast gate review ${packet.id} --approve   (or --request-changes, or --block)`,
    '',
  ].join('\n');
  const sections = [
    '# Every changed file, with why it changed. A file that is not here, or a reason that is empty, is refused.',
    stringify({ changes: changed.map((path) => ({ path, reason: '' })) }),
    '# What the gate file asks for: true when you saw it yourself.',
    stringify({ checklist: packet.checklist.map((item) => ({ item, done: false })) }),
    '# PASS, FAIL or N/A each; FAIL and N/A with a note. Integrity is never N/A.',
    'checks:',
    '  integrity: # does it keep data and access whole?',
    '    result: ""',
    '    note: null',
    '  behaviour: # does it do what it says, and only that?',
    '    result: ""',
    '    note: null',
    '  record: # do documents and records say what is true?',
    '    result: ""',
    '    note: null',
    '',
    '# What can still go wrong; "none" only if you mean it.',
    'residualRisk: ""',
    '',
    '# How to go back. Where data or configuration changed, reverting the commit is not enough.',
    'rollback:',
    '  plan: ""',
    '  changesDataOrConfiguration: false',
    '',
  ];
  return `${head}${sections.join('\n')}`;
}

/** @throws `ERR_GATE_RULE` naming every part that is missing or wrong */
export function parseReviewFile(text: string): ReviewFile {
  const document = text.length > MAX_REVIEW_CHARS ? null : parseDocument(text);
  if (document === null || document.errors.length > 0) {
    throw new HoldfastError('the review file is no YAML, or too large', {
      code: 'ERR_INPUT_INVALID',
      fields: { first: document?.errors[0]?.code ?? 'too-large' },
    });
  }
  const parsed = ReviewFileSchema.safeParse(document.toJS({ maxAliasCount: 0 }));
  if (parsed.success) return parsed.data;
  const missing = parsed.error.issues.map((issue) => `\n    ${issue.path.join('.') || 'file'}: ${describe(issue)}`);
  throw new HoldfastError('the review is not complete', {
    code: 'ERR_GATE_RULE',
    fields: { rule: 'R-14', reason: missing.join(''), next: 'fill these in and run it again' },
  });
}

function describe({ code, message }: z.core.$ZodIssue): string {
  if (code === 'too_small') return 'is empty';
  if (code === 'invalid_union') return 'is one of PASS, FAIL and N/A';
  return message;
}
