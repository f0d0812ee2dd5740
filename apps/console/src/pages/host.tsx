import type { HostView, TimelineEntry } from '@holdfast/api';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api } from '../api.ts';
import { formatInstant, SEVERITY_ORDER, toneOf } from '../format.ts';
import { Age } from '../parts/age.tsx';
import { Badge } from '../parts/badge.tsx';
import { FindingCard } from '../parts/finding.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { RemediationTrack } from '../parts/remediation-track.tsx';
import { Score } from '../parts/score.tsx';

const route = getRouteApi('/shell/hosts/$hostId');

/** One host: how it stands, what was found, what is being done, and everything that happened (W-03). */
export function HostPage() {
  const { hostId } = route.useParams();
  const host = useQuery({ queryKey: ['host', hostId], queryFn: () => api.host(hostId) });
  const findings = useQuery({ queryKey: ['findings', hostId], queryFn: () => api.findings(hostId) });
  const remediations = useQuery({ queryKey: ['remediations', hostId], queryFn: () => api.remediations({ hostId }) });
  const timeline = useQuery({ queryKey: ['timeline', hostId], queryFn: () => api.timeline(hostId) });
  return (
    <Loaded query={host}>
      {(data) => (
        <>
          <HostHeader host={data} />
          <section aria-labelledby="checks">
            <h2 id="checks">Checks</h2>
            <ul className="checks">
              {data.checks.map(({ check, status, severity, at, bundleId, stale }) => (
                <li key={check} className={`check check-${toneOf(stale ? 'stale' : status)}`}>
                  <strong>{check}</strong>
                  <Badge state={stale ? 'stale' : status} />
                  {status === 'fail' ? <Badge state={severity} /> : null}
                  <Link to="/evidence/$bundleId" params={{ bundleId }}>
                    <Age of={at} />
                  </Link>
                </li>
              ))}
            </ul>
            {data.checks.length === 0 ? <p className="quiet">No check has reported yet: no data, not good.</p> : null}
          </section>
          <section aria-labelledby="findings">
            <h2 id="findings">Observed against expected</h2>
            <Loaded query={findings}>
              {({ items }) => {
                const differing = items
                  .filter(({ finding }) => finding.status !== 'pass' && finding.status !== 'not_applicable')
                  .toSorted((a, b) => SEVERITY_ORDER[b.finding.severity] - SEVERITY_ORDER[a.finding.severity]);
                if (differing.length === 0)
                  return (
                    <p className="quiet">
                      {items.length === 0
                        ? 'Nothing was measured yet: no data, not good.'
                        : 'Observed equals expected in every finding.'}
                    </p>
                  );
                return (
                  <div className="stack">
                    {differing.map(({ check, finding, bundleId }) => (
                      <div key={`${check}-${finding.subject}-${finding.kind}`}>
                        <p className="quiet">
                          {check} ·{' '}
                          <Link to="/evidence/$bundleId" params={{ bundleId }}>
                            evidence
                          </Link>
                        </p>
                        <FindingCard finding={finding} />
                      </div>
                    ))}
                  </div>
                );
              }}
            </Loaded>
          </section>
          <section aria-labelledby="remediations">
            <h2 id="remediations">Remediations</h2>
            <Loaded query={remediations}>
              {({ items }) =>
                items.length === 0 ? (
                  <p className="quiet">None.</p>
                ) : (
                  <div className="stack">
                    {items.slice(0, 20).map((item) => (
                      <RemediationTrack key={item.remediationId} remediation={item} />
                    ))}
                  </div>
                )
              }
            </Loaded>
          </section>
          <section aria-labelledby="timeline">
            <h2 id="timeline">Timeline</h2>
            <Loaded query={timeline}>
              {({ items }) => (
                <ol className="timeline">
                  {items.map((entry) => (
                    <TimelineItem key={entry.id} entry={entry} />
                  ))}
                </ol>
              )}
            </Loaded>
          </section>
        </>
      )}
    </Loaded>
  );
}

function HostHeader({ host }: { host: HostView }) {
  const { health } = host;
  return (
    <header className="host-header">
      <div>
        <h1>
          {host.name} <Badge state={host.state} />
          {host.simulated ? <span className="tag">simulated</span> : null}
        </h1>
        <p className="quiet">
          {host.platform.distribution} {host.platform.version} · kernel {host.platform.kernel} · site {host.siteId} ·
          seen <Age of={host.lastSeenAt} />
        </p>
        {health === null ? null : (
          <p className="quiet">
            agent {health.status} · guard {health.guard} · clock {health.clock.status} · {health.queue.totalPending}{' '}
            bundles queued · {health.counters.loopsCompleted.toLocaleString()} cycles
          </p>
        )}
        {health?.conditions.map(({ code, severity, message }) => (
          <p key={code} className={`notice notice-${toneOf(severity)}`}>
            <code>{code}</code> {message}
          </p>
        ))}
      </div>
      <Score value={host.score} label="host score" />
    </header>
  );
}

function TimelineItem({ entry }: { entry: TimelineEntry }) {
  return (
    <li className={`moment moment-${entry.kind}`}>
      <time dateTime={entry.at}>{formatInstant(entry.at)}</time>
      <span className="tag">{entry.kind}</span>
      <span>{entry.title}</span>
      {entry.bundleId === null ? null : (
        <Link to="/evidence/$bundleId" params={{ bundleId: entry.bundleId }}>
          evidence
        </Link>
      )}
    </li>
  );
}
