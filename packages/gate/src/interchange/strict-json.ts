/** JSON documents of other tools: bounded, UTF-8, and refused in one way. */
import { HoldfastError } from '@holdfast/core';
import type { z } from 'zod';

/** Larger than the SARIF of a big repository; everything is read into memory at once. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws `ERR_REPORT_MALFORMED`, which never quotes the document */
export function parseDocument<T>(format: string, bytes: Uint8Array, schema: z.ZodType<T>): T {
  if (bytes.length > MAX_DOCUMENT_BYTES) throw refusedDocument(format, 'it is larger than 64 MiB');
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    throw refusedDocument(format, 'it is not JSON in UTF-8');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const place = parsed.error.issues[0]?.path.filter(
    (part) => typeof part === 'number' || /^\$?\w{1,40}$/.test(String(part)),
  );
  throw refusedDocument(format, `it has not the shape of its format at ${place?.join('.') || 'the top'}`);
}

export function refusedDocument(format: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`the ${format} document is refused: ${reason}`, {
    code: 'ERR_REPORT_MALFORMED',
    fields: { format, reason },
    cause,
  });
}
