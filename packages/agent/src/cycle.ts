/**
 * One cycle of the agent (C-27): check in → detect → seal → heal → orders → take in evidence →
 * upload. Each stage stands for itself: what fails is counted and shown, and the next one runs all
 * the same. What needs the network runs beside what protects the host, which never waits for it long.
 */
import { join } from 'node:path';
import type { HostPaths, Trust } from '@holdfast/api';
import { type Clock, hasCode } from '@holdfast/core';
import type { CheckResult } from '@holdfast/compliance';
import { loggable } from './agent-log.ts';
import { writeFileAtomically } from './atomic-file.ts';
import type { AgentConfig } from './config.ts';
import type { FileHints } from './file-hints.ts';
import type { Healer } from './healer.ts';
import type { HealthRegistry } from './health.ts';
import type { Memory, OpenRemediation } from './memory.ts';
import { type OrderDeps, reportOrders, runOrders } from './orders.ts';
import { clockStepMs } from './clock-steps.ts';
import { takeInOutbox } from './outbox-intake.ts';
import {
  type AgentLog,
  type Checks,
  type CheckRun,
  type GuardPort,
  momentOf,
  type RandomBytes,
  type ServerPort,
  type Sleep,
} from './ports.ts';
import type { Queue } from './queue.ts';
import type { RemediationBook } from './remediation-book.ts';
import { renewWhenDue } from './renewal.ts';
import { sealResult } from './sealer.ts';
import { type ServerLink, serverStateOf } from './server-link.ts';
import { joinWithin, SingleFlight } from './single-flight.ts';
import type { Identity } from './transport.ts';
import { drainQueue, reportQueue } from './uploader.ts';

/** How long a cycle waits for work on the network; it goes on by itself after that. */
const NETWORK_GRACE_MS = 5_000;
/** A clock that was sane is asked again after this time; any other one in each cycle. */
const CLOCK_JUDGEMENT_MS = 300_000;

export interface CycleDeps {
  readonly guard: GuardPort;
  readonly server: ServerPort;
  readonly checks: Checks;
  readonly queue: Queue;
  readonly memory: Memory;
  readonly health: HealthRegistry;
  readonly link: ServerLink;
  readonly book: RemediationBook;
  readonly healer: Healer;
  readonly clock: Clock;
  readonly bootId: string;
  readonly sleep: Sleep;
  readonly random: RandomBytes;
  readonly log: AgentLog;
  readonly trust: Trust;
  readonly paths: HostPaths;
  readonly config: AgentConfig;
  readonly hints: Pick<FileHints, 'follow'>;
  /** Called with a renewed certificate. */
  readonly useIdentity: (identity: Identity) => void;
}

export interface CycleOutcome {
  /** False when the guard or detection failed. The server being away is no failure of the cycle. */
  readonly ok: boolean;
  readonly guardAway: boolean;
  /** Something on the host was changed: look again at once. */
  readonly healed: boolean;
}

interface Detected {
  readonly run: CheckRun;
  readonly seen: readonly { readonly result: CheckResult; readonly remediation: OpenRemediation | null }[];
}

export class Cycle {
  readonly #deps: CycleDeps;
  readonly #signal: AbortSignal;
  readonly #orders: SingleFlight;
  readonly #uploads: SingleFlight;
  #clockJudgedMs: number | null = null;
  #failed = false;
  #guardAway = false;

  /** @param signal ends everything, also what runs beside a cycle */
  constructor(deps: CycleDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#orders = new SingleFlight(() => this.#network('orders', () => this.#doOrders()));
    this.#uploads = new SingleFlight(() => this.#network('upload', () => this.#upload()));
  }

  /** Resolves when nothing runs beside a cycle. */
  async settled(): Promise<void> {
    await Promise.all([this.#orders.settled(), this.#uploads.settled()]);
  }

  /** Rejects only with the signal's reason. */
  async run(): Promise<CycleOutcome> {
    const { clock, health, link, sleep, guard, queue, healer } = this.#deps;
    const signal = this.#signal;
    const startedMs = clock.monotonicMs();
    this.#failed = false;
    this.#guardAway = false;
    await this.#local('guard', () => this.#askGuard());
    const checkedIn = link.checkin();
    const clockJudged = this.#local('clock', () => this.#judgeClock());
    await joinWithin(clockJudged, NETWORK_GRACE_MS, sleep, signal);
    await this.#local('resume', () => healer.resume(signal));
    const detected = await this.#local('detect', () => this.#detect());
    if (detected !== undefined) await this.#seal(detected);
    const healed = detected === undefined ? false : await this.#heal(detected);

    await joinWithin(checkedIn, NETWORK_GRACE_MS, sleep, signal);
    await joinWithin(this.#orders.start(), NETWORK_GRACE_MS, sleep, signal);
    const taken = await this.#local('outbox', async () => {
      await takeInOutbox(guard, queue, health, signal);
      return true;
    });
    if (taken === true) health.clear('queue-unwritable');
    await joinWithin(this.#uploads.start(), NETWORK_GRACE_MS, sleep, signal);
    signal.throwIfAborted();
    health.cycleEnded(!this.#failed, clock.monotonicMs() - startedMs);
    await this.#local('health', async () => this.#writeHealth());
    return { ok: !this.#failed, guardAway: this.#guardAway, healed };
  }

  /** One stage on this host: its failure is the cycle's, and a condition until it works again. */
  async #local<T>(stage: string, work: () => Promise<T>): Promise<T | undefined> {
    const { health, log } = this.#deps;
    try {
      const result = await work();
      health.clear(`stage:${stage}`);
      return result;
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#failed = true;
      if (hasCode(error, 'ERR_GUARD_UNREACHABLE')) this.#guardAway = true;
      if (isDiskFull(error)) health.raise('queue-unwritable', 'critical', 'the state directory cannot be written');
      const fields = loggable(error);
      health.raise(`stage:${stage}`, 'warning', `${stage} failed: ${fields['code']}`);
      log.warn({ ...fields, stage }, 'a stage of the cycle failed');
      return undefined;
    }
  }

  /** Work beside the cycle: the server being away is told once, by its condition. Never rejects. */
  async #network(stage: string, work: () => Promise<void>): Promise<void> {
    const { health, log } = this.#deps;
    try {
      await work();
      health.clear(`stage:${stage}`);
    } catch (error) {
      if (this.#signal.aborted) return;
      const fields = loggable(error);
      if (hasCode(error, 'ERR_AGENT_CONNECTION') || hasCode(error, 'ERR_AGENT_AUTHENTICATION')) {
        health.server = serverStateOf(error);
      }
      health.raise(`stage:${stage}`, 'warning', `${stage} failed: ${fields['code']}`);
      log.warn({ ...fields, stage }, 'work with the server failed');
    }
  }

  async #askGuard(): Promise<void> {
    const { guard, health, link, queue } = this.#deps;
    try {
      const status = await guard.status(this.#signal);
      link.guardStatus = status;
      health.guard = status.frozen ? 'frozen' : 'reachable';
      health.set('frozen', 'critical', status.frozen ? 'the guard is frozen: nothing is healed' : null);
      health.set('audit-unwritable', 'critical', status.audit.writable ? null : 'the audit log cannot be written');
      // Audit sequence numbers only rise: a log behind our cursor was cut or replaced.
      const isRewound = status.audit.seq < queue.cursor();
      health.set('audit-rewound', 'critical', isRewound ? 'the audit log of this host is shorter than it was' : null);
    } catch (error) {
      health.guard = 'unreachable';
      throw error;
    }
  }

  async #judgeClock(): Promise<void> {
    const { checks, clock, health } = this.#deps;
    this.#watchClock();
    const isFresh = this.#clockJudgedMs !== null && clock.monotonicMs() - this.#clockJudgedMs < CLOCK_JUDGEMENT_MS;
    if (isFresh && health.clockJudgement.status === 'sane') return;
    health.clockJudgement = await checks.judgeClock(this.#signal);
    this.#clockJudgedMs = clock.monotonicMs();
    const isWrong = health.clockJudgement.status === 'not-sane';
    health.set('clock-not-sane', 'critical', isWrong ? 'the clock is wrong: no disruptive work' : null);
  }

  /** P-09: a step makes the judgement of the time sources stale, and is shown until the next cycle. */
  #watchClock(): void {
    const { memory, clock, bootId, health } = this.#deps;
    const now = momentOf(clock, bootId);
    const before = memory.moments('cycle', '').at(-1);
    const stepMs = before === undefined ? 0 : clockStepMs(before, now);
    if (stepMs !== 0) this.#clockJudgedMs = null;
    health.set('clock-stepped', 'warning', stepMs === 0 ? null : `the wall clock was moved by ${stepMs} ms`);
    memory.forgetMoments('cycle', '');
    memory.note('cycle', '', now);
  }

  async #detect(): Promise<Detected> {
    const { checks, health, book, hints } = this.#deps;
    const run = await checks.run(null, this.#signal);
    this.#signal.throwIfAborted();
    health.set('baseline', 'critical', run.baselineProblem);
    hints.follow(run.watched);
    return { run, seen: run.results.map((result) => ({ result, remediation: book.observe(result) })) };
  }

  /** Side by side: the guard writes their audit records with one sync. */
  async #seal({ seen }: Detected): Promise<void> {
    await this.#local('seal', async () => {
      const sealed = await Promise.allSettled(
        seen.map(({ result, remediation }) =>
          sealResult(result, remediation?.remediationId ?? null, this.#deps, this.#signal),
        ),
      );
      for (const outcome of sealed) if (outcome.status === 'rejected') throw outcome.reason;
    });
  }

  /** @returns whether anything on the host was changed */
  async #heal({ run, seen }: Detected): Promise<boolean> {
    const { healer, health, memory } = this.#deps;
    const mayDisrupt = health.clockJudgement.status === 'sane' && !health.holds('queue-unwritable');
    healer.reportBrakes();
    // An attempt that cannot even be asked for is none.
    if (health.guard !== 'reachable') return false;
    const outcomes = await Promise.all(
      seen.map(async ({ result }) => {
        const remediation = memory.remediation(result.check);
        if (remediation === null) return false;
        if (!result.findings.some((finding) => finding.status === 'fail')) return false;
        return this.#local(`heal:${result.check}`, () =>
          healer.heal(result, remediation, run, mayDisrupt, this.#signal),
        );
      }),
    );
    return outcomes.includes(true);
  }

  async #doOrders(): Promise<void> {
    const deps: OrderDeps = this.#deps;
    await runOrders(deps, this.#signal);
    await reportOrders(deps, this.#signal);
  }

  /** A certificate that cannot be renewed yet is still good for half of its life: uploads go on. */
  async #renew(): Promise<void> {
    const { server, health, paths, trust, clock, log } = this.#deps;
    try {
      const renewed = await renewWhenDue(paths, server, trust.hostName, clock.wallMs(), this.#signal);
      if (renewed !== null) this.#deps.useIdentity(renewed);
      health.clear('certificate');
    } catch (error) {
      this.#signal.throwIfAborted();
      const fields = loggable(error);
      health.raise('certificate', 'warning', `the certificate could not be renewed: ${fields['code']}`);
      log.warn(fields, 'the certificate could not be renewed');
    }
  }

  async #upload(): Promise<void> {
    const { server, queue, health, paths, config } = this.#deps;
    await this.#renew();
    try {
      await drainQueue({ queue, server, health, evidenceDirectory: paths.evidence }, this.#signal);
      queue.prune(config.uploadedRetentionDays);
    } finally {
      reportQueue(queue, health); // also of a server that is away it is known what could not be read
    }
  }

  #writeHealth(): void {
    const { health, queue, paths } = this.#deps;
    const text = `${JSON.stringify(health.snapshot(queue.stats()), null, 2)}\n`;
    writeFileAtomically(join(paths.agentState, 'health.json'), text, 0o644);
  }
}

/** SQLite's and the kernel's words for it. */
function isDiskFull(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const code = 'code' in error ? error.code : '';
  return (
    code === 'ENOSPC' || code === 'EROFS' || (code === 'ERR_SQLITE_ERROR' && 'errcode' in error && error.errcode === 13)
  );
}
