import type { Remediation } from '@holdfast/api';
import { Link } from '@tanstack/react-router';
import { toneOf } from '../format.ts';
import { Age, Clock } from './age.tsx';
import { Badge } from './badge.tsx';
import { MEANINGS, planStops, type Stop } from './plan-stops.ts';

const MARKS: Readonly<Record<Stop['place'], string>> = { past: '✓', present: '●', ahead: '' };
const ENDED_WELL = 'fixed';

/** A remediation as a visible state machine, with the evidence of each step (W-04). */
export function RemediationTrack({ remediation }: { remediation: Remediation }) {
  const { stops, earlierAttempts } = planStops(remediation);
  const { state, check, hostId, hostName, operation } = remediation;
  return (
    <article className="remediation" aria-label={`${check} on ${hostName}: ${state}`}>
      <header>
        <Badge state={state} />
        <span>
          <strong>{check}</strong> on{' '}
          <Link to="/hosts/$hostId" params={{ hostId }}>
            {hostName}
          </Link>
        </span>
        {operation === null ? (
          <span className="quiet">no change was made</span>
        ) : (
          <span className="quiet">
            by <code>{operation}</code>
          </span>
        )}
        {earlierAttempts === 0 ? null : <span className="tag">attempt {earlierAttempts + 1}</span>}
        <span className="quiet remediation-age">
          <Age of={stops.at(0)?.at ?? null} />
        </span>
      </header>
      <ol className="track">
        {stops.map((stop) => (
          <li
            key={`${stop.state}-${stop.at ?? 'ahead'}`}
            className={`stop stop-${stop.place} stop-${stop.place === 'past' ? 'good' : toneOf(stop.state)}`}
            aria-current={stop.place === 'present' ? 'step' : undefined}
          >
            <span className="stop-mark" aria-hidden="true">
              {stop.state === ENDED_WELL && stop.place === 'present' ? '✓' : MARKS[stop.place]}
            </span>
            <span className="stop-name">{stop.state}</span>
            <span className="stop-at">{stop.at === null ? 'to come' : <Clock of={stop.at} />}</span>
            {stop.place === 'present' ? <span className="stop-meaning">{MEANINGS[stop.state]}</span> : null}
            {stop.bundleId === null ? null : (
              <Link to="/evidence/$bundleId" params={{ bundleId: stop.bundleId }} className="stop-proof">
                evidence<span className="unseen"> that it was {stop.state}</span>
              </Link>
            )}
          </li>
        ))}
      </ol>
    </article>
  );
}
