/** Opaque cursors: the sort key of the last row of a page. */
import { HoldfastError } from '@holdfast/core';
import { z } from 'zod';

const KeySchema = z.tuple([z.string(), z.string()]);
export const CursorSchema = z.string().max(1_000).optional();
export const LimitSchema = z.coerce.number().int().min(1).max(500).default(50);

export const encodeCursor = (key: readonly [string, string]): string =>
  Buffer.from(JSON.stringify(key)).toString('base64url');

/** @throws `ERR_INPUT_INVALID` */
export function decodeCursor(text: string | undefined): readonly [string, string] | undefined {
  if (text === undefined) return undefined;
  try {
    return KeySchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch (cause) {
    throw new HoldfastError('not a cursor of ours', { code: 'ERR_INPUT_INVALID', fields: { paths: 'cursor' }, cause });
  }
}

/** Cuts the one row that was read too many, and says where the next page begins. */
export function cutPage<T>(
  rows: readonly T[],
  limit: number,
  keyOf: (row: T) => readonly [string, string],
): { items: T[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}
