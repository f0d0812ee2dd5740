/** What the last issued verdict is worth now: dates pass and inputs change by themselves. */
import type { Freeze } from '../board/board.ts';
import type { Source } from '../records/run-record.ts';
import { isSameSource } from '../records/same-source.ts';
import type { IssuedVerdicts } from './addenda.ts';
import type { Assessment, Reason } from './assessment.ts';
import { isWorse, reason, verdictOf } from './reasons.ts';

/** What makes NO_GO of a verdict by the clock alone; all other changes make it STALE. */
const LAPSES: ReadonlySet<string> = new Set(['condition-lapsed', 'acceptance-expired']);

/** @param reasons of a verdict issued now, for `candidate` */
export function standingOf(
  { counted, refused }: IssuedVerdicts,
  freeze: Freeze | null,
  candidate: Source,
  reasons: readonly Reason[],
): Pick<Assessment, 'standing' | 'standingReasons'> {
  const last = counted.at(-1)?.predicate;
  if (last === undefined) return { standing: 'NONE', standingReasons: refused };
  const { verdict } = last;
  if (verdict === 'NO_GO' || verdict === 'INCONCLUSIVE') return { standing: verdict, standingReasons: last.reasons };
  const lapses = reasons.filter(({ code }) => LAPSES.has(code));
  if (lapses.length > 0) return { standing: 'NO_GO', standingReasons: lapses };
  const changes = [
    ...(isSameSource(last.source, candidate) ? [] : [reason('verdict-other-source')]),
    ...(last.policyDigest === freeze?.policyDigest ? [] : [reason('verdict-other-policy')]),
    ...(isWorse(verdictOf(reasons), verdict) ? reasons : []),
  ];
  if (changes.length > 0) return { standing: 'STALE', standingReasons: changes };
  return { standing: verdict, standingReasons: last.reasons };
}
