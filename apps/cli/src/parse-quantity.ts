/** Amounts as people write them on a command line. */
import { HoldfastError } from '@holdfast/core';

const BYTES: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };
const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function parseQuantity(text: string, units: Readonly<Record<string, number>>, what: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})([A-Za-z]*)$/.exec(text) ?? [];
  const value = Number(digits) * (Object.hasOwn(units, unit) ? (units[unit] ?? 0) : 0);
  if (value > 0 && Number.isSafeInteger(value)) return value;
  throw new HoldfastError(`${what} is a whole number above 0 and one of ${Object.keys(units).join(' ').trim()}`, {
    code: 'ERR_CLI_USAGE',
  });
}

/** `64MiB`. @throws `ERR_CLI_USAGE` */
export const parseBytes = (text: string): number => parseQuantity(text, BYTES, 'a size');
/** `5s`. @throws `ERR_CLI_USAGE` */
export const parseDurationMs = (text: string): number => parseQuantity(text, MILLISECONDS, 'a duration');
