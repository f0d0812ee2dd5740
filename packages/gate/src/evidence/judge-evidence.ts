/**
 * Whether one required piece of evidence is there and good: a command, in a place (a packet's
 * implementer, its reviewer, the milestone), for a source, at a moment. Total
 * and closed: what cannot be known counts as invalid, and every reason is given.
 */
import { type GapTest, type GateCommand, TIER_CAP, TIERS } from '../gate-file/gate-schema.ts';
import { mutationDigest } from '../gate-file/mutation-digest.ts';
import type { Source } from '../records/run-record.ts';
import { isSameSource } from '../records/same-source.ts';
import { type EvidenceState, INVALIDITIES, type Invalidity } from '../verdict/assessment.ts';
import { faultsOf, hasFailed, hasTests } from './run-faults.ts';
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
  const definition = index.commands.get(command);
  const found = new Set(judged === null ? (['missing'] as const) : invalidities(index, judged, question));
  const invalid = INVALIDITIES.filter((invalidity) => found.has(invalidity));
  return {
    command,
    role,
    packet,
    run: judged?.run?.id ?? null,
    valid: invalid.length === 0,
    invalid,
    attempts: attempts.length,
    failedAttempts: attempts.filter((attempt) => definition === undefined || hasFailed(attempt, definition)).length,
  };
}

/** All that is wrong with `attempt` as an answer to `question`. */
export function* invalidities(index: RunIndex, attempt: Attempt, question: EvidenceQuestion): Generator<Invalidity> {
  const command = index.commands.get(attempt.command);
  if (command === undefined) {
    yield 'other-expectation';
    return;
  }
  yield* placeFaults(index, attempt, question);
  if (attempt.run === null || attempt.session === null) {
    yield 'interrupted';
    return;
  }
  yield* faultsOf(attempt.run, command);
  yield* circumstanceFaults(index, attempt, command);
  yield* timeFaults(index, attempt, command, question.nowMs);
  yield* scanFaults(index, attempt, command, question.nowMs);
  yield* gapFaults(index, attempt, command, question);
}

/** Where, by whom, under which freeze. */
function* placeFaults(index: RunIndex, attempt: Attempt, question: EvidenceQuestion): Generator<Invalidity> {
  const { source, announcedIndex, run } = attempt;
  if (announcedIndex === null) yield 'unannounced';
  if (!fitsSource(attempt, question.source)) yield 'other-commit';
  // A mutation run is of a copy that was changed on purpose; what it was a copy of is `source`.
  const sources = run === null || attempt.role === 'mutation' ? [source] : [source, run.before, run.after];
  if (sources.some((each) => each.dirtyFiles > 0 || !isSameSource(each, source))) yield 'dirty-tree';
  if (!mayRun(index, attempt, question)) yield 'wrong-author';
  if ((announcedIndex ?? -1) <= frozenSince(index, attempt.packet)) yield 'before-freeze';
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
function* circumstanceFaults(index: RunIndex, attempt: Attempt, command: GateCommand): Generator<Invalidity> {
  const { run, session } = attempt;
  const { freeze } = index.board;
  if (run === null || session === null || freeze === null) return;
  const isAsFrozen =
    run.commandDigest === freeze.commandDigests.get(command.id) &&
    run.argv.length === command.argv.length &&
    run.argv.every((argument, at) => argument === command.argv[at]);
  if (!isAsFrozen) yield 'other-expectation';
  const isReleaseToolchain = freeze.gate.toolchain.every(({ name, release }) => {
    const used = session.toolchain.filter((tool) => tool.name === name);
    return used.length > 0 && used.every(({ version }) => version === release);
  });
  if (!isReleaseToolchain) yield 'other-toolchain';
  if (!session.cachesOff) yield 'caches-on';
  if (command.sandbox !== null && run.sandbox?.profile !== command.sandbox) yield 'wrong-sandbox';
  if (TIERS.indexOf(command.tier) > TIERS.indexOf(TIER_CAP[command.kind])) yield 'tier-too-low';
}

/** Written so that a time that is no time is too old and too new at once. */
function* timeFaults(index: RunIndex, attempt: Attempt, command: GateCommand, nowMs: number): Generator<Invalidity> {
  const { run, session } = attempt;
  if (run === null || session === null) return;
  const startedMs = Date.parse(run.startedAt);
  const latestMs = Math.max(startedMs + run.durationMs, Date.parse(session.at));
  const maxAgeHours = command.maxAgeHours ?? index.board.freeze?.gate.policies.maxEvidenceAgeHours ?? 0;
  if (!(nowMs - startedMs <= maxAgeHours * HOUR_MS)) yield 'expired';
  if (!(latestMs - nowMs <= MAX_CLOCK_AHEAD_MS)) yield 'from-the-future';
}

/** a scan that could not look, looked at nothing, or looked with old data is not clean. */
function* scanFaults(index: RunIndex, attempt: Attempt, command: GateCommand, nowMs: number): Generator<Invalidity> {
  if (command.report?.format !== 'scan') {
    if (command.kind === 'scan' && command.report === null) yield 'missing';
    return;
  }
  const scan = index.scan(attempt);
  if (scan === null) {
    yield 'missing';
    return;
  }
  const { state, rules, coverage, database, scanner } = scan;
  if (state !== 'complete') yield 'scan-inconclusive';
  else if (rules.count === 0 || (coverage.files === 0 && (coverage.packages ?? 0) === 0)) yield 'empty';
  const maxAgeDays = index.board.freeze?.gate.policies.maxDatabaseAgeDays ?? 0;
  if (database === null) {
    if (scanner === 'vulnerabilities') yield 'database-stale';
    return;
  }
  const ageMs = nowMs - Date.parse(database.exportedAt);
  if (!(ageMs <= maxAgeDays * DAY_MS)) yield 'database-stale';
  if (!(-ageMs <= MAX_CLOCK_AHEAD_MS)) yield 'from-the-future';
}

/** tests are known by name; those that close a gap passed, and fail without what they protect. */
function* gapFaults(
  index: RunIndex,
  attempt: Attempt,
  command: GateCommand,
  question: EvidenceQuestion,
): Generator<Invalidity> {
  const tests = index.tests(attempt);
  if (hasTests(command) && tests === null) yield 'missing';
  if (command.gapTests.length === 0) return;
  const passed = new Set(tests?.filter(({ status }) => status === 'passed').map(({ id }) => id));
  for (const gap of command.gapTests) {
    if (!passed.has(gap.test)) yield 'gap-test-missing';
    if (!failsWhenMutated(index, attempt, gap, question)) yield 'gap-test-survives-mutation';
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
  const faults = [
    ...placeFaults(index, newest, question),
    ...faultsOf(newest.run, command),
    ...circumstanceFaults(index, newest, command),
    ...timeFaults(index, newest, command, question.nowMs),
  ].filter((fault) => !EXPECTED_OF_MUTATIONS.has(fault));
  const results = index.tests(newest)?.filter(({ id }) => id === gap.test) ?? [];
  return faults.length === 0 && results.length > 0 && results.every(({ status }) => status === 'failed');
}

const fitsSource = (attempt: Attempt, source: Source | null): boolean =>
  source !== null && isSameSource(attempt.source, source);
