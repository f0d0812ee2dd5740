/** `holdfast gate status|board`: what is, what it is worth now, and what to do next. */
import { hasCode } from '@holdfast/core';
import {
  type Assessment,
  type EvidenceState,
  exitCodeOf,
  FREEZE_PACKET,
  type NextStep,
  nextSteps,
  type PacketView,
  type Reason,
} from '@holdfast/gate';
import { type CommandResult, formatTable } from '../../output.ts';
import { assessNow, judged, momentOf } from './assess-now.ts';
import { type GateOptions, identify, type OpenedGate, openGate, type SigningOptions } from './opened-gate.ts';

interface AtOption {
  readonly at?: string | undefined;
}

/** More stand in `--json` and in the report. */
const MAX_SHOWN_REASONS = 15;

export function status(options: SigningOptions & AtOption, signal: AbortSignal): Promise<CommandResult> {
  return judged(() => statusNow(options, signal));
}

async function statusNow(options: SigningOptions & AtOption, signal: AbortSignal): Promise<CommandResult> {
  const nowMs = momentOf(options);
  const opened = await openGate(options, signal);
  const me = whoAmI(opened, options);
  if (opened.board.freeze === null) return beforeFreeze(opened, me);
  const assessment = assessNow(opened, nowMs);
  const steps = nextSteps(opened.board.freeze.gate, assessment);
  const text = [
    ...headOf(opened, assessment, options.at),
    '',
    packetTable(assessment.packets),
    '',
    ...standingOf(assessment),
    ...linesOf('Conditions', assessment.conditions.map(conditionLine)),
    ...linesOf('Residual risks', assessment.risks.map(riskLine)),
    '',
    ...stepLines(steps, me),
  ].join('\n');
  const { gate: _gate, ...data } = assessment;
  return { data: { ...data, me, next: steps }, text, exitCode: exitCodeOf(assessment.standing) };
}

export async function board(options: GateOptions & AtOption, signal: AbortSignal): Promise<CommandResult> {
  const nowMs = momentOf(options);
  const opened = await openGate(options, signal);
  if (opened.board.freeze === null) return beforeFreeze(opened, null);
  const { packets } = assessNow(opened, nowMs);
  return { data: packets, text: packetTable(packets) };
}

/** Whoever only looks has no key, and needs none. */
function whoAmI(opened: OpenedGate, options: SigningOptions): string | null {
  try {
    return identify(opened, options).person.id;
  } catch (error) {
    if (hasCode(error, 'ERR_KEY_INVALID') || hasCode(error, 'ERR_GATE_KEY')) return null;
    throw error;
  }
}

function beforeFreeze({ gate }: OpenedGate, me: string | null): CommandResult {
  const owner = gate.packets.find(({ id }) => id === FREEZE_PACKET)?.implementer ?? 'the implementer of packet 00';
  const next = { who: [owner], what: 'commit the gate file and freeze it', due: null, command: 'holdfast gate freeze' };
  const text = [
    `${gate.title} (${gate.id}), release ${gate.release}`,
    '',
    'NONE  nothing is frozen yet, so nothing is decided (R-03)',
    '',
    ...stepLines([next], me),
  ].join('\n');
  return {
    data: { standing: 'NONE', verdict: 'NO_GO', packets: [], me, next: [next] },
    text,
    exitCode: exitCodeOf('NONE'),
  };
}

function headOf({ gate, log }: OpenedGate, assessment: Assessment, asked: string | undefined): string[] {
  const { revision, candidate, at } = assessment;
  const dirty = candidate.dirtyFiles === 0 ? '' : `, ${candidate.dirtyFiles} files not committed`;
  return [
    `${gate.title} (${gate.id}), release ${gate.release}`,
    `revision ${revision}, commit ${candidate.commit.slice(0, 12)}${dirty}, ${log.head.size} records, head ${log.head.root.slice(0, 12)}`,
    ...(asked === undefined ? [] : [`judged as of ${at}, not as of now`]),
  ];
}

/** One line a packet: who, how far, and how much of its evidence is good. */
export function packetTable(packets: readonly PacketView[]): string {
  const rows = packets.map((packet) => {
    const { id, title, state, review, implementer, reviewer, evidence, note, needs } = packet;
    return [
      id,
      state,
      review === 'none' ? (state === 'DONE' ? 'waits' : '') : review,
      share(evidence, 'implementer'),
      share(evidence, 'reviewer'),
      implementer,
      reviewer,
      needs.join(' '),
      note === null ? title : `${title} (${note})`,
    ];
  });
  return formatTable(['', 'state', 'review', 'own', 'again', 'implementer', 'reviewer', 'needs', 'packet'], rows);
}

/** `2/3`: good ones of those required. */
function share(evidence: readonly EvidenceState[], role: EvidenceState['role']): string {
  const own = evidence.filter((item) => item.role === role);
  return own.length === 0 ? '' : `${own.filter(({ valid }) => valid).length}/${own.length}`;
}

function standingOf({ standing, standingReasons, verdict, reasons, verdicts }: Assessment): string[] {
  const last = verdicts.at(-1);
  const issued =
    last === undefined
      ? 'no verdict was issued yet'
      : `the last verdict is ${last.verdict}, by ${last.issuer} on ${last.at.slice(0, 10)} for ${last.commit.slice(0, 12)}`;
  const unequal = verdict === standing && reasons.length === standingReasons.length;
  return [
    `${standing}  ${issued}`,
    ...reasonLines(standingReasons),
    ...(unequal ? [] : [`${verdict}  is what a verdict would be now`, ...reasonLines(reasons)]),
  ];
}

export function reasonLines(reasons: readonly Pick<Reason, 'rule' | 'text'>[]): string[] {
  const shown = reasons.slice(0, MAX_SHOWN_REASONS).map(({ rule, text }) => `  ${rule}  ${text}`);
  const rest = reasons.length - shown.length;
  return rest === 0 ? shown : [...shown, `  and ${rest} more: --json lists them all`];
}

const linesOf = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
const conditionLine = ({ id, status: state, due, owner, text }: Assessment['conditions'][number]): string =>
  `${id}  ${state}, due ${due}, ${owner}: ${text}`;
const riskLine = ({ id, status: state, due, owner, text }: Assessment['risks'][number]): string =>
  `${id}  ${state}, due ${due}, ${owner}: ${text}`;

const tell = ({ who, what, due, command }: NextStep): string =>
  `  ${who.join(' or ')}${due === null ? '' : `, until ${due}`}: ${what}${command === null ? '' : `\n      ${command}`}`;

function stepLines(steps: readonly NextStep[], me: string | null): string[] {
  if (steps.length === 0) return ['Nothing is left to do.'];
  const isMine = ({ who }: NextStep): boolean => me !== null && (who.includes(me) || who.includes('anybody'));
  const [mine, others] = [steps.filter(isMine), steps.filter((step) => !isMine(step))];
  return [
    ...(mine.length === 0 ? [] : [`Next for you, ${me ?? ''}`, ...mine.map(tell)]),
    ...(others.length === 0 ? [] : [mine.length === 0 ? 'Next' : 'Next for others', ...others.map(tell)]),
    ...(me === null ? ['(no key of this gate is here: --key, $HOLDFAST_GATE_KEY or `holdfast gate key`)'] : []),
  ];
}
