import type { GateView } from '@holdfast/api';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { api } from '../api.ts';
import { formatCount, formatInstant } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { GateBoard } from '../parts/gate-board.tsx';
import {
  GateConditions,
  GateFindings,
  GateRisks,
  GateRuns,
  GateSurfaces,
  GateVerdicts,
} from '../parts/gate-tables.tsx';
import { Loaded } from '../parts/loaded.tsx';

/** One release gate: what its verdict is worth and why, its board, its evidence, what lapses when (W-09). Prints as a report. */
export function GatePage() {
  const { gate } = useParams({ from: '/shell/gates/$gate' });
  const view = useQuery({ queryKey: ['gates', gate], queryFn: () => api.gate(gate) });
  return <Loaded query={view}>{(data) => <Gate view={data} />}</Loaded>;
}

function Gate({ view }: { view: GateView }) {
  const approved = view.packets.filter(({ review }) => review === 'APPROVED').length;
  const open = view.findings.filter(({ status }) => status === 'open' || status === 'accepted');
  return (
    <article className="gate">
      <header className="host-header">
        <h1>
          {view.title} <span className="tag">{view.release}</span>
        </h1>
        <p className="no-print">
          <button type="button" onClick={() => window.print()}>
            Print report
          </button>{' '}
          <a className="button" href={`/api/v1/gates/${view.gate}/bundle`} download>
            Download bundle
          </a>
        </p>
      </header>
      <Verdict view={view} />
      <dl className="figures">
        <Figure name="packets approved" value={`${approved} of ${view.packets.length}`} bad={false} />
        <Figure
          name="surfaces covered"
          value={`${view.surfaces.filter(({ coveredBy }) => coveredBy.length > 0).length} of ${view.surfaces.length}`}
          bad={view.surfaces.some(({ coveredBy }) => coveredBy.length === 0)}
        />
        {(['P0', 'P1', 'P2'] as const).map((severity) => {
          const count = open.filter((finding) => finding.severity === severity).length;
          return (
            <Figure
              key={severity}
              name={`${severity} not resolved`}
              value={String(count)}
              bad={count > 0 && severity !== 'P2'}
            />
          );
        })}
      </dl>
      <h2>Board</h2>
      <GateBoard packets={view.packets} people={view.people} />
      <h2>Conditions</h2>
      <GateConditions view={view} />
      <h2>Residual risks</h2>
      <GateRisks view={view} />
      <h2>Findings</h2>
      <GateFindings view={view} />
      <h2>Scope</h2>
      <GateSurfaces view={view} />
      <h2>Verdicts</h2>
      <GateVerdicts view={view} />
      <Lists view={view} />
      <h2>Evidence</h2>
      <GateRuns view={view} />
      <footer className="quiet">
        <p>
          Judged {formatInstant(view.asOf)} from a log of {formatCount(view.log.size, 'record')}, root{' '}
          <code className="breakable">{view.log.root}</code>, gate file revision {view.revision}{' '}
          <code className="breakable">{view.policyDigest}</code>. Anyone with the bundle and the pinned keys gets the
          same verdict: <code>holdfast gate verify {view.gate}.tar --keys pins.json</code>
        </p>
      </footer>
    </article>
  );
}

/** What the last verdict is worth now, what one issued now would be, and every reason. */
function Verdict({ view }: { view: GateView }) {
  const tone = view.standing === 'GO' ? 'good' : view.standing === 'NO_GO' ? 'bad' : 'warn';
  const reasons = view.standingReasons.length > 0 ? view.standingReasons : view.reasons;
  return (
    <section className={`verification verification-${tone}`} aria-label="Verdict">
      <h2>
        {view.standing === 'NONE' ? 'No verdict yet' : view.standing.replaceAll('_', ' ')}{' '}
        {view.verdict === view.standing ? null : (
          <span className="quiet">
            a verdict issued now would be <Badge state={view.verdict} />
          </span>
        )}
      </h2>
      <p className="quiet">
        for <code className="breakable">{view.candidate.commit}</code> of <code>{view.resource}</code>
      </p>
      {reasons.length === 0 ? <p>Nothing stands against it.</p> : null}
      <ul className="reasons">
        {reasons.map(({ code, rule, subject, text }) => (
          <li key={`${code} ${subject} ${text}`}>
            <span className="tag">{rule}</span> {text}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Figure({ name, value, bad }: { name: string; value: string; bad: boolean }) {
  return (
    <div className={bad ? 'figure figure-bad' : 'figure'}>
      <dt>{name}</dt>
      <dd>
        <span className="figure-value">{value}</span>
      </dd>
    </div>
  );
}

function Lists({ view }: { view: GateView }) {
  return (
    <>
      {view.rollbackTriggers.length === 0 ? null : (
        <>
          <h2>Roll back when</h2>
          <ul>
            {view.rollbackTriggers.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </>
      )}
      {view.operatorList.length === 0 ? null : (
        <>
          <h2>For whoever deploys</h2>
          <ol>
            {view.operatorList.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ol>
        </>
      )}
    </>
  );
}
