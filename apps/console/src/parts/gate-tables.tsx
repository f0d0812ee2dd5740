/** The tables of one gate's page. Each says so when it is empty: nothing is left to be inferred from silence. */
import type { GateRun, GateView } from '@holdfast/api';
import type { ReactNode } from 'react';
import { formatInstant } from '../format.ts';
import { Badge } from './badge.tsx';
import { ShowAll, useBounded } from './bounded.tsx';
import { DueDate } from './due-date.tsx';
import { nameOf, Person } from './person.tsx';

/** A table is for looking things up; the first of them are what matters most. */
const SHOWN_ROWS = 20;

interface Column<T> {
  readonly name: string;
  readonly cell: (row: T, view: GateView) => ReactNode;
}

type Columns<T> = readonly [Column<T>, ...Column<T>[]];

function Table<T>(props: {
  label: string;
  what: string;
  view: GateView;
  rows: readonly T[];
  columns: Columns<T>;
  keyOf: (row: T) => string;
  empty: string;
}) {
  const { label, what, view, rows, columns, keyOf, empty } = props;
  const bounded = useBounded(rows, SHOWN_ROWS);
  const [head, ...rest] = columns;
  if (rows.length === 0) return <p className="quiet">{empty}</p>;
  return (
    <>
      <div className="scroll" role="region" aria-label={`Table of ${label.toLowerCase()}`} tabIndex={0}>
        <table className="cards">
          <thead>
            <tr>
              {columns.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bounded.shown.map((row) => (
              <tr key={keyOf(row)}>
                <th scope="row">{head.cell(row, view)}</th>
                {rest.map(({ name, cell }) => (
                  <td key={name} data-name={name.toLowerCase()}>
                    {cell(row, view)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ShowAll bounded={bounded} what={what} />
    </>
  );
}

interface View {
  readonly view: GateView;
}

const CONDITIONS: Columns<GateView['conditions'][number]> = [
  { name: 'Condition', cell: ({ id, text }) => `${id}: ${text}` },
  { name: 'Status', cell: ({ status }) => <Badge state={status} /> },
  { name: 'Finding', cell: ({ finding }) => finding },
  { name: 'Met when', cell: ({ command }) => <code>{command}</code> },
  { name: 'Owner', cell: ({ owner }, { people }) => <Person id={owner} people={people} /> },
  { name: 'Due', cell: ({ due }, { asOf }) => <DueDate date={due} asOf={asOf} /> },
  { name: 'Expires', cell: ({ expires }, { asOf }) => <DueDate date={expires} asOf={asOf} /> },
  { name: 'Approved by', cell: ({ approvers }, { people }) => approvers.map((id) => nameOf(people, id)).join(', ') },
];

export function GateConditions({ view }: View) {
  return (
    <Table
      label="Conditions"
      what="condition"
      view={view}
      rows={view.conditions}
      keyOf={({ id, finding }) => `${id} ${finding}`}
      empty="No finding is accepted: there are no conditions."
      columns={CONDITIONS}
    />
  );
}

const RISKS: Columns<GateView['risks'][number]> = [
  { name: 'Risk', cell: ({ id, text }) => `${id}: ${text}` },
  { name: 'Status', cell: ({ status }) => <Badge state={status} /> },
  { name: 'Owner', cell: ({ owner }, { people }) => <Person id={owner} people={people} /> },
  {
    name: 'Due',
    cell: ({ due, status }, { asOf }) => (status === 'closed' ? due : <DueDate date={due} asOf={asOf} />),
  },
  { name: 'Moved', cell: ({ waivers }) => (waivers === 0 ? 'never' : waivers === 1 ? 'once' : `${waivers} times`) },
];

export function GateRisks({ view }: View) {
  return (
    <Table
      label="Residual risks"
      what="risk"
      view={view}
      rows={view.risks}
      keyOf={({ id }) => id}
      empty="No residual risk is on record."
      columns={RISKS}
    />
  );
}

/** What is open and grave first. */
const byWeight = (findings: GateView['findings']): GateView['findings'] =>
  findings.toSorted(
    (a, b) => Number(WAITING.has(b.status)) - Number(WAITING.has(a.status)) || a.severity.localeCompare(b.severity),
  );
const WAITING: ReadonlySet<string> = new Set(['open', 'accepted']);

const FINDINGS: Columns<GateView['findings'][number]> = [
  { name: 'Finding', cell: ({ id, title }) => `${id}: ${title}` },
  { name: 'Severity', cell: ({ severity }) => <Badge state={severity} /> },
  {
    name: 'Status',
    cell: ({ status, condition }) => (
      <>
        <Badge state={status} />
        {condition === null ? null : <> as {condition}</>}
      </>
    ),
  },
  { name: 'Where', cell: ({ location }) => <code className="breakable">{location}</code> },
  { name: 'Surface', cell: ({ surface }) => surface ?? 'none' },
  { name: 'Clause', cell: ({ clause }) => clause ?? 'none' },
  { name: 'Found by', cell: ({ origin }) => origin.replaceAll('-', ' ') },
];

export function GateFindings({ view }: View) {
  return (
    <Table
      label="Findings"
      what="finding"
      view={view}
      rows={byWeight(view.findings)}
      keyOf={({ id }) => id}
      empty="Nothing was found, by people or by scanners."
      columns={FINDINGS}
    />
  );
}

const SURFACES: Columns<GateView['surfaces'][number]> = [
  { name: 'Surface', cell: ({ title }) => title },
  { name: 'P0 can arise', cell: ({ p0 }) => (p0 ? 'yes' : 'no') },
  {
    name: 'Reached by',
    cell: ({ coveredBy }) => (coveredBy.length === 0 ? <Badge state="uncovered" /> : coveredBy.join(', ')),
  },
  {
    name: 'In the milestone',
    cell: ({ inMilestone }) => (inMilestone.length === 0 ? 'no' : inMilestone.join(', ')),
  },
];

export function GateSurfaces({ view }: View) {
  return (
    <>
      <Table
        label="Surfaces"
        what="surface"
        view={view}
        rows={view.surfaces}
        keyOf={({ id }) => id}
        empty="The gate has no scope."
        columns={SURFACES}
      />
      {view.outOfScope.map(({ what, reason }) => (
        <p key={what} className="quiet">
          Out of scope: {what}, because {reason}
        </p>
      ))}
    </>
  );
}

const VERDICTS: Columns<GateView['verdicts'][number]> = [
  { name: 'Issued', cell: ({ at }) => formatInstant(at) },
  { name: 'Verdict', cell: ({ verdict }) => <Badge state={verdict} /> },
  { name: 'By', cell: ({ issuer }, { people }) => <Person id={issuer} people={people} /> },
  { name: 'Follows', cell: ({ addendum }) => (addendum ? 'an addendum that met its conditions' : 'the evidence') },
  { name: 'Commit', cell: ({ commit }) => <code className="breakable">{commit.slice(0, 12)}</code> },
  { name: 'Record', cell: ({ leaf }) => <code className="breakable">{leaf.slice(0, 12)}</code> },
];

export function GateVerdicts({ view }: View) {
  return (
    <Table
      label="Verdicts"
      what="verdict"
      view={view}
      rows={view.verdicts.toReversed()}
      keyOf={({ leaf }) => leaf}
      empty="No verdict has been issued."
      columns={VERDICTS}
    />
  );
}

const countTests = ({ tests }: GateRun): string =>
  tests === null ? 'none' : `${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`;

const endOf = ({ ending, exitCode }: GateRun): string =>
  ending === 'itself' ? `exit ${exitCode ?? 'unknown'}` : ending;

const RUNS: Columns<GateRun> = [
  { name: 'Command', cell: ({ command }) => command },
  { name: 'Started', cell: ({ startedAt }) => formatInstant(startedAt) },
  { name: 'Ended', cell: (run) => <Badge state={endOf(run)} /> },
  { name: 'Tests', cell: countTests },
  { name: 'For', cell: ({ packet, role }) => `${packet ?? 'the verdict'} (${role})` },
  { name: 'By', cell: ({ author }, { people }) => nameOf(people, author) },
  { name: 'Took', cell: ({ durationMs }) => `${(durationMs / 1_000).toFixed(1)} s` },
  { name: 'Commit', cell: ({ commit }) => <code>{commit.slice(0, 12)}</code> },
];

export function GateRuns({ view }: View) {
  return (
    <Table
      label="Evidence"
      what="run"
      view={view}
      rows={view.runs}
      keyOf={({ run }) => run}
      empty="No command has been run."
      columns={RUNS}
    />
  );
}
