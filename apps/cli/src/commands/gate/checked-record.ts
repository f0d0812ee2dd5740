/** Options become a record: what its schema does not take is named at once, by option. */
import { HoldfastError } from '@holdfast/core';
import type { z } from 'zod';

/** @throws `ERR_CLI_USAGE` */
export function checked<S extends z.ZodType>(schema: S, said: unknown): z.infer<S> {
  const parsed = schema.safeParse(said);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `\n    ${path.join('.')}: ${message}`).join('');
  throw new HoldfastError('what was said makes no record', { code: 'ERR_CLI_USAGE', fields: { reason: problems } });
}
