import type { EvidenceDetail, Session } from '@holdfast/api';
import type { Action } from '@holdfast/evidence/statement';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api } from '../api.ts';
import { formatInstant, formatJson } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { FindingCard } from '../parts/finding.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Verification } from '../parts/verification.tsx';

const route = getRouteApi('/shell/evidence/$bundleId');

/** One bundle: what it says, and whether it is true that it was said (W-06). */
export function EvidencePage({ session }: { session: Session }) {
  const { bundleId } = route.useParams();
  // A bundle never changes: once loaded it is not asked for again.
  const detail = useQuery({
    queryKey: ['bundle', bundleId],
    queryFn: () => api.evidenceDetail(bundleId),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    meta: { isFinal: true },
  });
  return (
    <Loaded query={detail}>
      {(data) => (
        <>
          <Heading detail={data} />
          <Verification detail={data} orgId={session.orgId} />
          <Facts detail={data} />
          {data.predicate.actions.length === 0 ? null : <Actions actions={data.predicate.actions} />}
          {data.predicate.findings.length === 0 ? null : (
            <section aria-labelledby="findings">
              <h2 id="findings">Findings</h2>
              <div className="stack">
                {data.predicate.findings
                  .toSorted((a, b) => Number(a.status === 'pass') - Number(b.status === 'pass'))
                  .map((finding) => (
                    <FindingCard key={`${finding.kind}-${finding.subject}`} finding={finding} />
                  ))}
              </div>
            </section>
          )}
          <States predicate={data.predicate} />
        </>
      )}
    </Loaded>
  );
}

/** A change has a before and an after; a check only what it saw. */
function States({ predicate }: { predicate: EvidenceDetail['predicate'] }) {
  const { preState, postState } = predicate;
  const sides = [
    [postState === null ? 'observed' : 'before', preState],
    [preState === null ? 'observed' : 'after', postState],
  ] as const;
  const known = sides.filter(([, state]) => state !== null);
  if (known.length === 0) return null;
  return (
    <section aria-labelledby="states">
      <h2 id="states">{known.length === 2 ? 'Before and after' : 'What was observed'}</h2>
      <dl className="sides">
        {known.map(([name, state]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <pre tabIndex={0} aria-label={name}>
                {formatJson(state)}
              </pre>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Heading({ detail: { row } }: { detail: EvidenceDetail }) {
  return (
    <header>
      <h1>
        {row.check ?? row.operation ?? row.kind} <Badge state={row.outcome} />
        {row.simulated ? <span className="tag">simulated</span> : null}
      </h1>
      <p className="quiet">
        {row.kind} on{' '}
        <Link to="/hosts/$hostId" params={{ hostId: row.hostId }}>
          {row.hostName}
        </Link>{' '}
        · {formatInstant(row.started)} · <code>{row.bundleId}</code>
      </p>
      <p>
        <a
          className="button"
          href={`/api/v1/evidence/${row.bundleId}/bundle`}
          download={`${row.bundleId}.bundle.dsse.json`}
        >
          Download bundle
        </a>
      </p>
    </header>
  );
}

function Facts({ detail: { predicate, row } }: { detail: EvidenceDetail }) {
  const facts: readonly (readonly [string, string | null])[] = [
    ['observed by', predicate.observedBy],
    ['asked by', predicate.principal],
    [
      'decision',
      predicate.decision === null ? null : `${predicate.decision.effect}: ${predicate.decision.reasons.join('; ')}`,
    ],
    ['started', formatInstant(predicate.started)],
    ['took', `${Date.parse(predicate.ended) - Date.parse(predicate.started)} ms`],
    ['policy hash', knownText(predicate.policyHash)],
    ['baseline hash', knownText(predicate.baselineHash)],
    [
      'clock',
      `${predicate.clock.status}, offset ${'value' in predicate.clock.offsetMs ? `${predicate.clock.offsetMs.value.toFixed(1)} ms` : knownText(predicate.clock.offsetMs)}`,
    ],
    ['rollback', predicate.rollbackAvailable ? (predicate.rollbackRef ?? 'available') : null],
    ['order', predicate.orderId],
    ['error', predicate.error === null ? null : `${predicate.error.code}: ${predicate.error.message}`],
    [
      'redacted',
      Object.entries(predicate.redactions)
        .map(([kind, count]) => `${count} × ${kind}`)
        .join(', ') || 'nothing',
    ],
    ['received', `${formatInstant(row.receivedAt)}${row.late ? ' (late)' : ''}`],
  ];
  return (
    <section aria-labelledby="facts">
      <h2 id="facts">What it says</h2>
      <dl className="facts">
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
    </section>
  );
}

function knownText(known: { value: string | number } | { unknown: string }): string {
  return 'value' in known ? String(known.value) : `unknown: ${known.unknown}`;
}

function Actions({ actions }: { actions: readonly Action[] }) {
  return (
    <section aria-labelledby="actions">
      <h2 id="actions">Actions</h2>
      <div className="scroll" role="region" aria-label="Steps that were taken" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">Action</th>
              <th scope="col">Result</th>
              <th scope="col">Took</th>
            </tr>
          </thead>
          <tbody>
            {actions.map(({ step, action, result, durationMs, excerpt }) => (
              <tr key={step}>
                <td>{step}</td>
                <td>
                  {action}
                  {excerpt === null ? null : <pre>{excerpt}</pre>}
                </td>
                <td>{result}</td>
                <td>{durationMs.toFixed(1)} ms</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
