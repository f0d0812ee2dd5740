import type { GateView } from '@holdfast/api';
import { Badge } from './badge.tsx';
import { type GatePacket, planBoard } from './plan-board.ts';

/** Packets and what they wait for: every dependency points to the left. */
export function GateBoard({ packets, people }: Pick<GateView, 'packets' | 'people'>) {
  const names = new Map(people.map(({ id, name }) => [id, name]));
  return (
    <div className="scroll" role="region" aria-label="Board" tabIndex={0}>
      <ol className="board">
        {planBoard(packets).map((column) => (
          <li key={column[0]?.id ?? ''} className="board-column">
            <ul>
              {column.map((packet) => (
                <Packet key={packet.id} packet={packet} names={names} />
              ))}
            </ul>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Packet({ packet, names }: { packet: GatePacket; names: ReadonlyMap<string, string> }) {
  const state = packet.review === 'none' ? packet.state : packet.review;
  const invalid = packet.evidence.filter(({ valid }) => !valid);
  return (
    <li className="packet" id={`packet-${packet.id}`}>
      <header>
        <Badge state={state} /> <span className="quiet">{packet.id}</span>
      </header>
      <strong>{packet.title}</strong>
      <span className="quiet">
        {names.get(packet.implementer) ?? packet.implementer}, reviewed by{' '}
        {names.get(packet.reviewer) ?? packet.reviewer}
      </span>
      {packet.needs.length === 0 ? null : <span className="quiet">after {packet.needs.join(', ')}</span>}
      {packet.note === null ? null : <span>{packet.note}</span>}
      {packet.state === 'PENDING' || invalid.length === 0 ? null : (
        <ul className="reasons">
          {invalid.map(({ command, role, invalid: why }) => (
            <li key={`${role} ${command}`}>
              <code>{command}</code> by the {role}: {why.join(', ')}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
