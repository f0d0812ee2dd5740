/**
 * The heart of the gate: what its records come to for one candidate at one moment (R-19). A pure, total
 * function: the same in the CLI, in `verify` on a bundle, in the server and in the console. It collects
 * every reason why the verdict is no better, and the reasons alone make the verdict: no path leads to GO
 * but the absence of all of them.
 */
import type { Board, Freeze } from '../board/board.ts';
import { deriveBoard } from '../board/derive-board.ts';
import { judgeEvidence, MAX_CLOCK_AHEAD_MS } from '../evidence/judge-evidence.ts';
import { indexRuns, type RunIndex } from '../evidence/run-index.ts';
import type { GateVerdict } from '../records/statements.ts';
import { isReviewed } from '../review/reviewed-sources.ts';
import { judgeAcceptances } from './acceptances.ts';
import { issuedVerdicts, judgeAddenda, verdictViews } from './addenda.ts';
import type { Assessment, AssessInput, EvidenceState, FindingView, PacketView, Reason } from './assessment.ts';
import { type Coverage, judgeCoverage } from './coverage.ts';
import { deriveFindings } from './derived-findings.ts';
import { blocks, type Finding, foldFindings } from './findings.ts';
import { reason, verdictOf } from './reasons.ts';
import { judgeRisks } from './risks.ts';
import { standingOf } from './standing.ts';

/** More conditions than a verdict can carry. */
const MAX_CONDITIONS = 200;
/** As a verdict record bounds them. */
const MAX_REASONS = 2_000;

/** @param input.records in the order of the log, verified */
export function assess(input: AssessInput): Assessment {
  const { records, candidate, nowMs } = input;
  const board = deriveBoard(records);
  const { freeze } = board;
  const index = indexRuns(board, records);
  const issued = issuedVerdicts(board, records);

  const packets = packetViews(index, input);
  const milestone = milestoneStates(index, input);
  const submitted = packets.flatMap(({ id, evidence }) =>
    board.packets.get(id)?.submittedSource === null ? [] : evidence,
  );
  const required = [...submitted, ...milestone];
  const coverage = judgeCoverage(index, required);
  const addenda = judgeAddenda(index, records, issued, candidate);
  const findings = foldFindings(index, records, deriveFindings(index, required), addenda.lifts);
  const isEvidenced = controls(index, input, packets, milestone);
  const acceptances = judgeAcceptances({ index, nowMs, isEvidenced }, records, findings);
  const risks = judgeRisks(index, records, nowMs);
  const open = findings.filter(({ id, status }) => status === 'open' && !acceptances.accepted.has(id)).filter(blocks);

  const reasons = bounded([
    ...policyReasons(freeze, input),
    ...recordReasons(board, input),
    ...packetReasons(index, packets),
    ...evidenceReasons(freeze, required),
    ...coverage.reasons,
    ...open.map(({ id, severity, title }) => reason('open-finding', id, `${severity}, ${title}`)),
    ...open.flatMap(({ ignored }) => ignored),
    ...(freeze === null || isReviewed(board, candidate) ? [] : [reason('unreviewed-changes', candidate.commit)]),
    ...secondReviewReasons(board, findings),
    ...acceptances.reasons,
    ...risks.reasons,
    ...addenda.reasons,
  ]);
  const standingConditions = acceptances.conditions.filter(({ status }) => status === 'standing');
  const views = findings.map((finding): FindingView => viewOf(finding, acceptances));
  return {
    gate: freeze?.gate ?? null,
    revision: freeze?.revision ?? 0,
    policyDigest: freeze?.policyDigest ?? '',
    candidate,
    at: new Date(nowMs).toISOString(),
    packets,
    milestone,
    surfaces: coverage.surfaces,
    findings: views,
    conditions: acceptances.conditions,
    risks: risks.risks,
    verdicts: verdictViews(records, issued),
    verdict: verdictOf(reasons),
    reasons,
    counts: countsOf(board, required, coverage, views, standingConditions.length, risks.risks),
    ...standingOf(issued, freeze, candidate, reasons),
  };
}

/** R-03, R-19: nothing is decided by a file that is not frozen, that changed since, or that asks for nothing. */
function* policyReasons(freeze: Freeze | null, { current, candidate }: AssessInput): Generator<Reason> {
  if (freeze === null) {
    yield reason('not-frozen');
    return;
  }
  if (current !== null && current.digest !== freeze.policyDigest) yield reason('gate-file-changed');
  const { packets, milestone, commands, scope } = freeze.gate;
  const parts = { packets, milestone, commands, surfaces: scope.surfaces };
  for (const [name, part] of Object.entries(parts)) if (part.length === 0) yield reason('empty-policy', name);
  // R-34: GO while the fix is uncommitted.
  if (candidate.dirtyFiles > 0) yield reason('candidate-dirty', String(candidate.dirtyFiles));
}

/** What is wrong with the records as such. */
function* recordReasons(board: Board, { records, nowMs }: AssessInput): Generator<Reason> {
  for (const { index, rule, text } of board.illegal) yield { ...reason('illegal-record', String(index), text), rule };
  const signers = new Map<string, Set<string>>();
  for (const { keyId, predicate } of records) {
    const people = signers.get(keyId);
    if (people === undefined) signers.set(keyId, new Set([predicate.author]));
    else people.add(predicate.author);
  }
  for (const people of signers.values()) {
    if (people.size > 1) yield reason('shared-key', [...people].toSorted().join(', '));
  }
  // A clock that was set back would let conditions and evidence live longer.
  const ahead = records.findLast(({ predicate }) => !(Date.parse(predicate.at) - nowMs <= MAX_CLOCK_AHEAD_MS));
  if (ahead !== undefined) yield reason('record-from-the-future', String(ahead.index));
}

/** R-19: every packet is done and approved, by somebody else than who implements it (R-13). */
function* packetReasons(index: RunIndex, packets: readonly PacketView[]): Generator<Reason> {
  for (const { id, state, review, note, implementer, reviewer } of packets) {
    if (implementer === reviewer) yield reason('same-person', id);
    if (state === 'DONE' && review === 'APPROVED') continue;
    const waitsFor = index.board.packets.get(id)?.waitsFor ?? [];
    const why = note ?? (waitsFor.length > 0 ? `waits for ${waitsFor.join(', ')}` : null);
    yield reason('packet-not-approved', id, `${state}, review ${review}${why === null ? '' : `; ${why}`}`);
  }
}

/** R-13: also for a P0 that nobody typed, which lets a second reviewer in once somebody records it. */
function* secondReviewReasons(board: Board, findings: readonly Finding[]): Generator<Reason> {
  const withP0 = findings.filter(({ severity, status }) => severity === 'P0' && status !== 'false-positive');
  for (const { id, packet } of new Map(withP0.map((finding) => [finding.packet, finding])).values()) {
    if (packet === null) continue;
    const approvals = board.packets.get(packet)?.approvals ?? [];
    const people = new Set(approvals.map(({ predicate }) => predicate.author));
    if (people.size >= 2) continue;
    const next = board.withP0.has(packet)
      ? 'a second reviewer runs its commands and reviews it'
      : `record the finding with \`holdfast gate finding update ${id} --reason …\`, then a second reviewer runs its commands and reviews it`;
    yield reason('second-review-missing', packet, next);
  }
}

/** What only says that something could not be judged; all else is wrong. */
const INCONCLUSIVE: ReadonlySet<string> = new Set(['triaged-inconclusive', 'scan-inconclusive']);

function* evidenceReasons(freeze: Freeze | null, required: readonly EvidenceState[]): Generator<Reason> {
  if (freeze !== null && required.length === 0) yield reason('no-evidence');
  for (const { valid, command, role, packet, invalid } of required) {
    if (valid) continue;
    const isOpen = invalid.length > 0 && invalid.every((invalidity) => INCONCLUSIVE.has(invalidity));
    const place = packet === null ? `${command} for the ${role}` : `${command} by the ${role} of packet ${packet}`;
    yield reason(isOpen ? 'evidence-inconclusive' : 'evidence-invalid', place, invalid.join(', '));
  }
}

function packetViews(index: RunIndex, { nowMs }: AssessInput): readonly PacketView[] {
  const packets = index.board.freeze?.gate.packets ?? [];
  return packets.map((packet): PacketView => {
    const { id, title, needs, implementer, reviewer, commands } = packet;
    const standing = index.board.packets.get(id);
    const source = standing?.submittedSource ?? null;
    const evidence = commands.flatMap((command) =>
      (['implementer', 'reviewer'] as const).map((role) =>
        judgeEvidence(index, { command, role, packet: id, source, nowMs }),
      ),
    );
    return {
      id,
      title,
      state: standing?.state ?? 'PENDING',
      review: standing?.review ?? 'none',
      needs,
      implementer,
      reviewer,
      approvedBy: standing?.approvals.map(({ predicate }) => predicate.author) ?? [],
      evidence,
      note: standing?.note ?? null,
      startedAt: standing?.startedAt ?? null,
      changedAt: standing?.changedAt ?? null,
    };
  });
}

/** R-20: run again, on the candidate. */
function milestoneStates(index: RunIndex, { candidate: source, nowMs }: AssessInput): readonly EvidenceState[] {
  const commands = index.board.freeze?.gate.milestone ?? [];
  return commands.map((command) => judgeEvidence(index, { command, role: 'milestone', packet: null, source, nowMs }));
}

/** R-17: a control is evidenced at the candidate, by whichever run: of the milestone, or asked for by a packet that is at the same sources. */
function controls(
  index: RunIndex,
  { candidate: source, nowMs }: AssessInput,
  packets: readonly PacketView[],
  milestone: readonly EvidenceState[],
): (command: string) => boolean {
  const inPackets = packets.flatMap(({ evidence }) => evidence);
  const required = [...inPackets, ...milestone];
  return (command) =>
    required.some((state) => state.command === command && state.valid) ||
    judgeEvidence(index, { command, role: 'milestone', packet: null, source, nowMs }).valid;
}

function viewOf(
  finding: Finding,
  { accepted, conditions }: { readonly accepted: ReadonlySet<string>; readonly conditions: Assessment['conditions'] },
): FindingView {
  const { id, title, severity, surface, packet, location, clause, origin } = finding;
  const status = accepted.has(id) ? 'accepted' : finding.status;
  const condition = conditions.find((each) => each.finding === id)?.id ?? null;
  return { id, title, severity, surface, packet, location, clause, origin, status, condition };
}

/** R-12: counted here, and nowhere typed. */
function countsOf(
  board: Board,
  required: readonly EvidenceState[],
  { surfaces, tests }: Coverage,
  findings: readonly FindingView[],
  conditions: number,
  risks: Assessment['risks'],
): GateVerdict['counts'] {
  const packets = [...board.packets.values()];
  const unresolved = findings.filter(({ status }) => status !== 'resolved' && status !== 'false-positive');
  const ofSeverity = (wanted: FindingView['severity']): number =>
    unresolved.filter(({ severity }) => severity === wanted).length;
  return {
    packets: packets.length,
    approved: packets.filter(({ state, review }) => state === 'DONE' && review === 'APPROVED').length,
    surfaces: surfaces.length,
    covered: surfaces.filter(({ coveredBy }) => coveredBy.length > 0).length,
    commands: new Set(required.map(({ command }) => command)).size,
    runs: required.reduce((sum, { attempts }) => sum + attempts, 0),
    validRuns: required.filter(({ valid }) => valid).length,
    tests,
    findings: { P0: ofSeverity('P0'), P1: ofSeverity('P1'), P2: ofSeverity('P2') },
    conditions,
    risks: risks.filter(({ status }) => status !== 'closed').length,
  };
}

/** Each once, and no more than a record can hold; what is cut off is at least counted. */
function bounded(all: Iterable<Reason>): readonly Reason[] {
  const reasons = [...new Map([...all].map((each) => [`${each.code} ${each.subject} ${each.text}`, each])).values()];
  const conditions = reasons.filter(({ code }) => code === 'condition-standing').length;
  if (conditions > MAX_CONDITIONS) reasons.unshift(reason('too-many-conditions', String(conditions)));
  if (reasons.length <= MAX_REASONS) return reasons;
  const more = reason('more-reasons', String(reasons.length - MAX_REASONS + 1));
  return [...reasons.slice(0, MAX_REASONS - 1), more];
}
