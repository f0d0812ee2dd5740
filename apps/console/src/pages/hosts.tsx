import type { HostView } from '@holdfast/api';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api } from '../api.ts';
import { Age } from '../parts/age.tsx';
import { Badge } from '../parts/badge.tsx';
import { Loaded } from '../parts/loaded.tsx';

const STATES: readonly HostView['state'][] = ['good', 'drift', 'healing', 'unknown', 'silent', 'frozen'];

/** All hosts: searched, filtered and paged by the server, so that 10,000 are as light as ten (W-03). */
export function HostsPage() {
  const [q, setQ] = useState('');
  const [state, setState] = useState('');
  const [dense, setDense] = useState(false);
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1);
  const hosts = useQuery({
    queryKey: ['hosts', q, state, cursor],
    queryFn: () => api.hosts({ ...parseSearch(q), state, cursor }),
    placeholderData: keepPreviousData,
  });
  const restart = (change: () => void): void => {
    change();
    setCursors([]);
  };
  return (
    <>
      <h1>Hosts</h1>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search
          <input
            type="search"
            value={q}
            placeholder="name or label=value"
            onChange={(event) => restart(() => setQ(event.target.value))}
          />
        </label>
        <label>
          State
          <select value={state} onChange={(event) => restart(() => setState(event.target.value))}>
            <option value="">any</option>
            {STATES.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label className="inline">
          <input type="checkbox" checked={dense} onChange={(event) => setDense(event.target.checked)} /> dense
        </label>
      </form>
      <Loaded query={hosts}>
        {({ items, nextCursor }) => (
          <>
            {items.length === 0 ? <p className="quiet">No host matches.</p> : <HostTable hosts={items} dense={dense} />}
            <nav className="pager" aria-label="Pages">
              <button type="button" disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
                Previous
              </button>
              <span className="quiet">page {cursors.length + 1}</span>
              <button
                type="button"
                disabled={nextCursor === null}
                onClick={() => (nextCursor === null ? undefined : setCursors([...cursors, nextCursor]))}
              >
                Next
              </button>
            </nav>
          </>
        )}
      </Loaded>
    </>
  );
}

/** `role=web` or `role=` looks for a label, anything else for a part of the name. */
function parseSearch(text: string): { q?: string; label?: string } {
  const trimmed = text.trim();
  return trimmed.includes('=') ? { label: trimmed.replace(/=$/, '') } : { q: trimmed };
}

function HostTable({ hosts, dense }: { hosts: readonly HostView[]; dense: boolean }) {
  return (
    <div className="scroll" role="region" aria-label="Hosts" tabIndex={0}>
      <table className={dense ? 'cards dense' : 'cards'}>
        <thead>
          <tr>
            <th scope="col">Host</th>
            <th scope="col">State</th>
            <th scope="col">Score</th>
            <th scope="col">Checks</th>
            <th scope="col">Last seen</th>
            <th scope="col">Labels</th>
            <th scope="col">Platform</th>
          </tr>
        </thead>
        <tbody>
          {hosts.map((host) => (
            <tr key={host.hostId}>
              <th scope="row">
                <Link to="/hosts/$hostId" params={{ hostId: host.hostId }}>
                  {host.name}
                </Link>
                {host.simulated ? <span className="tag">simulated</span> : null}
              </th>
              <td data-name="state">
                <Badge state={host.state} />
              </td>
              <td data-name="score">{host.score === null ? 'no data' : `${Math.floor(host.score)} %`}</td>
              <td data-name="checks">
                <CheckDots host={host} />
              </td>
              <td data-name="seen">
                <Age of={host.lastSeenAt} />
              </td>
              <td data-name="labels">
                {Object.entries(host.labels).map(([name, value]) => (
                  <span key={name} className="tag">
                    {name}={value}
                  </span>
                ))}
              </td>
              <td className="quiet" data-name="platform">
                {host.platform.distribution} {host.platform.version}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CheckDots({ host }: { host: HostView }) {
  const good = host.checks.filter(({ status, stale }) => status === 'pass' && !stale).length;
  const others = host.checks.filter(({ status, stale }) => status !== 'pass' || stale);
  return (
    <span className="tally">
      {good} of {host.checks.length} pass
      {others.map(({ check, status, stale }) => (
        <Badge key={check} state={stale ? 'stale' : status}>
          {check}
        </Badge>
      ))}
    </span>
  );
}
