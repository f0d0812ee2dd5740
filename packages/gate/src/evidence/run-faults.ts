/**
 * What is wrong with one run in itself, by its command's frozen definition and nothing else: the same
 * today and in a year. What depends on place, people and time is `judge-evidence.ts`.
 */
import type { GateCommand } from '../gate-file/gate-schema.ts';
import type { RunRecord } from '../records/run-record.ts';
import type { Invalidity } from '../verdict/assessment.ts';
import type { Attempt } from './run-index.ts';

/** Whether its report names the tests that ran. */
export const hasTests = (command: GateCommand): boolean => command.report !== null && !hasScan(command);

/** Whether its report names what a scanner found. */
export const hasScan = ({ report }: GateCommand): boolean => report?.format === 'sarif' || report?.format === 'scan';

const NONE: readonly Invalidity[] = [];

/**
 * @param run `null`: it was started and never came back
 * @param command `undefined`: it is not in the frozen file
 * @returns every fault; empty when the run passed and shows it
 */
export function faultsOf(run: RunRecord | null, command: GateCommand | undefined): readonly Invalidity[] {
  if (run === null) return ['interrupted'];
  if (command === undefined) return ['other-expectation'];
  const found: Invalidity[] = [];
  endingFaults(found, run, command);
  outputFaults(found, run, command);
  reportFaults(found, run, command);
  testFaults(found, run, command);
  searchFaults(found, run, command);
  return found.length === 0 ? NONE : found;
}

/** Not passing, as opposed to passing without a proof: what a later pass makes a flake of. */
const NO_FAILURE: ReadonlySet<Invalidity> = new Set<Invalidity>(['cached', 'triaged-inconclusive']);
export const hasFailed = ({ faults }: Attempt): boolean => faults.some((fault) => !NO_FAILURE.has(fault));

function endingFaults(found: Invalidity[], { ending, exitCode }: RunRecord, command: GateCommand): void {
  if (ending === 'interrupted') found.push('interrupted');
  if (ending === 'timeout') found.push('timed-out');
  // Killed by a signal, or never started: there is no exit code to expect.
  if (ending === 'signal' || ending === 'not-started') found.push('unexpected-exit');
  if (ending !== 'itself') return;
  // an exit code that is declared both ways means the worse.
  const triage = command.triage.filter(({ exit }) => exit === exitCode);
  if (triage.length > 0) {
    const isInconclusive = triage.every(({ outcome }) => outcome === 'inconclusive');
    found.push(isInconclusive ? 'triaged-inconclusive' : 'unexpected-exit');
  } else if (exitCode === null || !command.exit.includes(exitCode)) found.push('unexpected-exit');
}

function outputFaults(found: Invalidity[], run: RunRecord, { kind }: GateCommand): void {
  const { stdout, stderr, report, exitCode, cached } = run;
  // A stream may be cut once its exit code and digest are known; a report is proof only whole.
  const isCut = [stdout, stderr].some(({ kept, bytes }) => kept > bytes || (kept < bytes && exitCode === null));
  if (isCut || (report !== null && report.kept !== report.bytes)) found.push('truncated');
  // A compiler and a search may be silent. Whatever else says nothing shows nothing.
  const maySaySilent = kind === 'build' || kind === 'search';
  if (!maySaySilent && stdout.bytes + stderr.bytes + (report?.bytes ?? 0) === 0) found.push('empty');
  if (cached) found.push('cached');
}

function reportFaults(found: Invalidity[], { report }: RunRecord, command: GateCommand): void {
  if (command.report === null) return;
  if (report === null || report.status === 'missing') found.push('missing');
  else if (report.status === 'empty') found.push('empty');
  else if (report.status !== 'read' || report.format !== command.report.format) found.push('report-unreadable');
}

/** skipped tests do not count, and failed ones fail whatever the exit code. */
function testFaults(found: Invalidity[], { tests }: RunRecord, command: GateCommand): void {
  const executed = (tests?.passed ?? 0) + (tests?.failed ?? 0);
  if (executed === 0 && (hasTests(command) || command.kind === 'test')) found.push('no-test-ran');
  if (command.floor !== null && executed < command.floor) found.push('below-floor');
  if (tests !== null && tests.failed > 0) found.push('tests-failed');
}

/** a file that is not named must match nothing. */
function searchFaults(found: Invalidity[], { matches }: RunRecord, { expect }: GateCommand): void {
  if (expect === null) return;
  const expected = Object.entries(expect).filter(([, count]) => count > 0);
  const matched = new Map(Object.entries(matches ?? {}));
  const isEqual = expected.length === matched.size && expected.every(([path, count]) => matched.get(path) === count);
  if (matches === null || !isEqual) found.push('unexpected-matches');
}
