/**
 * What the two files of decisions have in common: each decision names exactly what it is about, has a
 * reason, somebody who answers for it and a last day (UTC, inclusive). One that lapsed, or that is
 * about nothing any more, is a finding itself.
 */
import { z } from 'zod';
import { inputError } from './input-error.ts';
import { parseYaml } from './parse-document.ts';

export const Reason = z.string().trim().min(1).max(1_000);
export const Owner = z.string().trim().min(1).max(200);
/** `pkg:npm/name` for every version, `pkg:npm/name@1.2.3` for one. */
export const Purl = z.string().max(1_000).startsWith('pkg:');
export const Decision = { reason: Reason, owner: Owner, expires: z.iso.date() } as const;

const DAY_MS = 86_400_000;
export const isLapsed = (expires: string, nowMs: number): boolean => nowMs >= Date.parse(expires) + DAY_MS;

/** Whether `pattern` is `purl`, or all versions of it. */
export const coversPurl = (pattern: string, purl: string): boolean =>
  pattern === purl || (purl.startsWith(`${pattern}@`) && !pattern.slice(pattern.lastIndexOf('/')).includes('@'));

/** @throws `ERR_SCAN_INPUT` naming the file and every place that is wrong */
export function parseDecisions<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const parsed = schema.safeParse(parseYaml(text, file));
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path, message }) => `${path.join('.')} (${message})`);
  throw inputError(file, `is not valid at ${places.slice(0, 20).join(', ')}`);
}
