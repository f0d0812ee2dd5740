/** What a gate stands at and why: the part of its page that is read first, and often alone (W-09). */
import type { GateView } from '@holdfast/api';
import { formatCount, formatInstant, MARKS, toneOf } from '../format.ts';
import { Age } from './age.tsx';
import { Badge } from './badge.tsx';
import { DueDate } from './due-date.tsx';
import { nameOf } from './person.tsx';

type Reason = GateView['reasons'][number];
type Standing = GateView['standing'];

const HEADLINES: Readonly<Record<Standing, string>> = {
  GO: 'GO',
  GO_WITH_CONDITIONS: 'GO with conditions',
  NO_GO: 'NO GO',
  INCONCLUSIVE: 'Inconclusive',
  STALE: 'Stale',
  NONE: 'No verdict yet',
};

export function GateVerdict({ view }: { view: GateView }) {
  const { standing, standingReasons, reasons, verdict, candidate, resource, standingSince } = view;
  const tone = standing === 'NONE' ? 'none' : toneOf(standing);
  const why = standingReasons.length > 0 ? standingReasons : reasons;
  return (
    <section className={`verdict verdict-${tone}`} aria-label="Verdict">
      <div className="verdict-head">
        <span className="verdict-mark" aria-hidden="true">
          {MARKS[tone]}
        </span>
        <div>
          <h2 className="verdict-word">{HEADLINES[standing]}</h2>
          <p className="verdict-lead">{leadOf(view)}</p>
          <p className="quiet">
            <code className="breakable">{resource}</code> at commit{' '}
            <code title={candidate.commit}>{candidate.commit.slice(0, 12)}</code>
            {standingSince === null ? null : (
              <>
                {' · '}like this since {formatInstant(standingSince)}, <Age of={standingSince} />
              </>
            )}
          </p>
        </div>
      </div>
      <Dates view={view} />
      {why.length === 0 ? null : (
        <>
          <h3>Why</h3>
          <Reasons reasons={why} />
        </>
      )}
      {why === reasons || reasons.length === 0 || isSame(why, reasons) ? null : (
        <details>
          <summary>
            What stands against a verdict issued now, which would be <Badge state={verdict} />
          </summary>
          <Reasons reasons={reasons} />
        </details>
      )}
    </section>
  );
}

const isSame = (some: readonly Reason[], others: readonly Reason[]): boolean =>
  some.length === others.length && some.every(({ text }, at) => text === others[at]?.text);

/** Whether to release, in a sentence for somebody who reads no further. */
function leadOf(view: GateView): string {
  const { standing, packets, verdicts, conditions, verdict } = view;
  const last = verdicts.at(-1);
  const issued =
    last === undefined
      ? ''
      : `the ${HEADLINES[last.verdict]} that ${nameOf(view.people, last.issuer)} issued on ${last.at.slice(0, 10)}`;
  const open = conditions.filter(({ status }) => status !== 'lifted').length;
  const approved = packets.filter(({ review }) => review === 'APPROVED').length;
  const leads: Readonly<Record<Standing, string>> = {
    GO: `Release it: ${issued} holds, and nothing stands against it.`,
    GO_WITH_CONDITIONS: `Release it, and meet ${formatCount(open, 'condition')} in time: ${issued} holds until then.`,
    NO_GO:
      last?.verdict === 'NO_GO'
        ? `Do not release it: ${issued} stands.`
        : `Do not release it: ${issued} has lapsed. A release that is out needs its fixes or its rollback.`,
    INCONCLUSIVE: 'Do not release it: too much could not be judged, and what is not known is not good.',
    STALE: `Do not release on it: ${issued} no longer holds.`,
    NONE: `Do not release it: ${approved} of ${formatCount(packets.length, 'packet')} are approved. A verdict issued now would be ${HEADLINES[verdict]}.`,
  };
  return leads[standing];
}

/** The next days on which something lapses; more stand with the conditions and risks. */
const SHOWN_DATES = 3;

function Dates({ view }: { view: GateView }) {
  const { conditions, risks, people, asOf } = view;
  const dates = [
    ...conditions
      .filter(({ status }) => status !== 'lifted')
      .map(({ id, owner, due, expires }) => ({ id: `condition ${id}`, owner, date: due < expires ? due : expires })),
    ...risks.filter(({ status }) => status !== 'closed').map(({ id, owner, due }) => ({ id, owner, date: due })),
  ].toSorted((a, b) => a.date.localeCompare(b.date));
  if (dates.length === 0) return null;
  const rest = dates.length - SHOWN_DATES;
  return (
    <ul className="dates" aria-label="Next dates">
      {dates.slice(0, SHOWN_DATES).map(({ id, owner, date }) => (
        <li key={`${id} ${date}`}>
          <DueDate date={date} asOf={asOf} />: {id}, {nameOf(people, owner)}
        </li>
      ))}
      {rest > 0 ? <li className="quiet">and {formatCount(rest, 'later date')}</li> : null}
    </ul>
  );
}

/** Of one kind of reason: these at once, these when asked, and the rest as a number. A gate can have 2,000. */
const SHOWN_OF_KIND = 3;
const LISTED_OF_KIND = 100;

function Reasons({ reasons }: { reasons: readonly Reason[] }) {
  const kinds = [...Map.groupBy(reasons, ({ code }) => code)];
  return (
    <ul className="reasons">
      {kinds.map(([code, same]) => (
        <ReasonsOfKind key={code} reasons={same} />
      ))}
    </ul>
  );
}

function ReasonsOfKind({ reasons }: { reasons: readonly Reason[] }) {
  const shown = reasons.slice(0, SHOWN_OF_KIND);
  const listed = reasons.slice(SHOWN_OF_KIND, LISTED_OF_KIND);
  const unlisted = reasons.length - shown.length - listed.length;
  const lines = (some: readonly Reason[]) =>
    some.map(({ rule, subject, text }) => (
      <li key={`${subject} ${text}`}>
        <span className="tag">{rule}</span> {text}
      </li>
    ));
  return (
    <>
      {lines(shown)}
      {listed.length === 0 ? null : (
        <li>
          <details>
            <summary>and {(listed.length + unlisted).toLocaleString('en')} more like this</summary>
            <ul className="reasons">
              {lines(listed)}
              {unlisted === 0 ? null : (
                <li className="quiet">
                  {unlisted.toLocaleString('en')} more are not listed here: <code>holdfast gate verify</code> on the
                  bundle names them all
                </li>
              )}
            </ul>
          </details>
        </li>
      )}
    </>
  );
}
