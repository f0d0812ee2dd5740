import type { Remediation } from '@holdfast/api';
import { Link } from '@tanstack/react-router';
import { formatInstant, toneOf } from '../format.ts';
import { Badge } from './badge.tsx';

type State = Remediation['state'];

/** The way every remediation hopes to go (W-04). */
const ROAD: readonly State[] = ['detected', 'applying', 'verifying', 'fixed'];
const IS_DETOUR: Readonly<Record<State, boolean>> = {
  detected: false,
  applying: false,
  verifying: false,
  fixed: false,
  waiting: true,
  confirming: true,
  reverted: true,
  failed: true,
  deferred: true,
  alert: true,
};
/** States from which nothing more happens by itself. */
const ENDS: ReadonlySet<State> = new Set(['fixed', 'reverted', 'failed', 'alert']);

interface Stop {
  readonly state: State;
  readonly at: string | null;
  readonly bundleId: string | null;
}

/** What was, in order, followed by what is still to come on the straight road. */
export function planStops(remediation: Pick<Remediation, 'state' | 'history'>): Stop[] {
  const past: Stop[] = remediation.history.map(({ state, at, bundleId }) => ({ state, at, bundleId }));
  if (ENDS.has(remediation.state)) return past;
  const reached = Math.max(...past.map(({ state }) => ROAD.indexOf(state)), -1);
  return [...past, ...ROAD.slice(reached + 1).map((state) => ({ state, at: null, bundleId: null }))];
}

/** A remediation as a visible state machine, with the evidence of each step. */
export function RemediationTrack({ remediation }: { remediation: Remediation }) {
  const stops = planStops(remediation);
  return (
    <article className="remediation">
      <header>
        <Badge state={remediation.state} />
        <strong>{remediation.check}</strong> on{' '}
        <Link to="/hosts/$hostId" params={{ hostId: remediation.hostId }}>
          {remediation.hostName}
        </Link>
        {remediation.operation === null ? null : <code>{remediation.operation}</code>}
      </header>
      <ol className="track">
        {stops.map(({ state, at, bundleId }, index) => (
          <li
            key={`${state}-${at ?? index}`}
            className={`stop ${at === null ? 'stop-ahead' : `stop-${toneOf(state)}`} ${IS_DETOUR[state] ? 'stop-detour' : ''}`}
            aria-current={at !== null && stops[index + 1]?.at === null ? 'step' : undefined}
          >
            <span className="stop-name">{state}</span>
            <span className="stop-at">{at === null ? 'to come' : formatInstant(at)}</span>
            {bundleId === null ? null : (
              <Link to="/evidence/$bundleId" params={{ bundleId }} className="stop-proof">
                evidence
              </Link>
            )}
          </li>
        ))}
      </ol>
    </article>
  );
}
