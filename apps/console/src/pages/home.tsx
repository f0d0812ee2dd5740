import type { Attention, Summary } from '@holdfast/api';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { api } from '../api.ts';
import { formatCount } from '../format.ts';
import { Age, Clock } from '../parts/age.tsx';
import { Badge } from '../parts/badge.tsx';
import { EnrollHost } from '../parts/enroll-host.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { RemediationTrack } from '../parts/remediation-track.tsx';
import { Score } from '../parts/score.tsx';

/** More than a screen of them is better looked at on the hosts page. */
const SHOWN_ATTENTION = 20;

/** What needs attention now, each with the next step; then how the fleet stands (W-02). */
export function HomePage() {
  const summary = useQuery({ queryKey: ['summary'], queryFn: api.summary });
  const attention = useQuery({ queryKey: ['attention'], queryFn: api.attention });
  const remediations = useQuery({ queryKey: ['remediations', 'recent'], queryFn: () => api.remediations({}) });
  return (
    <>
      <h1>{summary.data === undefined ? 'Home' : headlineOf(summary.data)}</h1>
      <Loaded query={summary}>
        {(data) => (data.hosts.total === 0 ? <EnrollHost /> : <Overview summary={data} />)}
      </Loaded>
      <section aria-labelledby="attention">
        <h2 id="attention">Needs attention</h2>
        <Loaded query={attention}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="notice notice-good">
                <strong>✓ Nothing needs a person now.</strong> Drift, silent or frozen hosts, evidence outside the log,
                certificates that end and release gates that lapsed would stand here.
              </p>
            ) : (
              <ul className="attention">
                {items.slice(0, SHOWN_ATTENTION).map((item) => (
                  <AttentionItem
                    key={`${item.kind}-${item.hostId ?? ''}-${item.check ?? ''}-${item.bundleId ?? ''}-${item.gate ?? ''}`}
                    item={item}
                  />
                ))}
                {items.length > SHOWN_ATTENTION ? (
                  <li className="quiet">
                    and {items.length - SHOWN_ATTENTION} more: see the <Link to="/hosts">hosts by their state</Link>
                  </li>
                ) : null}
              </ul>
            )
          }
        </Loaded>
      </section>
      <section aria-labelledby="remediations">
        <h2 id="remediations">Newest remediations</h2>
        <Loaded query={remediations}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="quiet">No drift has been healed yet.</p>
            ) : (
              <div className="stack">
                {items.slice(0, 10).map((item) => (
                  <RemediationTrack key={item.remediationId} remediation={item} />
                ))}
              </div>
            )
          }
        </Loaded>
      </section>
    </>
  );
}

/** The state of the fleet in one sentence; what is not known never reads as good. */
function headlineOf({ hosts }: Summary): string {
  if (hosts.total === 0) return 'No host yet';
  const off = hosts.total - hosts.good;
  if (off === 0)
    return hosts.total === 1 ? 'The host is as wanted' : `All ${formatCount(hosts.total, 'host')} are as wanted`;
  const parts = [
    hosts.drift > 0 ? `${formatCount(hosts.drift, 'host')} ${hosts.drift === 1 ? 'drifts' : 'drift'}` : null,
    hosts.unknown > 0 ? `${formatCount(hosts.unknown, 'host')} not known to be good` : null,
    hosts.silent > 0 ? `${formatCount(hosts.silent, 'host')} silent` : null,
  ];
  return parts.filter((part) => part !== null).join(', ');
}

function Overview({ summary }: { summary: Summary }) {
  const { hosts, evidence, remediations } = summary;
  return (
    <section className="overview" aria-label="Fleet">
      <Score value={summary.score} label="compliance score" />
      <dl className="figures">
        <Figure name="hosts" value={hosts.total} detail={`${hosts.good.toLocaleString('en')} good`} />
        <Figure
          name="drifting"
          value={hosts.drift}
          detail={`${remediations.open} being healed`}
          bad={hosts.drift > 0}
        />
        <Figure
          name="unknown or silent"
          value={hosts.unknown + hosts.silent}
          detail="never counted as good"
          bad={hosts.unknown + hosts.silent > 0}
        />
        <Figure name="healed in 24 h" value={remediations.fixed24h} detail={`${remediations.reverted24h} reverted`} />
        <Figure
          name="evidence bundles"
          value={evidence.total}
          detail={evidence.unanchored === 0 ? 'all in the log' : `${evidence.unanchored} not yet in the log`}
        >
          newest <Age of={evidence.lastReceivedAt} />
        </Figure>
      </dl>
    </section>
  );
}

function Figure({
  name,
  value,
  detail,
  bad = false,
  children,
}: {
  name: string;
  value: number;
  detail: string;
  bad?: boolean;
  children?: ReactNode;
}) {
  return (
    <div className={bad ? 'figure figure-bad' : 'figure'}>
      <dt>{name}</dt>
      <dd>
        <span className="figure-value">{value.toLocaleString('en')}</span>
        <span className="quiet">{detail}</span>
        {children === undefined ? null : <span className="quiet">{children}</span>}
      </dd>
    </div>
  );
}

function AttentionItem({ item }: { item: Attention }) {
  return (
    <li className="attention-item">
      <Badge state={item.severity} />
      <div>
        <strong>
          {item.gate !== undefined ? (
            <Link to="/gates/$gate" params={{ gate: item.gate }}>
              {item.title}
            </Link>
          ) : item.hostId === null ? (
            item.title
          ) : (
            <Link to="/hosts/$hostId" params={{ hostId: item.hostId }}>
              {item.title}
            </Link>
          )}
        </strong>
        <p>{item.nextStep}</p>
      </div>
      <span className="quiet">
        since <Clock of={item.since} />, <Age of={item.since} />
        {item.bundleId === null ? null : (
          <>
            {' · '}
            <Link to="/evidence/$bundleId" params={{ bundleId: item.bundleId }}>
              evidence
            </Link>
          </>
        )}
      </span>
    </li>
  );
}
