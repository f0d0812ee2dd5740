import type { GateView } from '@holdfast/api';
import { useState } from 'react';
import { formatCount } from '../format.ts';
import { Badge } from './badge.tsx';
import { ShowAll, useBounded } from './bounded.tsx';
import { nameOf, type People } from './person.tsx';
import { type GatePacket, planBoard } from './plan-board.ts';

/** Beyond a screen or two of cards one looks for some of them. */
const SHOWN_PACKETS = 24;
const FILTER_FROM = 12;
/** Beyond this many that fail alike, how many there are says more than which. */
const NAMED_ALIKE = 2;

type Evidence = GatePacket['evidence'];

/** What a packet is at, in one word: its review once it has one. */
const stateOf = ({ state, review }: GatePacket): string => (review === 'none' ? state : review);

/** Packets from the freeze to the milestone, step below step: everything waits for something above it. */
export function GateBoard({ view: { packets, people, milestone } }: { view: GateView }) {
  const [wanted, setWanted] = useState('');
  const states = Map.groupBy(packets, stateOf);
  const matching = packets.filter((packet) => wanted === '' || stateOf(packet) === wanted);
  const bounded = useBounded(matching, SHOWN_PACKETS);
  const shown = new Set(bounded.shown.map(({ id }) => id));
  const approved = states.get('APPROVED')?.length ?? 0;
  const steps = planBoard(packets)
    .map((step, at) => ({ number: at + 1, packets: step.filter(({ id }) => shown.has(id)) }))
    .filter((step) => step.packets.length > 0);
  return (
    <>
      <div className="board-head">
        <progress value={approved} max={Math.max(packets.length, 1)} aria-label="Packets approved" />
        <span>
          {[...states].map(([state, { length }]) => (
            <Badge key={state} state={state}>
              {length.toLocaleString('en')} {state.replaceAll('_', ' ').toLowerCase()}
            </Badge>
          ))}
        </span>
        {packets.length < FILTER_FROM ? null : (
          <label className="no-print">
            Show{' '}
            <select value={wanted} onChange={({ target }) => setWanted(target.value)}>
              <option value="">all packets</option>
              {[...states.keys()].map((state) => (
                <option key={state} value={state}>
                  {state.replaceAll('_', ' ').toLowerCase()}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <ol className="board">
        {steps.map((step) => (
          <li key={step.number} className="board-step" value={step.number}>
            <ul aria-label={`Step ${step.number}`}>
              {step.packets.map((packet) => (
                <Packet key={packet.id} packet={packet} people={people} />
              ))}
            </ul>
          </li>
        ))}
        {wanted === '' && bounded.rest === 0 ? <Milestone milestone={milestone} /> : null}
      </ol>
      <ShowAll bounded={bounded} what="packet" />
    </>
  );
}

function Packet({ packet, people }: { packet: GatePacket; people: People }) {
  const { id, title, implementer, reviewer, needs, note, evidence, state } = packet;
  return (
    <li>
      <article className="packet" aria-label={`Packet ${id}`}>
        <header>
          <span className="tag">{id}</span>
          <Badge state={stateOf(packet)} />
        </header>
        <strong>{title}</strong>
        <span className="quiet">
          {nameOf(people, implementer)}, reviewed by {nameOf(people, reviewer)}
          {needs.length === 0 ? null : <> · after {needs.join(', ')}</>}
        </span>
        {note === null ? null : <span>{note}</span>}
        {state === 'DONE' ? <EvidenceTally evidence={evidence} /> : null}
      </article>
    </li>
  );
}

/** The last step: what is run for the verdict itself. */
function Milestone({ milestone }: { milestone: Evidence }) {
  const isGood = milestone.length > 0 && milestone.every(({ valid }) => valid);
  return (
    <li className="board-step">
      <ul aria-label="Milestone">
        <li>
          <article className="packet" aria-label="Milestone">
            <header>
              <span className="tag">milestone</span>
              <Badge state={isGood ? 'pass' : 'not-evidenced'}>{isGood ? 'green' : 'not green'}</Badge>
            </header>
            <strong>Everything again, for the verdict</strong>
            <EvidenceTally evidence={milestone} />
          </article>
        </li>
      </ul>
    </li>
  );
}

/** How much of what is required counts, and why the rest does not. Before a packet is submitted there is nothing to count. */
function EvidenceTally({ evidence }: { evidence: Evidence }) {
  const invalid = evidence.filter(({ valid }) => !valid);
  const failed = evidence.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0);
  if (evidence.length === 0) return null;
  const causes = Map.groupBy(invalid, ({ invalid: why }) => why.join(', ').replaceAll('-', ' '));
  return (
    <>
      <span className={invalid.length === 0 ? 'quiet' : 'packet-bad'}>
        {evidence.length - invalid.length} of {formatCount(evidence.length, 'run')} count
        {failed === 0 ? null : `, ${failed} failed on the way`}
      </span>
      {causes.size === 0 ? null : (
        <ul className="reasons">
          {[...causes].map(([why, alike]) => (
            <li key={why}>
              {alike.length > NAMED_ALIKE
                ? formatCount(alike.length, 'run')
                : alike
                    .map(({ command, role }) => (role === 'milestone' ? command : `${command} by the ${role}`))
                    .join(', ')}
              : {why}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
