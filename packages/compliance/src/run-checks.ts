/**
 * Runs all checks of a baseline, side by side, each in its own time (C-06, C-15), and adds to their
 * findings what the baseline says: severity, controls, exceptions, remediation.
 */
import { randomBytes as systemRandomBytes } from 'node:crypto';
import type { Finding } from '@holdfast/evidence';
import type { HostReader } from '@holdfast/host';
import { type Baseline, type BaselineException, type BaselineSection, MAX_EXCEPTION_DAYS } from './baseline.ts';
import type { Check, CheckContext, CheckResult } from './check.ts';
import { CHECKS } from './checks.ts';
import { controlsOf } from './control-mapping.ts';
import { broken, notApplicable, reasonOf, unknown } from './finding.ts';
import { remediationFor } from './remediation.ts';
import { fitFindings, observedOf, worstSeverity, worstStatus } from './report-size.ts';
import type { LoadedBaseline } from './signed-baseline.ts';

const DAY_MS = 86_400_000;
/** C-02. Simulated hosts are of no distribution and answer all the same. */
const SUPPORTED_DISTRIBUTIONS: ReadonlySet<string> = new Set(['debian', 'ubuntu', 'nixos']);

export interface RunContext {
  readonly host: HostReader;
  /** Wall clock: for expiry of exceptions and certificates. */
  readonly nowMs: number;
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

export interface RunOptions {
  readonly checks?: ReadonlyMap<string, Check>;
}

/**
 * One result per check, in the order of `CHECKS`. Never throws: a check that does is `error`, one
 * that hangs is `error` after its time-out, and without a valid baseline every check is `unknown`
 * (C-03). A check the baseline has no section for is `not_applicable`.
 *
 * @param loaded what `loadBaseline` returned
 */
export async function runChecks(
  loaded: LoadedBaseline,
  context: RunContext,
  signal: AbortSignal,
  { checks = CHECKS }: RunOptions = {},
): Promise<CheckResult[]> {
  const full = { ...context, randomBytes: context.randomBytes ?? systemRandomBytes };
  return Promise.all([...checks.values()].map((check) => runOne(check, loaded, full, signal)));
}

async function runOne(
  check: Check,
  loaded: LoadedBaseline,
  context: CheckContext,
  signal: AbortSignal,
): Promise<CheckResult> {
  const { clock } = context.host;
  const startedMs = clock.wallMs();
  const startedMonotonicMs = clock.monotonicMs();
  const section = loaded.ok ? loaded.baseline.sections.get(check.name) : undefined;
  const raw = await findingsOf(check, loaded, section, context, signal);
  const complete = raw.map((finding) => finish(finding, check.name, section, loaded, context.nowMs));
  const findings = fitFindings(complete);
  return {
    check: check.name,
    status: worstStatus(complete),
    severity: worstSeverity(complete),
    findings,
    startedMs,
    // The wall clock may step while a check runs; how long it took does not (P-09).
    endedMs: startedMs + Math.max(0, Math.round(clock.monotonicMs() - startedMonotonicMs)),
    observed: observedOf(findings),
  };
}

async function findingsOf(
  check: Check,
  loaded: LoadedBaseline,
  section: BaselineSection | undefined,
  context: CheckContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (!loaded.ok) {
    return [
      unknown(
        'high',
        'baseline-unavailable',
        'baseline',
        `There is no valid baseline: ${loaded.reason} (${loaded.code})`,
      ),
    ];
  }
  if (section === undefined) {
    return [notApplicable('not-in-baseline', check.name, 'The baseline has no section for this check')];
  }
  const { distribution, simulated } = context.host.platform;
  if (!simulated && !SUPPORTED_DISTRIBUTIONS.has(distribution)) {
    return [notApplicable('platform-unsupported', check.name, `Nothing is known about the platform ${distribution}`)]; // C-02
  }
  const findings = await runInTime(check, section, context, signal);
  // C-06: having seen nothing is not having seen that all is well.
  if (findings.length === 0)
    return [unknown('high', 'nothing-found', check.name, 'The check found nothing to look at')];
  return findings;
}

/** A check that ignores its signal is left behind; what it says later is not heard. */
async function runInTime(
  check: Check,
  section: BaselineSection,
  context: CheckContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const controller = new AbortController();
  const stopped = Promise.withResolvers<readonly Finding[]>();
  const stop = (kind: string, why: string): void => {
    stopped.resolve([broken(kind, check.name, why)]);
    controller.abort(new DOMException(why, 'AbortError'));
  };
  const onAbort = (): void => stop('check-aborted', 'The check was stopped before it ended');
  const timer = setTimeout(
    () => stop('check-timeout', `The check took more than ${check.timeoutMs} ms`),
    check.timeoutMs,
  );
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const run = (async () => check.run(section.expectation, context, controller.signal))().catch(
      (error: unknown): readonly Finding[] => [
        broken('check-threw', check.name, `The check failed: ${reasonOf(error)}`),
      ],
    );
    return await Promise.race([stopped.promise, run]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function finish(
  finding: Finding,
  check: string,
  section: BaselineSection | undefined,
  loaded: LoadedBaseline,
  nowMs: number,
): Finding {
  const measured = finding.status === 'pass' || finding.status === 'not_applicable';
  const complete: Finding = {
    ...finding,
    severity: measured ? finding.severity : (section?.severity ?? finding.severity),
    controls: controlsOf(check, section?.controls ?? {}),
  };
  if (complete.status !== 'fail' || section === undefined || !loaded.ok) return complete;
  const exception = findException(loaded.baseline, check, complete, nowMs);
  if (exception !== undefined) {
    const message = `${complete.message} (excepted until ${exception.expires} by ${exception.owner}: ${exception.reason})`;
    return { ...complete, status: 'excepted', message: message.slice(0, 1_000).toWellFormed() };
  }
  // C-26: what is never remedied needs a person.
  if (section.remediation === 'never') return complete;
  return { ...complete, remediation: remediationFor(complete.kind, complete.subject) };
}

/** C-05: lapses by itself. One that would hold for longer than 90 days from now holds not at all. */
function findException(
  { exceptions }: Baseline,
  check: string,
  finding: Finding,
  nowMs: number,
): BaselineException | undefined {
  return exceptions.find((exception) => {
    const leftMs = Date.parse(exception.expires) - nowMs;
    if (!(leftMs > 0 && leftMs <= MAX_EXCEPTION_DAYS * DAY_MS)) return false;
    if (exception.check !== check) return false;
    if (exception.kind !== null && exception.kind !== finding.kind) return false;
    return exception.subject === '*' || exception.subject === finding.subject;
  });
}
