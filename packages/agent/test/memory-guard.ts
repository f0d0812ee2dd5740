/**
 * A host and its guard in memory: parts that break, operations that mend them, bundles that are
 * sealed into files with rising sequence numbers. It keeps the contract of `GuardPort`: seal is
 * idempotent by bundle id, orders by order id, and what is not confirmed reverts.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChangeReport, CheckReport, GuardStatus, OrderReport } from '@holdfast/api';
import type { CheckResult } from '@holdfast/compliance';
import { type Clock, formatUuidV7, HoldfastError } from '@holdfast/core';
import type { Finding } from '@holdfast/evidence';
import type {
  CheckRun,
  Checks,
  ClockJudgement,
  GuardPort,
  HealRequest,
  OutboxItem,
  RemediationPolicy,
} from '../src/ports.ts';

export interface Part {
  readonly check: string;
  readonly subject: string;
  broken: boolean;
  /** `null`: nothing mends it without a person. */
  readonly operation: string | null;
}

/** What one request to mend comes to. */
export type MendResult = 'committed' | 'await' | 'reverted' | 'failed' | 'deferred' | 'alert' | 'in-vain';

export class MemoryGuard implements GuardPort {
  readonly parts: Part[] = [];
  readonly reports: CheckReport[] = [];
  readonly requests: HealRequest[] = [];
  readonly confirmed: string[] = [];
  readonly ordered = new Map<string, OrderReport>();
  /** How often the effect of each order was brought about. */
  readonly effects: string[] = [];
  mend: (request: HealRequest) => MendResult = () => 'committed';
  /** Throws to refuse. */
  beforeRequest: (request: HealRequest) => void = () => undefined;
  beforeOutbox: () => void = () => undefined;
  isAway = false;
  frozen = false;
  readonly #outbox: OutboxItem[] = [];
  readonly #changes: ChangeReport[] = [];
  readonly #clock: Clock;
  readonly #evidence: string;
  #ids = 0;

  constructor(evidenceDirectory: string, clock: Clock) {
    mkdirSync(evidenceDirectory, { recursive: true });
    this.#evidence = evidenceDirectory;
    this.#clock = clock;
  }

  add(check: string, subject: string, operation: string | null = 'services.restart'): Part {
    const part = { check, subject, broken: false, operation };
    this.parts.push(part);
    return part;
  }

  get sealedIds(): string[] {
    return this.#outbox.map(({ bundleId }) => bundleId);
  }

  changesOf(operation: string): ChangeReport[] {
    return this.#changes.filter((change) => change.operation === operation);
  }

  /** What the guard does when a change is not confirmed in time. */
  revertUnconfirmed(): void {
    for (const [index, change] of this.#changes.entries()) {
      if (change.state !== 'awaiting-confirmation') continue;
      this.#changes[index] = { ...change, state: 'ended', outcome: 'reverted', confirmWithinMs: null };
      for (const part of this.#partsOf(change.params)) part.broken = true;
    }
  }

  async status(): Promise<GuardStatus> {
    this.#requireHere();
    return {
      version: '0.1.0',
      orgId: 'org-1',
      siteId: 'site-1',
      hostId: 'host-1',
      hostName: 'web-1',
      simulated: true,
      frozen: this.frozen,
      policyHash: 'a'.repeat(64),
      baselineHash: 'b'.repeat(64),
      audit: { seq: this.#outbox.length, head: 'c'.repeat(64), writable: true },
      pendingChanges: 0,
      startedAt: new Date(0).toISOString(),
      layers: [],
    };
  }

  async request(request: HealRequest): Promise<ChangeReport> {
    this.#requireHere();
    this.beforeRequest(request);
    this.requests.push(request);
    const isPostponed = request.notBeforeMs !== null && this.#clock.wallMs() < request.notBeforeMs;
    const result = isPostponed ? 'deferred' : this.mend(request);
    if (result === 'committed' || result === 'await')
      for (const part of this.#partsOf(request.params)) part.broken = false;
    return this.#record(request, result);
  }

  async order(envelope: string, _signal?: AbortSignal): Promise<OrderReport> {
    this.#requireHere();
    const { payload } = JSON.parse(envelope) as { payload?: string };
    if (payload === undefined)
      return { orderId: null, outcome: 'rejected', code: 'ERR_ORDER_INVALID', change: null, bundleId: this.#seal() };
    const { orderId } = JSON.parse(Buffer.from(payload, 'base64').toString()) as { orderId: string };
    const known = this.ordered.get(orderId);
    if (known !== undefined) return known;
    this.effects.push(orderId);
    const report: OrderReport = { orderId, outcome: 'done', code: null, change: null, bundleId: this.#seal() };
    this.ordered.set(orderId, report);
    return report;
  }

  async confirm(changeId: string): Promise<ChangeReport> {
    this.#requireHere();
    const index = this.#changes.findIndex((change) => change.changeId === changeId);
    const change = this.#changes[index];
    if (change?.state !== 'awaiting-confirmation')
      throw new HoldfastError('no such change', { code: 'ERR_GUARD_DENIED' });
    this.confirmed.push(changeId);
    const ended: ChangeReport = { ...change, state: 'ended', outcome: 'committed', confirmWithinMs: null };
    this.#changes[index] = ended;
    return ended;
  }

  async seal(report: CheckReport): Promise<{ bundleId: string; digest: string; seq: number }> {
    this.#requireHere();
    if (!this.reports.some(({ bundleId }) => bundleId === report.bundleId)) {
      this.reports.push(report);
      this.#seal(report.bundleId);
    }
    return { bundleId: report.bundleId, digest: '', seq: this.#outbox.length };
  }

  async outbox(afterSeq: number, limit: number): Promise<{ items: OutboxItem[]; nextSeq: number }> {
    this.#requireHere();
    this.beforeOutbox();
    const items = this.#outbox.filter(({ seq }) => seq > afterSeq).slice(0, limit);
    return { items, nextSeq: items.at(-1)?.seq ?? afterSeq };
  }

  async changes(): Promise<ChangeReport[]> {
    this.#requireHere();
    return this.#changes.toReversed();
  }

  #partsOf(params: HealRequest['params']): Part[] {
    return this.parts.filter(({ subject }) => subject === params['subject']);
  }

  #record({ operation, params, remediationId }: HealRequest, result: MendResult): ChangeReport {
    const outcome = result === 'in-vain' ? 'committed' : result;
    const change: ChangeReport = {
      changeId: this.#nextId(),
      operation,
      params: params as ChangeReport['params'],
      state: outcome === 'await' ? 'awaiting-confirmation' : 'ended',
      outcome: outcome === 'await' ? null : outcome,
      steps: [],
      reasons: [],
      confirmWithinMs: outcome === 'await' ? 60_000 : null,
      bundleId: this.#seal(),
      remediationId,
      errorCode: null,
    };
    this.#changes.push(change);
    return change;
  }

  #seal(bundleId = this.#nextId()): string {
    const path = join(this.#evidence, `${bundleId}.dsse.json`);
    writeFileSync(path, JSON.stringify({ bundleId, filler: 'x'.repeat(200) }));
    this.#outbox.push({ seq: this.#outbox.length + 1, bundleId, path });
    return bundleId;
  }

  #nextId(): string {
    this.#ids++;
    const random = new Uint8Array(10);
    new DataView(random.buffer).setUint32(4, this.#ids);
    return formatUuidV7(this.#clock.wallMs(), random);
  }

  #requireHere(): void {
    if (this.isAway) throw new HoldfastError('the guard does not answer', { code: 'ERR_GUARD_UNREACHABLE' });
  }
}

/** Checks over the parts of a `MemoryGuard`: one finding per part. */
export class MemoryChecks implements Checks {
  policy: RemediationPolicy = 'auto';
  clockJudgement: ClockJudgement = { status: 'sane', offsetMs: 3 };
  disruptive = false;
  /** Checks that cannot see: their findings are unknown. */
  readonly blind = new Set<string>();
  baselineProblem: string | null = null;
  runs = 0;
  /** Awaited by each run. */
  gate: Promise<void> = Promise.resolve();
  readonly #guard: MemoryGuard;
  readonly #clock: Clock;

  constructor(guard: MemoryGuard, clock: Clock) {
    this.#guard = guard;
    this.#clock = clock;
  }

  async run(only: readonly string[] | null): Promise<CheckRun> {
    this.runs++;
    await this.gate;
    const names = [...new Set(this.#guard.parts.map(({ check }) => check))];
    return {
      results: names.filter((name) => only === null || only.includes(name)).map((name) => this.#look(name)),
      baselineHash: 'b'.repeat(64),
      baselineProblem: this.baselineProblem,
      policyOf: () => this.policy,
      isDisruptive: () => this.disruptive,
      watched: [],
    };
  }

  async judgeClock(): Promise<ClockJudgement> {
    return this.clockJudgement;
  }

  #look(check: string): CheckResult {
    const findings = this.#guard.parts.filter((part) => part.check === check).map((part) => this.#finding(part));
    const statuses = new Set<string>(findings.map(({ status }) => status));
    const status = (['unknown', 'fail'] as const).find((bad) => statuses.has(bad)) ?? 'pass';
    const nowMs = this.#clock.wallMs();
    const severity = status === 'pass' ? 'info' : 'high';
    return { check, status, severity, findings, startedMs: nowMs, endedMs: nowMs, observed: null };
  }

  #finding({ check, subject, broken, operation }: Part): Finding {
    const failed = this.blind.has(check) ? 'unknown' : 'fail';
    const isBad = broken || this.blind.has(check);
    return {
      subject,
      kind: isBad ? 'service-inactive' : 'service-active',
      status: isBad ? failed : 'pass',
      severity: isBad ? 'high' : 'info',
      message: subject,
      observed: null,
      expected: null,
      diff: null,
      controls: {},
      remediation: isBad && failed === 'fail' && operation !== null ? { operation, params: { subject } } : null,
    };
  }
}
