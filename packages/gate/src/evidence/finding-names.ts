/**
 * The ids by which people speak about what scanners found: `S-` and as many digits of the fingerprint as
 * tell it from every other that stands before it in the log, 12 at least. So no two are one, and an id that
 * was given stays: acceptances and resolutions name it.
 */
import type { GateRecord } from '../records/statements.ts';

const MIN_DIGITS = 12;

/** The id for a fingerprint, 64 hexadecimal digits. */
export type FindingNames = (fingerprint: string) => string;

/** @param records in the order of the log */
export function nameFindings(records: readonly GateRecord[]): FindingNames {
  const byStart = new Map<string, string[]>();
  const see = (fingerprint: string): void => {
    const start = fingerprint.slice(0, MIN_DIGITS);
    const alike = byStart.get(start);
    if (alike === undefined) byStart.set(start, [fingerprint]);
    else if (!alike.includes(fingerprint)) alike.push(fingerprint);
  };
  for (const record of records) {
    if (record.kind === 'scan-result') for (const { fingerprint } of record.predicate.scan.findings) see(fingerprint);
    else if (record.kind === 'finding' && record.predicate.fingerprint !== null) see(record.predicate.fingerprint);
  }
  return (fingerprint) => {
    const alike = byStart.get(fingerprint.slice(0, MIN_DIGITS)) ?? [];
    const others = alike.slice(0, alike.includes(fingerprint) ? alike.indexOf(fingerprint) : undefined);
    const shared = others.map((other) => commonDigits(fingerprint, other));
    return `S-${fingerprint.slice(0, Math.max(MIN_DIGITS, ...shared.map((digits) => digits + 1)))}`;
  };
}

function commonDigits(one: string, other: string): number {
  let digits = 0;
  while (digits < one.length && one[digits] === other[digits]) digits++;
  return digits;
}
