/**
 * `.holdfast-secrets.yaml`: findings that somebody answers for, each by its exact fingerprint with reason
 * and owner. Patterns do not exist: what is let through is named. An entry that matches nothing any more,
 * or whose day has passed, is itself a finding.
 */
import { HoldfastError, SHA256_HEX_PATTERN } from '@holdfast/core';
import { parseDocument } from 'yaml';
import { z } from 'zod';

export const SUPPRESSIONS_FILE = '.holdfast-secrets.yaml';
/** A file for people; ten thousand entries fit. */
const MAX_FILE_CHARS = 4 * 1_048_576;

const SuppressionSchema = z.strictObject({
  fingerprint: z.string().regex(SHA256_HEX_PATTERN),
  /** Why it is no danger: revoked on a day, a key made for a test, a published example. */
  reason: z.string().min(10).max(2_000),
  owner: z.string().min(1).max(200),
  /** The last day on which it holds, in UTC. */
  expires: z.iso.date().optional(),
});
const FileSchema = z.strictObject({
  format: z.literal('holdfast-secrets/v1'),
  suppressions: z.array(SuppressionSchema).max(20_000),
});
export type Suppression = z.infer<typeof SuppressionSchema>;

function refuse(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`${SUPPRESSIONS_FILE} is not valid`, {
    code: 'ERR_SCAN_INPUT',
    fields: { file: SUPPRESSIONS_FILE, reason },
    cause,
  });
}

/** @throws `ERR_SCAN_INPUT` when it is not valid: a scan with half of its suppressions would mislead */
export function parseSuppressions(text: string): readonly Suppression[] {
  if (text.length > MAX_FILE_CHARS) throw refuse('it is larger than 4 MiB');
  // Core schema: a date stays the text that it is. No aliases: they multiply.
  const document = parseDocument(text, { schema: 'core', uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) throw refuse(`it is no YAML: line ${broken.linePos?.[0].line ?? 1}`);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw refuse('it uses YAML aliases', cause);
  }
  const parsed = FileSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(`${issue?.path.join('.') || 'the file'}: ${issue?.code ?? 'not as described'}`, parsed.error);
  }
  const { suppressions } = parsed.data;
  const seen = new Set<string>();
  for (const { fingerprint } of suppressions) {
    if (seen.has(fingerprint)) throw refuse(`the fingerprint ${fingerprint.slice(0, 12)} stands in it twice`);
    seen.add(fingerprint);
  }
  return suppressions;
}

const DAY_MS = 86_400_000;

/** Whether the last day of `suppression` is over. */
export function isExpired({ expires }: Suppression, nowMs: number): boolean {
  return expires !== undefined && nowMs >= Date.parse(expires) + DAY_MS;
}
