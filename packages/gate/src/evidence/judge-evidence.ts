/**
 * Whether one required piece of evidence is there and good: a command, in a place (a packet's
 * implementer, its reviewer, the milestone), for a source, at a moment. Total
 * and closed: what cannot be known counts as invalid, and every reason is given.
 */
import type { ScanSummary } from '@holdfast/scan';
import { type GapTest, type GateCommand, TIER_CAP, TIERS } from '../gate-file/gate-schema.ts';
import { mutationDigest } from '../gate-file/mutation-digest.ts';
import type { Source } from '../records/run-record.ts';
import { isSameSource } from '../records/same-source.ts';
import { type EvidenceState, INVALIDITIES, type Invalidity } from '../verdict/assessment.ts';
import { hasFailed, hasScan, hasTests } from './run-faults.ts';
import type { Attempt, RunIndex } from './run-index.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Clocks of two machines of one team differ by less; what is further ahead is a clock that was set. */
export const MAX_CLOCK_AHEAD_MS = 5 * 60_000;

export interface EvidenceQuestion {
  readonly command: string;
  readonly role: EvidenceState['role'];
  /** `null` for the milestone. */
  readonly packet: string | null;
  /** Where it must have run. `null` when nothing was submitted: then nothing fits. */
  readonly source: Source | null;
  readonly nowMs: number;
}

/** The newest run on that source decides; all attempts are counted. */
export function judgeEvidence(index: RunIndex, question: EvidenceQuestion): EvidenceState {
  const { command, role, packet, source } = question;
  const attempts = index.attempts(command, role, packet);
  const judged = attempts.findLast((attempt) => fitsSource(attempt, source)) ?? attempts.at(-1) ?? null;
  const invalid = judged === null ? (['missing'] as const) : invalidities(index, judged, question);
  return {
    command,
    role,
    packet,
    run: judged?.run?.id ?? null,
    valid: invalid.length === 0,
    invalid,
    attempts: attempts.length,
    failedAttempts: attempts.filter(hasFailed).length,
  };
}

/** All that is wrong with `attempt` as an answer to `question`, each once, in the order of the table. */
export function invalidities(index: RunIndex, attempt: Attempt, question: EvidenceQuestion): readonly Invalidity[] {
  const found = [...attempt.faults];
  const command = index.commands.get(attempt.command);
  placeFaults(found, index, attempt, question);
  if (command !== undefined && attempt.run !== null) {
    circumstanceFaults(found, index, attempt, command);
    timeFaults(found, index, attempt, command, question.nowMs);
    scanFaults(found, index, attempt, command, question.nowMs);
    gapFaults(found, index, attempt, command, question);
  }
  return found.length === 0 ? found : INVALIDITIES.filter((invalidity) => found.includes(invalidity));
}

/** Where, by whom, under which freeze. */
function placeFaults(found: Invalidity[], index: RunIndex, attempt: Attempt, question: EvidenceQuestion): void {
  const { source, announcedIndex, run } = attempt;
  if (announcedIndex === null) found.push('unannounced');
  // Whoever looks the run up by its id, for what it found or covered, would find neither.
  if (run !== null && index.isReused(run.id)) found.push('run-id-reused');
  if (!fitsSource(attempt, question.source)) found.push('other-commit');
  const isDirty = (each: Source): boolean => each.dirtyFiles > 0 || !isSameSource(each, source);
  // A mutation run is of a copy that was changed on purpose; what it was a copy of is `source`.
  const isOfOther = run !== null && attempt.role !== 'mutation' && (isDirty(run.before) || isDirty(run.after));
  if (isOfOther || isDirty(source)) found.push('dirty-tree');
  if (!mayRun(index, attempt, question)) found.push('wrong-author');
  if ((announcedIndex ?? -1) <= frozenSince(index, attempt.packet)) found.push('before-freeze');
}

/** the implementer's evidence is by the implementer, the reviewer's by a reviewer; the milestone is run by anybody of the gate. */
function mayRun(index: RunIndex, { author }: Attempt, { role, packet: id }: EvidenceQuestion): boolean {
  if (!index.people.has(author)) return false;
  if (role === 'milestone') return true;
  const packet = index.packets.get(id ?? '');
  if (packet === undefined) return false;
  if (role === 'implementer') return author === packet.implementer;
  return author !== packet.implementer && (author === packet.reviewer || author === packet.secondReviewer);
}

/** The freeze since which the packet is defined as it is; for the milestone the newest. */
function frozenSince({ board }: RunIndex, packet: string | null): number {
  const digest = packet === null ? undefined : board.freeze?.packetDigests.get(packet);
  let since = board.freeze?.index ?? Infinity;
  if (digest === undefined) return since;
  for (const freeze of board.freezes.toReversed()) {
    if (freeze.packetDigests.get(packet ?? '') !== digest) break;
    since = freeze.index;
  }
  return since;
}

/** With what it ran: the frozen expectation, the release's toolchain, no caches, the sandbox, a tier its kind can claim. */
function circumstanceFaults(found: Invalidity[], index: RunIndex, attempt: Attempt, command: GateCommand): void {
  const { run, session } = attempt;
  const { freeze } = index.board;
  if (run === null || session === null || freeze === null) return;
  const isAsFrozen =
    run.commandDigest === freeze.commandDigests.get(command.id) &&
    run.argv.length === command.argv.length &&
    run.argv.every((argument, at) => argument === command.argv[at]);
  if (!isAsFrozen) found.push('other-expectation');
  const isReleaseToolchain = freeze.gate.toolchain.every(({ name, release }) => {
    const used = session.toolchain.filter((tool) => tool.name === name);
    return used.length > 0 && used.every(({ version }) => version === release);
  });
  if (!isReleaseToolchain) found.push('other-toolchain');
  if (!session.cachesOff) found.push('caches-on');
  if (command.sandbox !== null && run.sandbox?.profile !== command.sandbox) found.push('wrong-sandbox');
  if (TIERS.indexOf(command.tier) > TIERS.indexOf(TIER_CAP[command.kind])) found.push('tier-too-low');
}

/** Written so that a time that is no time is too old and too new at once. */
function timeFaults(found: Invalidity[], index: RunIndex, attempt: Attempt, command: GateCommand, nowMs: number): void {
  const { run, session } = attempt;
  if (run === null || session === null) return;
  const startedMs = Date.parse(run.startedAt);
  const latestMs = Math.max(startedMs + run.durationMs, Date.parse(session.at));
  const maxAgeHours = command.maxAgeHours ?? index.board.freeze?.gate.policies.maxEvidenceAgeHours ?? 0;
  if (!(nowMs - startedMs <= maxAgeHours * HOUR_MS)) found.push('expired');
  if (!(latestMs - nowMs <= MAX_CLOCK_AHEAD_MS)) found.push('from-the-future');
}

/** a scan that could not look, looked at nothing, or looked with old data is not clean. */
function scanFaults(found: Invalidity[], index: RunIndex, attempt: Attempt, command: GateCommand, nowMs: number): void {
  if (!hasScan(command)) {
    if (command.kind === 'scan') found.push('missing');
    return;
  }
  const scan = index.scan(attempt);
  if (scan === null) {
    found.push('missing');
    return;
  }
  const { state, database, scanner } = scan;
  if (state !== 'complete') found.push('scan-inconclusive');
  else if (!(scanner === 'imported' ? hasSaidAnything(scan) : hasLooked(scan))) found.push('empty');
  const maxAgeDays = index.board.freeze?.gate.policies.maxDatabaseAgeDays ?? 0;
  if (database === null) {
    if (scanner === 'vulnerabilities') found.push('database-stale');
    return;
  }
  const ageMs = nowMs - Date.parse(database.exportedAt);
  if (!(ageMs <= maxAgeDays * DAY_MS)) found.push('database-stale');
  if (!(-ageMs <= MAX_CLOCK_AHEAD_MS)) found.push('from-the-future');
}

const hasLooked = ({ rules, coverage }: ScanSummary): boolean =>
  rules.count > 0 && (coverage.files > 0 || (coverage.packages ?? 0) > 0);
/** Tools may leave out of a SARIF report the rules that found nothing, or the files; one that has neither looked at nothing. */
const hasSaidAnything = ({ rules, coverage, findings }: ScanSummary): boolean =>
  rules.count > 0 || coverage.files > 0 || findings.length > 0;

/** tests are known by name; those that close a gap passed, and fail without what they protect. */
function gapFaults(
  found: Invalidity[],
  index: RunIndex,
  attempt: Attempt,
  command: GateCommand,
  question: EvidenceQuestion,
): void {
  const tests = index.tests(attempt);
  if (hasTests(command) && tests === null) found.push('missing');
  if (command.gapTests.length === 0) return;
  const passed = new Set(tests?.filter(({ status }) => status === 'passed').map(({ id }) => id));
  for (const gap of command.gapTests) {
    if (!passed.has(gap.test)) found.push('gap-test-missing');
    if (!failsWhenMutated(index, attempt, gap, question)) found.push('gap-test-survives-mutation');
  }
}

/** A mutation run is expected to fail; every other thing that makes a run invalid makes it no proof. */
const EXPECTED_OF_MUTATIONS: ReadonlySet<Invalidity> = new Set<Invalidity>([
  'unexpected-exit',
  'tests-failed',
  'below-floor',
]);

function failsWhenMutated(index: RunIndex, attempt: Attempt, gap: GapTest, question: EvidenceQuestion): boolean {
  const digest = mutationDigest(gap);
  const newest = index
    .mutations(attempt.command, gap.test)
    .findLast(
      (run) =>
        run.author === attempt.author &&
        run.role === 'mutation' &&
        run.run?.mutation?.digest === digest &&
        fitsSource(run, question.source),
    );
  const command = index.commands.get(attempt.command);
  if (newest === undefined || newest.run === null || command === undefined) return false;
  const faults = [...newest.faults];
  placeFaults(faults, index, newest, question);
  circumstanceFaults(faults, index, newest, command);
  timeFaults(faults, index, newest, command, question.nowMs);
  const results = index.tests(newest)?.filter(({ id }) => id === gap.test) ?? [];
  return (
    faults.every((fault) => EXPECTED_OF_MUTATIONS.has(fault)) &&
    results.length > 0 &&
    results.every(({ status }) => status === 'failed')
  );
}

const fitsSource = (attempt: Attempt, source: Source | null): boolean =>
  source !== null && isSameSource(attempt.source, source);
