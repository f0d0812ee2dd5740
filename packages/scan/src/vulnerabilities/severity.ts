/**
 * How bad a vulnerability is for the package it is in, on the gate's scale:
 *
 * - **P0**: critical (CVSS 9.0 and above, or called so) or known to be exploited, and the code is
 *   reached or may be. Malicious packages (`MAL-…`) always: installing them is enough.
 * - **P1**: high, unknown, and what would be P0 if production reached it.
 * - **P2**: the rest.
 */
import type { ScanFinding } from '../scan-report.ts';
import { cvss3BaseScore } from './cvss.ts';
import type { OsvAffected, OsvEntry } from './osv-entry.ts';

export const LEVELS = ['low', 'moderate', 'high', 'critical', 'unknown'] as const;
export type Level = (typeof LEVELS)[number];

/** CVSS 3.1 §5, "Qualitative Severity Rating Scale". */
const CRITICAL_FROM = 9;
const HIGH_FROM = 7;
const MODERATE_FROM = 4;

/** The highest that the advisory says in any way that is understood. */
export function levelOf(entry: OsvEntry, affected: readonly OsvAffected[]): Level {
  const scores = [...(entry.severity ?? []), ...affected.flatMap((one) => one.severity ?? [])]
    .map(({ score }) => cvss3BaseScore(score))
    .filter((score) => score !== null);
  return worst([...scores.map(levelOfScore), parseLevel(entry.database_specific?.severity)]);
}

export function levelOfScore(score: number): Level {
  if (score >= CRITICAL_FROM) return 'critical';
  if (score >= HIGH_FROM) return 'high';
  return score >= MODERATE_FROM ? 'moderate' : 'low';
}

/** GitHub says MODERATE and npm `moderate` for what CVSS calls medium. */
export function parseLevel(word: unknown): Level {
  const level = typeof word === 'string' ? word.toLowerCase() : '';
  return LEVELS.find((one) => one === (level === 'medium' ? 'moderate' : level)) ?? 'unknown';
}

/** Of several words about one thing the worst known; `unknown` only if nobody knows. */
export function worst(levels: readonly Level[]): Level {
  const known = levels.filter((level) => level !== 'unknown');
  return known.toSorted((a, b) => LEVELS.indexOf(b) - LEVELS.indexOf(a))[0] ?? 'unknown';
}

export function severityOf(
  level: Level,
  exploited: boolean,
  reachability: ScanFinding['reachability'],
  ids: readonly string[],
): ScanFinding['severity'] {
  if (ids.some((id) => id.startsWith('MAL-'))) return 'P0';
  const reached = reachability !== 'not-reached' && reachability !== 'imported';
  if (level === 'critical' || exploited) return reached ? 'P0' : 'P1';
  return level === 'high' || level === 'unknown' ? 'P1' : 'P2';
}
