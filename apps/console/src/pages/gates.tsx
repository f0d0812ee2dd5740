import type { GateRow } from '@holdfast/api';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api } from '../api.ts';
import { Age } from '../parts/age.tsx';
import { Badge } from '../parts/badge.tsx';
import { DueDate } from '../parts/due-date.tsx';
import { Loaded } from '../parts/loaded.tsx';

/** Every release gate of the org, with what its last verdict is worth now (W-09). */
export function GatesPage() {
  const gates = useQuery({ queryKey: ['gates'], queryFn: api.gates });
  return (
    <>
      <h1>Release gates</h1>
      <Loaded query={gates}>{({ items }) => (items.length === 0 ? <NoGates /> : <GateTable gates={items} />)}</Loaded>
    </>
  );
}

function NoGates() {
  return (
    <div className="notice">
      <p>No gate has been published here. In a repository with a gate file:</p>
      <pre className="command">holdfast gate pins &gt; pins.json{'\n'}holdfast gate publish --keys pins.json</pre>
      <p className="quiet">A gate works without this server too; here you see it with its people and dates.</p>
    </div>
  );
}

/** What may not be released stands first. */
const WORST_FIRST: readonly GateRow['standing'][] = [
  'NO_GO',
  'STALE',
  'INCONCLUSIVE',
  'NONE',
  'GO_WITH_CONDITIONS',
  'GO',
];

const weightOf = ({ standing }: GateRow): number => WORST_FIRST.indexOf(standing);

function GateTable({ gates }: { gates: readonly GateRow[] }) {
  return (
    <div className="scroll" role="region" aria-label="Release gates" tabIndex={0}>
      <table className="cards">
        <thead>
          <tr>
            <th scope="col">Gate</th>
            <th scope="col">Release</th>
            <th scope="col">Stands at</th>
            <th scope="col">Packets</th>
            <th scope="col">Open findings</th>
            <th scope="col">Conditions</th>
            <th scope="col">Next date</th>
            <th scope="col">Received</th>
          </tr>
        </thead>
        <tbody>
          {gates
            .toSorted((a, b) => weightOf(a) - weightOf(b))
            .map((gate) => (
              <tr key={gate.gate}>
                <th scope="row">
                  <Link to="/gates/$gate" params={{ gate: gate.gate }}>
                    {gate.title}
                  </Link>
                </th>
                <td data-name="release">{gate.release}</td>
                <td data-name="stands at">
                  <Badge state={gate.standing}>{gate.standing === 'NONE' ? 'no verdict yet' : null}</Badge>
                </td>
                <td data-name="packets">
                  {gate.packets.approved} of {gate.packets.total} approved
                </td>
                <td data-name="findings">
                  P0 {gate.openFindings.P0} · P1 {gate.openFindings.P1} · P2 {gate.openFindings.P2}
                </td>
                <td data-name="conditions">{gate.conditions}</td>
                <td data-name="next date">
                  {gate.nextDate === null ? (
                    <span className="quiet">none</span>
                  ) : (
                    <DueDate date={gate.nextDate} asOf={gate.asOf} />
                  )}
                </td>
                <td data-name="received">
                  <Age of={gate.receivedAt} />
                </td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}
