/** What can be done now, by whom: derived from the assessment, for people. Decides nothing. */
import type { Assessment, Gate, PacketState, PacketView } from '@holdfast/gate';

export interface NextStep {
  /** A person's id, or their ids, of whom one is enough. */
  readonly who: readonly string[];
  readonly what: string;
  /** A command where one does it. */
  readonly command: string | null;
}

/** In the order in which they help most. Before a freeze nobody asks this. */
export function nextSteps(gate: Gate, assessment: Assessment): readonly NextStep[] {
  const { packets, findings, conditions, verdict, standing, verdicts, milestone } = assessment;
  const having = (role: string): string[] =>
    gate.people.filter(({ roles }) => roles.some((own) => own === role)).map(({ id }) => id);
  const steps: NextStep[] = packets.flatMap((packet) => packetSteps(packet));
  for (const { id, severity, title, packet } of findings.filter(({ status }) => status === 'open')) {
    if (severity === 'P2') continue;
    const owner = packets.find((candidate) => candidate.id === packet)?.implementer;
    const what = `${severity} ${id}: ${title}`;
    steps.push({
      who: owner === undefined ? having('implementer') : [owner],
      what,
      command: `holdfast gate finding update ${id}`,
    });
  }
  if (packets.some(({ review }) => review !== 'APPROVED')) return steps;
  if (milestone.some(({ valid }) => !valid))
    steps.push({ who: ['anybody'], what: 'the milestone on this commit', command: 'holdfast gate run --milestone' });
  else if (verdict !== standing || verdicts.length === 0)
    steps.push({ who: having('issuer'), what: `a verdict now would be ${verdict}`, command: 'holdfast gate verdict' });
  for (const { id, text, owner, due, status } of conditions) {
    if (status === 'lifted') continue;
    const command = `holdfast gate addendum --lift ${id} --fix "…" --run latest`;
    steps.push({ who: [owner], what: `condition ${id}, due ${due}: ${text}`, command });
  }
  return steps;
}

function packetSteps(packet: PacketView): NextStep[] {
  const { id, title, state, review, implementer, reviewer, evidence } = packet;
  const step = (who: string, what: string, command: string): NextStep => ({
    who: [who],
    what: `packet ${id}, ${title}: ${what}`,
    command: `holdfast gate ${command}`,
  });
  const missing = (role: 'implementer' | 'reviewer'): boolean =>
    evidence.some((item) => item.role === role && !item.valid);
  const byState: Readonly<Record<PacketState, NextStep | null>> = {
    PENDING: null,
    READY: step(implementer, 'it can start', `start ${id}`),
    CHANGES_REQUESTED: step(implementer, 'changes were requested', `start ${id}`),
    BLOCKED: step(implementer, 'it is blocked', `unblock ${id}`),
    IN_PROGRESS: missing('implementer')
      ? step(implementer, 'commit the work and run its commands', `run ${id}`)
      : step(implementer, 'its evidence is good', `submit ${id}`),
    DONE: missing('reviewer')
      ? step(reviewer, 'run its commands yourself', `run ${id}`)
      : step(reviewer, 'decide', `review ${id} --template`),
  };
  const next = review === 'APPROVED' ? null : byState[state];
  return next === null ? [] : [next];
}
