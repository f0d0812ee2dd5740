/**
 * Shapes of single values in a baseline: names of units, accounts and paths with one spelling each,
 * and none that could be taken for an option of a program.
 */
import { z } from 'zod';

/** systemd.unit(5): ≤ 255 characters of `A-Z a-z 0-9 : - _ . \ @`, with a type; never starting with a dash. */
export const UnitName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.(service|socket|timer|target|mount|path)$/);

/** Absolute, without `.`, `..`, doubled or trailing slashes and control characters. */
export const AbsolutePath = z
  .string()
  .max(300)
  .regex(/^(\/(?!\.{1,2}(\/|$))[^/\p{Cc}]+)+$/u);

/** useradd(8), Debian's rule: ≤ 32 characters, not starting with a dash. */
export const AccountName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?$/);

/** As `ssh-keygen -l` prints it. */
export const KeyFingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/);

export const Mode = z.string().regex(/^[0-7]{4}$/);
export const Port = z.int().min(1).max(65_535);
/** Canonical text of an IP address, as sockets show it; `0.0.0.0` and `::` are any. */
export const Address = z
  .string()
  .max(64)
  .regex(/^[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]{1,15})?$/);

/** Arrays in a baseline are sets: each thing is named once. */
export function unique<T extends z.ZodType>(item: T, maxItems: number, key: (value: z.infer<T>) => string) {
  return z
    .array(item)
    .max(maxItems)
    .refine((items) => new Set(items.map(key)).size === items.length, 'names the same thing twice');
}
/** For sets of plain strings. */
export const itself = (text: string): string => text;
