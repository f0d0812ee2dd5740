/** What can be done now, by whom and until when: derived from the assessment, for people. Decides nothing. */
import type { PacketState } from '../board/states.ts';
import type { Gate } from '../gate-file/gate-schema.ts';
import type { Assessment, EvidenceState, PacketView } from './assessment.ts';
import { earliest } from './calendar.ts';

export interface NextStep {
  /** A person's id, or their ids, of whom one is enough. */
  readonly who: readonly string[];
  readonly what: string;
  /** The last day on which it is in time; `null` where no date hangs on it. */
  readonly due: string | null;
  /** A command where one does it. */
  readonly command: string | null;
}

const GOOD: ReadonlySet<string> = new Set(['GO', 'GO_WITH_CONDITIONS']);

/** In the order in which they help most. Before a freeze nobody asks this. */
export function nextSteps(gate: Gate, assessment: Assessment): readonly NextStep[] {
  const { packets, findings, conditions, risks, verdict, standing, verdicts, milestone } = assessment;
  const having = (role: string): string[] =>
    gate.people.filter(({ roles }) => roles.some((own) => own === role)).map(({ id }) => id);
  const steps: NextStep[] = packets.flatMap((packet) => packetSteps(packet));
  for (const { id, severity, title, packet } of findings.filter(({ status }) => status === 'open')) {
    if (severity === 'P2') continue;
    const owner = packets.find((candidate) => candidate.id === packet)?.implementer;
    steps.push({
      who: owner === undefined ? having('implementer') : [owner],
      what: `${severity} ${id}: ${title}`,
      due: null,
      command: `holdfast gate finding update ${id}`,
    });
  }
  for (const { id, text, owner, due, status } of risks) {
    if (status === 'closed') continue;
    steps.push({ who: [owner], what: `residual risk ${id}: ${text}`, due, command: `holdfast gate risk close ${id}` });
  }
  if (packets.some(({ review }) => review !== 'APPROVED')) return steps;
  const last = packets.at(-1);
  if (last !== undefined && assessment.reasons.some(({ code }) => code === 'unreviewed-changes')) {
    return [
      ...steps,
      {
        who: [last.implementer],
        what: `have what changed since reviewed: take a packet back, such as ${last.id}, and submit it on this commit`,
        due: null,
        command: `holdfast gate reopen ${last.id} --reason "…"`,
      },
    ];
  }
  if (milestone.some(({ valid }) => !valid))
    steps.push({
      who: ['anybody'],
      what: 'the milestone on this commit',
      due: null,
      command: 'holdfast gate run --milestone',
    });
  // A NO_GO is issued when nobody can do better.
  else if ((verdict !== standing || verdicts.length === 0) && (GOOD.has(verdict) || steps.length === 0))
    steps.push({
      who: having('issuer'),
      what: `issue the verdict: now it would be ${verdict.replaceAll('_', ' ')}`,
      due: null,
      command: 'holdfast gate verdict',
    });
  for (const { id, text, owner, due, expires, status } of conditions) {
    if (status === 'lifted') continue;
    const command = `holdfast gate addendum --lift ${id} --fix "…" --run latest`;
    steps.push({ who: [owner], what: `condition ${id}: ${text}`, due: earliest(due, expires), command });
  }
  return steps;
}

/** Until a packet is submitted its runs are of no commit yet; that alone is nothing to mend. */
const isMissing = ({ role, valid, invalid }: EvidenceState): boolean =>
  role === 'implementer' && !valid && invalid.some((each) => each !== 'other-commit');

function packetSteps(packet: PacketView): NextStep[] {
  const { id, title, state, review, implementer, reviewer, evidence } = packet;
  const step = (who: string, what: string, command: string): NextStep => ({
    who: [who],
    what: `packet ${id}, ${title}: ${what}`,
    due: null,
    command: `holdfast gate ${command}`,
  });
  const invalid = (role: EvidenceState['role']): boolean => evidence.some((item) => item.role === role && !item.valid);
  if (review === 'APPROVED') {
    // Good when it was approved, and then a date passed or the toolchain went on.
    const again = (who: string): NextStep =>
      step(who, 'its evidence does not count any more, run it again', `run ${id}`);
    return [...(invalid('implementer') ? [again(implementer)] : []), ...(invalid('reviewer') ? [again(reviewer)] : [])];
  }
  const byState: Readonly<Record<PacketState, NextStep | null>> = {
    PENDING: null,
    READY: step(implementer, 'it can start', `start ${id}`),
    CHANGES_REQUESTED: step(implementer, 'changes were requested', `start ${id}`),
    BLOCKED: step(implementer, 'it is blocked', `unblock ${id}`),
    IN_PROGRESS: evidence.some(isMissing)
      ? step(implementer, 'commit the work and run its commands', `run ${id}`)
      : step(implementer, 'submit it, or run its commands again when the work went on', `submit ${id}`),
    DONE: invalid('reviewer')
      ? step(reviewer, 'run its commands yourself', `run ${id}`)
      : step(reviewer, 'decide', `review ${id} --template`),
  };
  const next = byState[state];
  return next === null ? [] : [next];
}
