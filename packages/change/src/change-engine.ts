/**
 * The change engine: every privileged thing on a host is run here and nowhere else, as a
 * transaction that ends committed or reverted (P-12 … P-17).
 *
 * It takes requests, keeps changes that share a resource in order, waits for confirmations, brings
 * interrupted changes to an end after a restart, and hands every ended change to the sealer. It
 * does not decide: whether a change is allowed now is the guard's business, and so is the
 * maintenance window. A change that is out of its window never gets here: the guard answers
 * `deferred` and whoever wants it asks again.
 *
 * A queued change survives a restart of the daemon, but not of the machine, and not an hour: the
 * decision that allowed it was about that time (P-14).
 */
import {
  type BundleId,
  canonicalJson,
  type Clock,
  formatUuidV7,
  hasCode,
  HoldfastError,
  type JsonObject,
  parseBundleId,
} from '@holdfast/core';
import type { Host } from '@holdfast/host';
import type { ChangeJournal } from './change-journal.ts';
import { type ChangeEntry, type ChangeError, type ChangeRecord, isFreezing, toRecord } from './change-record.ts';
import { CHANGE_NOT_CONFIRMED, ChangeRunner, type RunnerOptions } from './change-runner.ts';
import { ChangeSealer, type Seal } from './change-sealer.ts';
import type { AnyOperation, Step } from './operation.ts';
import { ResourceQueue, type Ticket } from './resource-queue.ts';

export interface ChangeEngineDeps {
  readonly host: Host;
  /** Looked up at every request: a map that changes is fine, a running change keeps what it started with. */
  readonly operations: ReadonlyMap<string, AnyOperation>;
  readonly journal: ChangeJournal;
  readonly clock: Clock;
  /** Which boot the monotonic times of `clock` belong to. */
  readonly bootId: string;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Takes an ended change over into audit log and evidence. See `Seal`. */
  readonly seal: Seal;
  /** Calls `fire` once after `delayMs`, unless the returned function is called first. */
  readonly setTimer?: (delayMs: number, fire: () => void) => () => void;
  /** Told of failures that no caller is there to see. MUST NOT throw. */
  readonly onFault?: (error: unknown) => void;
}

export interface ChangeEngineOptions extends RunnerOptions {
  /** Changes that hold or wait for resources; one more is refused. */
  readonly maxPending: number;
  /** A change that waited longer in the queue ends as `failed`. */
  readonly maxQueuedMs: number;
}

export const DEFAULT_CHANGE_OPTIONS: ChangeEngineOptions = {
  captureTimeoutMs: 30_000,
  applyTimeoutMs: 120_000,
  verifyTimeoutMs: 60_000,
  revertTimeoutMs: 120_000,
  maxPending: 256,
  maxQueuedMs: 3_600_000,
};

export interface ChangeRequest {
  /** A UUIDv7 drawn by the caller: asking again with the same id is the same change. */
  readonly changeId: string;
  readonly operation: string;
  readonly params: JsonObject;
  /** Kept with the change and given to the sealer: decision, principal, cause. */
  readonly meta: JsonObject;
}

export interface ChangeEngine extends AsyncDisposable {
  /** True when a change could not be reverted: no change runs until `unfreeze`. */
  readonly frozen: boolean;
  /**
   * Ends every interrupted change, goes on waiting for confirmations that have time left, seals what
   * was not sealed and lets the queue run. Resolves when no change is half done. Call it once before
   * anything else, and again after `ERR_CHANGE_JOURNAL`; it may be killed and called again.
   */
  recover(signal: AbortSignal): Promise<void>;
  /**
   * Runs an operation as a change. Resolves when the change ended (however it ended) or awaits
   * confirmation, after the sealer was called. Aborting `signal` stops it between steps and reverts.
   *
   * @throws `ERR_INPUT_INVALID`, `ERR_CHANGE_OPERATION_UNKNOWN`, `ERR_CHANGE_CONFLICT`, `ERR_CHANGE_FROZEN`,
   * `ERR_CHANGE_BUSY`, `ERR_CHANGE_CLOSED` (nothing was done), `ERR_CHANGE_JOURNAL` (recovery decides)
   */
  request(request: ChangeRequest, signal: AbortSignal): Promise<ChangeRecord>;
  /** What an operation would do now; touches nothing (P-17). */
  plan(operation: string, params: JsonObject, signal: AbortSignal): Promise<readonly Step[]>;
  /** Keeps a change that awaits confirmation. @throws `ERR_CHANGE_UNKNOWN`, `ERR_CHANGE_STATE` */
  confirm(changeId: string): Promise<ChangeRecord>;
  /** Reverts a change that awaits confirmation. @throws `ERR_CHANGE_UNKNOWN`, `ERR_CHANGE_STATE` */
  revert(changeId: string): Promise<ChangeRecord>;
  get(changeId: string): Promise<ChangeRecord | undefined>;
  /** All changes that are not settled, then the newest others, newest first, `limit` at most of these. */
  list(limit: number): Promise<ChangeRecord[]>;
  /** The changes that keep the host frozen. */
  listFreezing(): Promise<ChangeRecord[]>;
  /** A person has dealt with every change that could not be reverted. */
  unfreeze(): Promise<void>;
  /** Offers ended changes to the sealer again that it could not take. @throws what the sealer throws */
  sealPending(): Promise<void>;
  /** Resolves when no change is running or queued. Changes that await confirmation are not running. */
  whenIdle(): Promise<void>;
}

export function createChangeEngine(deps: ChangeEngineDeps, options: Partial<ChangeEngineOptions> = {}): ChangeEngine {
  return new JournaledChangeEngine(deps, { ...DEFAULT_CHANGE_OPTIONS, ...options });
}

/** A change that stays only if somebody confirms it; it keeps its resources meanwhile. */
interface Provisional {
  readonly entry: ChangeEntry;
  readonly operation: AnyOperation;
  readonly ticket: Ticket;
  readonly cancelTimer: () => void;
}

/** setTimeout's own limit; a longer wait is armed again. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const never = new AbortController().signal;

class JournaledChangeEngine implements ChangeEngine {
  readonly #deps: ChangeEngineDeps;
  readonly #options: ChangeEngineOptions;
  readonly #runner: ChangeRunner;
  readonly #sealer: ChangeSealer;
  readonly #queue = new ResourceQueue();
  readonly #running = new Map<string, { readonly entry: ChangeEntry; readonly run: Promise<ChangeRecord> }>();
  readonly #provisional = new Map<string, Provisional>();
  #state: 'new' | 'open' | 'halted' | 'closed' = 'new';
  #frozen = false;

  constructor(deps: ChangeEngineDeps, options: ChangeEngineOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#runner = new ChangeRunner(deps, options);
    this.#sealer = new ChangeSealer(deps.journal, deps.seal, (entry) => this.#record(entry));
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  async recover(signal: AbortSignal): Promise<void> {
    if (this.#state === 'closed') throw closed();
    await this.whenIdle();
    const open = await this.#deps.journal.listOpen();
    this.#frozen = open.some(isFreezing);
    const left = open.filter((entry) => !this.#provisional.has(entry.changeId));
    const begun = left.filter(({ state }) => state !== 'intended' && state !== 'ended');
    signal.throwIfAborted();
    // Side by side: a slow revert must not keep a firewall from being restored (P-14).
    const results = await Promise.allSettled(
      begun.map((entry) => this.#track(entry, this.#resume(entry, this.#queue.enter(entry.resources)))),
    );
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    signal.throwIfAborted();
    this.#state = 'open';
    // In the turn in which the engine opens: no new request gets in front of what was queued.
    for (const entry of left.filter(({ state }) => state === 'intended')) {
      const ticket = this.#queue.enter(entry.resources);
      this.#track(entry, this.#runQueued(entry, ticket, never)).catch((error: unknown) => this.#fault(error));
    }
    await this.sealPending().catch((error: unknown) => this.#fault(error));
  }

  async request(request: ChangeRequest, signal: AbortSignal): Promise<ChangeRecord> {
    this.#assertOpen();
    const changeId = parseBundleId(request.changeId);
    const known = (await this.#deps.journal.get(changeId)) ?? this.#running.get(changeId)?.entry;
    if (known !== undefined) return this.#repeat(known, request);
    this.#assertOpen();
    if (this.#frozen) throw new HoldfastError('the host is frozen', { code: 'ERR_CHANGE_FROZEN' });
    if (this.#queue.size >= this.#options.maxPending) {
      throw new HoldfastError('too many changes are waiting', { code: 'ERR_CHANGE_BUSY' });
    }
    const operation = this.#operation(request.operation);
    const params = parseParams(operation, request.params);
    const entry = this.#intent(changeId, { ...request, params }, operation);
    // The place in the queue and the journal's order are taken in the same turn: they agree.
    const ticket = this.#queue.enter(entry.resources);
    return this.#track(entry, this.#admit(entry, ticket, signal));
  }

  async plan(name: string, params: JsonObject, signal: AbortSignal): Promise<readonly Step[]> {
    const operation = this.#operation(name);
    return this.#runner.plan(operation, parseParams(operation, params), signal);
  }

  async confirm(changeId: string): Promise<ChangeRecord> {
    const provisional = await this.#takeProvisional(changeId);
    const { entry, operation } = provisional;
    // The timer may be late; the deadline is not.
    if (this.#runner.isPastDeadline(entry)) {
      await this.#close(provisional, this.#runner.revert(entry, operation, CHANGE_NOT_CONFIRMED));
      throw notWaiting();
    }
    return this.#close(provisional, this.#runner.confirm(entry));
  }

  async revert(changeId: string): Promise<ChangeRecord> {
    const provisional = await this.#takeProvisional(changeId);
    const error = { code: 'ERR_CHANGE_REVERT_REQUESTED', message: 'the change was reverted by hand' };
    return this.#close(provisional, this.#runner.revert(provisional.entry, provisional.operation, error));
  }

  async get(changeId: string): Promise<ChangeRecord | undefined> {
    const entry = await this.#deps.journal.get(changeId);
    return entry === undefined ? undefined : this.#record(entry);
  }

  async list(limit: number): Promise<ChangeRecord[]> {
    const open = (await this.#deps.journal.listOpen()).toReversed();
    const shown = new Set(open.map(({ changeId }) => changeId));
    const recent = (await this.#deps.journal.listRecent(limit)).filter(({ changeId }) => !shown.has(changeId));
    return [...open, ...recent].map((entry) => this.#record(entry));
  }

  async listFreezing(): Promise<ChangeRecord[]> {
    return (await this.#deps.journal.listOpen()).filter(isFreezing).map((entry) => this.#record(entry));
  }

  async unfreeze(): Promise<void> {
    for (const entry of (await this.#deps.journal.listOpen()).filter(isFreezing)) {
      await this.#sealer.update(entry.changeId, { unfrozen: true, captured: null });
    }
    this.#frozen = false;
  }

  async sealPending(): Promise<void> {
    const ended = (await this.#deps.journal.listOpen()).filter(({ state, sealed }) => state === 'ended' && !sealed);
    for (const entry of ended) await this.#sealer.seal(entry.changeId);
  }

  async whenIdle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running.values()].map(({ run }) => run));
  }

  /** Takes no more requests and waits for running changes. What is queued or waits stays in the journal. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
    for (const { cancelTimer } of this.#provisional.values()) cancelTimer();
    this.#provisional.clear();
    await this.whenIdle();
    await this.#sealer.whenIdle();
  }

  async #admit(entry: ChangeEntry, ticket: Ticket, signal: AbortSignal): Promise<ChangeRecord> {
    try {
      await this.#deps.journal.add(entry);
    } catch (error) {
      ticket.leave();
      throw error;
    }
    return this.#runQueued(entry, ticket, signal);
  }

  async #runQueued(entry: ChangeEntry, ticket: Ticket, signal: AbortSignal): Promise<ChangeRecord> {
    await grantedOrAborted(ticket, signal);
    if (this.#state !== 'open') {
      ticket.leave();
      throw this.#state === 'closed' ? closed() : halted();
    }
    const operation = this.#deps.operations.get(entry.operation);
    const refusal = signal.aborted ? CALLED_OFF : this.#refusal(entry, operation);
    const run =
      refusal !== null || operation === undefined
        ? this.#runner.refuse(entry, refusal ?? UNKNOWN)
        : this.#runner.start(entry, operation, signal);
    return this.#settle(run, operation, ticket);
  }

  async #resume(entry: ChangeEntry, ticket: Ticket): Promise<ChangeRecord> {
    await ticket.granted;
    const operation = this.#deps.operations.get(entry.operation);
    return this.#settle(this.#runner.resume(entry, operation), operation, ticket);
  }

  /** Waits for a run; then either holds the change for confirmation, or lets go of it and seals it. */
  async #settle(run: Promise<ChangeEntry>, operation: AnyOperation | undefined, ticket: Ticket): Promise<ChangeRecord> {
    let entry: ChangeEntry;
    try {
      entry = await run;
    } catch (error) {
      // The journal failed: what is on disk decides, and nothing runs until it was read again.
      if (this.#state === 'open') this.#state = 'halted';
      ticket.leave();
      throw error;
    }
    if (entry.state === 'awaiting-confirmation' && operation !== undefined) {
      if (this.#state !== 'closed') this.#hold({ entry, operation, ticket });
      return this.#record(entry);
    }
    if (isFreezing(entry)) this.#frozen = true;
    ticket.leave();
    const sealed = await this.#sealer.seal(entry.changeId).catch((error: unknown) => {
      this.#fault(error);
      return entry; // it stays unsealed in the journal and is offered again
    });
    return this.#record(sealed);
  }

  #hold(change: Pick<Provisional, 'entry' | 'operation' | 'ticket'>): void {
    const { entry } = change;
    const leftMs = (entry.confirmBy?.monotonicMs ?? 0) - this.#deps.clock.monotonicMs();
    const setTimer = this.#deps.setTimer ?? systemTimer;
    const cancelTimer = setTimer(Math.min(Math.max(0, leftMs), MAX_TIMER_MS), () => this.#expire(entry.changeId));
    this.#provisional.set(entry.changeId, { ...change, cancelTimer });
  }

  #expire(changeId: string): void {
    const provisional = this.#provisional.get(changeId);
    if (provisional === undefined) return;
    this.#provisional.delete(changeId);
    if (!this.#runner.isPastDeadline(provisional.entry)) {
      this.#hold(provisional); // fired early, or the wait is longer than a timer can be
      return;
    }
    const { entry, operation } = provisional;
    this.#close(provisional, this.#runner.revert(entry, operation, CHANGE_NOT_CONFIRMED)).catch((error: unknown) =>
      this.#fault(error),
    );
  }

  async #takeProvisional(changeId: string): Promise<Provisional> {
    const provisional = this.#provisional.get(changeId);
    if (provisional === undefined) {
      if ((await this.#deps.journal.get(changeId)) !== undefined) throw notWaiting();
      throw new HoldfastError('no such change', { code: 'ERR_CHANGE_UNKNOWN' });
    }
    this.#provisional.delete(changeId);
    provisional.cancelTimer();
    return provisional;
  }

  async #close({ entry, operation, ticket }: Provisional, run: Promise<ChangeEntry>): Promise<ChangeRecord> {
    return this.#track(entry, this.#settle(run, operation, ticket));
  }

  async #track(entry: ChangeEntry, run: Promise<ChangeRecord>): Promise<ChangeRecord> {
    this.#running.set(entry.changeId, { entry, run });
    try {
      return await run;
    } finally {
      this.#running.delete(entry.changeId);
    }
  }

  async #repeat(known: ChangeEntry, request: ChangeRequest): Promise<ChangeRecord> {
    const operation = this.#deps.operations.get(request.operation);
    const params = operation === undefined ? request.params : parseParams(operation, request.params);
    if (known.operation !== request.operation || canonicalJson(known.params) !== canonicalJson(params)) {
      throw new HoldfastError('the change id is taken', { code: 'ERR_CHANGE_CONFLICT' });
    }
    return this.#running.get(known.changeId)?.run ?? this.#record(known);
  }

  #refusal(entry: ChangeEntry, operation: AnyOperation | undefined): ChangeError | null {
    if (this.#frozen) return { code: 'ERR_CHANGE_FROZEN', message: 'the host froze while the change waited' };
    if (operation === undefined) return UNKNOWN;
    const { bootId, monotonicMs } = entry.requested;
    const isStale =
      bootId !== this.#deps.bootId || this.#deps.clock.monotonicMs() - monotonicMs > this.#options.maxQueuedMs;
    return isStale ? { code: 'ERR_CHANGE_STALE', message: 'the change waited too long' } : null;
  }

  #intent(changeId: BundleId, request: ChangeRequest, operation: AnyOperation): ChangeEntry {
    const { clock, bootId, randomBytes } = this.#deps;
    const wallMs = clock.wallMs();
    return {
      changeId,
      bundleId: formatUuidV7(Math.max(0, Math.floor(wallMs)), randomBytes(10)),
      operation: operation.name,
      params: request.params,
      meta: request.meta,
      resources: operation.resources(request.params),
      state: 'intended',
      requestedAt: new Date(wallMs).toISOString(),
      requested: { bootId, monotonicMs: clock.monotonicMs() },
      startedAt: null,
      endedAt: null,
      planned: [],
      captured: null,
      steps: [],
      verification: null,
      confirmBy: null,
      outcome: null,
      error: null,
      sealed: false,
      unfrozen: false,
    };
  }

  #operation(name: string): AnyOperation {
    const operation = this.#deps.operations.get(name);
    if (operation !== undefined) return operation;
    throw new HoldfastError('no such operation', { code: 'ERR_CHANGE_OPERATION_UNKNOWN' });
  }

  #assertOpen(): void {
    if (this.#state === 'open') return;
    if (this.#state === 'new') throw new TypeError('recover() comes before the first request');
    throw this.#state === 'closed' ? closed() : halted();
  }

  #record(entry: ChangeEntry): ChangeRecord {
    return toRecord(entry, this.#deps.clock.monotonicMs());
  }

  #fault(error: unknown): void {
    // A closing engine leaves its queue in the journal on purpose.
    if (!hasCode(error, 'ERR_CHANGE_CLOSED')) this.#deps.onFault?.(error);
  }
}

const CALLED_OFF = { code: 'ERR_CHANGE_ABORTED', message: 'the change was called off while it waited' };
const UNKNOWN = { code: 'ERR_CHANGE_OPERATION_UNKNOWN', message: 'the host no longer has this operation' };
const closed = (): HoldfastError => new HoldfastError('the engine is stopping', { code: 'ERR_CHANGE_CLOSED' });
const halted = (): HoldfastError =>
  new HoldfastError('the journal failed and was not read again yet', { code: 'ERR_CHANGE_JOURNAL' });
const notWaiting = (): HoldfastError =>
  new HoldfastError('the change does not await confirmation', { code: 'ERR_CHANGE_STATE' });

function parseParams(operation: AnyOperation, value: JsonObject): JsonObject {
  const parsed = operation.params.safeParse(value);
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map((issue) => issue.path.join('.')).join(' ');
  throw new HoldfastError('the parameters do not parse', { code: 'ERR_INPUT_INVALID', fields: { paths } });
}

async function grantedOrAborted(ticket: Ticket, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await Promise.race([ticket.granted, promise]);
  signal.removeEventListener('abort', onAbort);
}

/** Not a reason to keep the process alive: after a restart the journal knows the deadline. */
function systemTimer(delayMs: number, fire: () => void): () => void {
  const timer = setTimeout(fire, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
