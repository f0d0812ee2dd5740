/**
 * What is wrong with one run in itself, by its command's frozen definition and nothing else: the same
 * today and in a year. What depends on place, people and time is `judge-evidence.ts`.
 */
import type { GateCommand } from '../gate-file/gate-schema.ts';
import type { RunRecord } from '../records/run-record.ts';
import type { Invalidity } from '../verdict/assessment.ts';
import type { Attempt } from './run-index.ts';

/** Whether its report names the tests that ran. */
export const hasTests = ({ report }: GateCommand): boolean =>
  report !== null && report.format !== 'sarif' && report.format !== 'scan';

/** @returns every fault; empty when the run passed and shows it */
export function faultsOf(run: RunRecord, command: GateCommand): readonly Invalidity[] {
  return [
    ...endingFaults(run, command),
    ...outputFaults(run, command),
    ...reportFaults(run, command),
    ...testFaults(run, command),
    ...searchFaults(run, command),
  ];
}

/** Not passing, as opposed to passing without a proof: what a later pass makes a flake of. */
const NO_FAILURE: ReadonlySet<Invalidity> = new Set<Invalidity>(['cached', 'triaged-inconclusive']);
export const hasFailed = ({ run }: Attempt, command: GateCommand): boolean =>
  run === null || faultsOf(run, command).some((fault) => !NO_FAILURE.has(fault));

function* endingFaults({ ending, exitCode }: RunRecord, command: GateCommand): Generator<Invalidity> {
  if (ending === 'interrupted') yield 'interrupted';
  if (ending === 'timeout') yield 'timed-out';
  // Killed by a signal, or never started: there is no exit code to expect.
  if (ending === 'signal' || ending === 'not-started') yield 'unexpected-exit';
  if (ending !== 'itself') return;
  // an exit code that is declared both ways means the worse.
  const triage = command.triage.filter(({ exit }) => exit === exitCode);
  if (triage.length > 0) {
    const isInconclusive = triage.every(({ outcome }) => outcome === 'inconclusive');
    yield isInconclusive ? 'triaged-inconclusive' : 'unexpected-exit';
  } else if (exitCode === null || !command.exit.includes(exitCode)) yield 'unexpected-exit';
}

function* outputFaults(run: RunRecord, { kind }: GateCommand): Generator<Invalidity> {
  const { stdout, stderr, report, exitCode, cached } = run;
  // A stream may be cut once its exit code and digest are known; a report is proof only whole.
  const isCut = [stdout, stderr].some(({ kept, bytes }) => kept > bytes || (kept < bytes && exitCode === null));
  if (isCut || (report !== null && report.kept !== report.bytes)) yield 'truncated';
  // A compiler and a search may be silent. Whatever else says nothing shows nothing.
  const maySaySilent = kind === 'build' || kind === 'search';
  if (!maySaySilent && stdout.bytes + stderr.bytes + (report?.bytes ?? 0) === 0) yield 'empty';
  if (cached) yield 'cached';
}

function* reportFaults({ report }: RunRecord, command: GateCommand): Generator<Invalidity> {
  if (command.report === null) return;
  if (report === null || report.status === 'missing') yield 'missing';
  else if (report.status === 'empty') yield 'empty';
  else if (report.status !== 'read' || report.format !== command.report.format) yield 'report-unreadable';
}

/** skipped tests do not count, and failed ones fail whatever the exit code. */
function* testFaults({ tests }: RunRecord, command: GateCommand): Generator<Invalidity> {
  const executed = (tests?.passed ?? 0) + (tests?.failed ?? 0);
  if (executed === 0 && (hasTests(command) || command.kind === 'test')) yield 'no-test-ran';
  if (command.floor !== null && executed < command.floor) yield 'below-floor';
  if (tests !== null && tests.failed > 0) yield 'tests-failed';
}

/** a file that is not named must match nothing. */
function* searchFaults({ matches }: RunRecord, { expect }: GateCommand): Generator<Invalidity> {
  if (expect === null) return;
  const expected = Object.entries(expect).filter(([, count]) => count > 0);
  const found = new Map(Object.entries(matches ?? {}));
  const isEqual = expected.length === found.size && expected.every(([path, count]) => found.get(path) === count);
  if (matches === null || !isEqual) yield 'unexpected-matches';
}
