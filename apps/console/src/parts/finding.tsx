import type { Finding } from '@holdfast/evidence/statement';
import { formatJson } from '../format.ts';
import { Badge } from './badge.tsx';
import { Diff } from './diff.tsx';

/** One finding: what was seen beside what was expected, and what would mend it. */
export function FindingCard({ finding }: { finding: Finding }) {
  const differs = finding.status !== 'pass';
  const isCompared = finding.expected !== null || finding.observed !== null;
  return (
    <article className="finding">
      <header>
        <Badge state={finding.status} />
        <strong>{finding.subject}</strong>
        {differs ? <Badge state={finding.severity} /> : null}
      </header>
      <p>{finding.message}</p>
      {differs && finding.diff !== null ? <Diff text={finding.diff} /> : null}
      {differs && isCompared && finding.diff === null ? (
        <dl className="sides">
          <div>
            <dt>expected</dt>
            <dd>
              <pre>{formatJson(finding.expected)}</pre>
            </dd>
          </div>
          <div>
            <dt>observed</dt>
            <dd>
              <pre>{formatJson(finding.observed)}</pre>
            </dd>
          </div>
        </dl>
      ) : null}
      <footer className="quiet">
        {Object.entries(finding.controls).map(([framework, ids]) => (
          <span key={framework}>
            {framework}: {ids.join(', ')}
          </span>
        ))}
        {differs ? (
          <span>
            {finding.remediation === null
              ? 'no automatic remediation: a person is needed'
              : `remediation: ${finding.remediation.operation}`}
          </span>
        ) : null}
      </footer>
    </article>
  );
}
