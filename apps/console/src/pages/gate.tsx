import type { GateView } from '@holdfast/api';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { api, ApiError } from '../api.ts';
import { formatCount, formatInstant } from '../format.ts';
import { GateBoard } from '../parts/gate-board.tsx';
import { GateSteps } from '../parts/gate-steps.tsx';
import {
  GateConditions,
  GateFindings,
  GateRisks,
  GateRuns,
  GateSurfaces,
  GateVerdicts,
} from '../parts/gate-tables.tsx';
import { GateVerdict } from '../parts/gate-verdict.tsx';
import { Loaded } from '../parts/loaded.tsx';

/** One release gate: what it stands at and why, who does what by when, then board, dates and evidence (W-09). Prints as a report. */
export function GatePage() {
  const { gate } = useParams({ from: '/shell/gates/$gate' });
  const view = useQuery({ queryKey: ['gates', gate], queryFn: () => api.gate(gate) });
  // 400 and 422: what stands in the address cannot be the id of a gate.
  if (view.error instanceof ApiError && [400, 404, 422].includes(view.error.status)) return <NoGate gate={gate} />;
  if (view.data !== undefined) return <Gate view={view.data} />;
  return (
    <>
      <h1>Release gate {gate}</h1>
      <Loaded query={view}>{() => null}</Loaded>
    </>
  );
}

function NoGate({ gate }: { gate: string }) {
  return (
    <>
      <h1>There is no such gate</h1>
      <div className="notice">
        <p>
          Nothing was published here as <code className="breakable">{gate}</code>. In its repository:
        </p>
        <pre className="command">holdfast gate publish</pre>
        <p>
          <Link to="/gates">All gates</Link>
        </p>
      </div>
    </>
  );
}

const SECTIONS = [
  { id: 'steps', name: 'Who does what', content: GateSteps },
  { id: 'board', name: 'Board', content: GateBoard },
  { id: 'conditions', name: 'Conditions', content: GateConditions },
  { id: 'risks', name: 'Residual risks', content: GateRisks },
  { id: 'findings', name: 'Findings', content: GateFindings },
  { id: 'scope', name: 'Scope', content: GateSurfaces },
  { id: 'verdicts', name: 'Verdicts', content: GateVerdicts },
  { id: 'rollout', name: 'Rolling it out', content: Rollout },
  { id: 'evidence', name: 'Evidence', content: GateRuns },
] as const;

function Gate({ view }: { view: GateView }) {
  return (
    <article className="gate">
      <p className="print-only quiet">Release gate report, judged {formatInstant(view.asOf)}</p>
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
      <GateVerdict view={view} />
      <Figures view={view} />
      <nav className="sections no-print" aria-label="On this page">
        {SECTIONS.map(({ id, name }) => (
          <a key={id} href={`#${id}`}>
            {name}
          </a>
        ))}
      </nav>
      {SECTIONS.map(({ id, name, content: Content }) => (
        <section key={id} aria-labelledby={id}>
          <h2 id={id}>{name}</h2>
          <Content view={view} />
        </section>
      ))}
      <footer className="quiet">
        <p>
          Judged {formatInstant(view.asOf)} from a log of {formatCount(view.log.size, 'record')}, root{' '}
          <code className="breakable">{view.log.root}</code>, gate file revision {view.revision}{' '}
          <code className="breakable">{view.policyDigest}</code>. Anyone with the bundle and the pinned keys gets the
          same verdict: <code className="breakable">holdfast gate verify {view.gate}.tar --keys pins.json</code>
        </p>
      </footer>
    </article>
  );
}

function Figures({ view: { packets, surfaces, findings } }: { view: GateView }) {
  const approved = packets.filter(({ review }) => review === 'APPROVED').length;
  const covered = surfaces.filter(({ coveredBy }) => coveredBy.length > 0).length;
  const open = findings.filter(({ status }) => status === 'open' || status === 'accepted');
  return (
    <dl className="figures">
      <Figure name="packets approved" value={`${approved} of ${packets.length}`} />
      <Figure
        name="surfaces covered"
        value={`${covered} of ${surfaces.length}`}
        isBad={covered < surfaces.length || covered === 0}
      />
      {(['P0', 'P1', 'P2'] as const).map((severity) => {
        const count = open.filter((finding) => finding.severity === severity).length;
        return (
          <Figure
            key={severity}
            name={`${severity} not resolved`}
            value={count.toLocaleString('en')}
            isBad={count > 0 && severity !== 'P2'}
          />
        );
      })}
    </dl>
  );
}

function Figure({ name, value, isBad = false }: { name: string; value: string; isBad?: boolean }) {
  return (
    <div className={isBad ? 'figure figure-bad' : 'figure'}>
      <dt>{name}</dt>
      <dd>
        <span className="figure-value">{value}</span>
      </dd>
    </div>
  );
}

function Rollout({ view: { operatorList, rollbackTriggers } }: { view: GateView }) {
  if (operatorList.length + rollbackTriggers.length === 0)
    return (
      <p className="quiet">The gate file tells whoever deploys nothing: no steps, and nothing to roll back for.</p>
    );
  return (
    <>
      {operatorList.length === 0 ? null : (
        <ol>
          {operatorList.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ol>
      )}
      {rollbackTriggers.length === 0 ? null : (
        <>
          <h3>Roll back when</h3>
          <ul>
            {rollbackTriggers.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
