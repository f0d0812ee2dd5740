import type { EvidenceRow } from '@holdfast/api';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, type EvidenceFilter } from '../api.ts';
import { formatInstant } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { Loaded } from '../parts/loaded.tsx';

/** The built-in ones; a site's own are those that hosts reported. */
const CHECKS = ['firewall', 'services', 'logging', 'files', 'ports', 'accounts', 'time_sync', 'certificates'];
const OUTCOMES = [
  'pass',
  'fail',
  'unknown',
  'error',
  'done',
  'committed',
  'reverted',
  'failed',
  'deferred',
  'alert',
  'deny',
  'rejected',
  'expired',
];
const KINDS: readonly EvidenceRow['kind'][] = ['check', 'change', 'command', 'decision', 'order'];

/** All evidence, newest first, by check, outcome, kind and date (W-06). */
export function EvidenceListPage() {
  const [filter, setFilter] = useState<EvidenceFilter>({});
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1);
  const evidence = useQuery({
    queryKey: ['evidence', filter, cursor],
    queryFn: () => api.evidence({ ...filter, cursor }),
    placeholderData: keepPreviousData,
  });
  const hosts = useQuery({ queryKey: ['hosts', 'names'], queryFn: () => api.hosts({}) });
  const reported = hosts.data?.items.flatMap(({ checks }) => checks.map(({ check }) => check)) ?? [];
  const change = (part: Partial<EvidenceFilter>): void => {
    setFilter({ ...filter, ...part });
    setCursors([]);
  };
  return (
    <>
      <h1>Evidence</h1>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Host
          <select onChange={(event) => change({ hostId: event.target.value === '' ? undefined : event.target.value })}>
            <option value="">any</option>
            {hosts.data?.items.map(({ hostId, name }) => (
              <option key={hostId} value={hostId}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Choice
          label="Check"
          options={[...new Set([...CHECKS, ...reported])]}
          onChange={(check) => change({ check })}
        />
        <Choice label="Outcome" options={OUTCOMES} onChange={(outcome) => change({ outcome })} />
        <Choice label="Kind" options={KINDS} onChange={(kind) => change({ kind })} />
        <label>
          From
          <input type="datetime-local" onChange={(event) => change({ from: toInstant(event.target.value) })} />
        </label>
        <label>
          To
          <input type="datetime-local" onChange={(event) => change({ to: toInstant(event.target.value) })} />
        </label>
      </form>
      <Loaded query={evidence}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 ? <p className="quiet">No evidence matches.</p> : <EvidenceTable rows={items} />}
            <nav className="pager" aria-label="Pages">
              <button type="button" disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
                Newer
              </button>
              <span className="quiet">page {cursors.length + 1}</span>
              <button
                type="button"
                disabled={nextCursor === null}
                onClick={() => (nextCursor === null ? undefined : setCursors([...cursors, nextCursor]))}
              >
                Older
              </button>
            </nav>
          </>
        )}
      </Loaded>
    </>
  );
}

function toInstant(local: string): string | undefined {
  return local === '' ? undefined : new Date(local).toISOString();
}

function Choice({
  label,
  options,
  onChange,
}: {
  label: string;
  options: readonly string[];
  onChange: (value: string | undefined) => void;
}) {
  return (
    <label>
      {label}
      <select onChange={(event) => onChange(event.target.value === '' ? undefined : event.target.value)}>
        <option value="">any</option>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}

function EvidenceTable({ rows }: { rows: readonly EvidenceRow[] }) {
  return (
    <div className="scroll" role="region" aria-label="Evidence" tabIndex={0}>
      <table className="cards">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Host</th>
            <th scope="col">About</th>
            <th scope="col">Outcome</th>
            <th scope="col">Log index</th>
            <th scope="col">Digest</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.bundleId}>
              <th scope="row">
                <Link to="/evidence/$bundleId" params={{ bundleId: row.bundleId }}>
                  {formatInstant(row.started)}
                </Link>
                {row.late ? <span className="tag">late</span> : null}
              </th>
              <td data-name="host">
                <Link to="/hosts/$hostId" params={{ hostId: row.hostId }}>
                  {row.hostName}
                </Link>
                {row.simulated ? <span className="tag">simulated</span> : null}
              </td>
              <td data-name="about">
                <span className="tag">{row.kind}</span> {row.check ?? row.operation}
              </td>
              <td data-name="outcome">
                <Badge state={row.outcome} />
              </td>
              <td data-name="log index">{row.logIndex}</td>
              <td data-name="digest">
                <code>{row.digest.slice(0, 12)}…</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
