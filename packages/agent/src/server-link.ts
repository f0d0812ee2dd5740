/**
 * The check-in with the server: health and progress up, orders and checkpoint down. One at a time,
 * beside everything else: nobody who heals waits for it.
 */
import type { GuardStatus, Progress, Trust } from '@holdfast/api';
import { type Clock, hasCode, ID_PATTERN } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { loggable } from './agent-log.ts';
import type { HealthRegistry } from './health.ts';
import { witnessCheckpoint } from './log-witness.ts';
import type { Memory } from './memory.ts';
import type { AgentLog, ServerPort } from './ports.ts';
import type { Queue } from './queue.ts';

/** `CheckinRequestSchema` takes so many. */
const MAX_PROGRESS_SENT = 200;
/** Progress is for the screen; what counts is evidence. A server away for days is not owed all of it. */
const MAX_PROGRESS_KEPT = 2_000;
/** Orders without a readable id are known by their digest and cannot be reported on. */
export const UNREADABLE_ORDER = 'unreadable-';

export interface LinkDeps {
  readonly server: ServerPort;
  readonly memory: Memory;
  readonly queue: Queue;
  readonly health: HealthRegistry;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly log: AgentLog;
}

/** Reads the id out of an order without believing anything in it: it only keys results. The guard verifies. */
function orderKey(envelope: string): string {
  try {
    const { payload } = JSON.parse(envelope) as { payload?: unknown };
    const { orderId } = JSON.parse(Buffer.from(String(payload), 'base64').toString('utf8')) as { orderId?: unknown };
    if (typeof orderId === 'string' && ID_PATTERN.test(orderId) && !orderId.startsWith(UNREADABLE_ORDER))
      return orderId;
  } catch {
    // Not an order: handed to the guard all the same, which refuses it with evidence.
  }
  return UNREADABLE_ORDER + sha256Hex(envelope).slice(0, 40);
}

/** How a failed exchange shows in health (C-30). */
export const serverStateOf = (error: unknown): 'unreachable' | 'refusing' =>
  hasCode(error, 'ERR_AGENT_CONNECTION') ? 'unreachable' : 'refusing';

export class ServerLink {
  /** Set by each cycle; `null` until the guard answered once. */
  guardStatus: GuardStatus | null = null;
  readonly #deps: LinkDeps;
  readonly #identity: { readonly bootId: string; readonly agentVersion: string };
  readonly #signal: AbortSignal;
  #progress: Progress[] = [];
  #running: Promise<void> | null = null;
  #again = false;

  constructor(deps: LinkDeps, identity: { bootId: string; agentVersion: string }, signal: AbortSignal) {
    this.#deps = deps;
    this.#identity = identity;
    this.#signal = signal;
  }

  /** Tells of a remediation's new state, soon. */
  tell(progress: Progress): void {
    this.#progress = [...this.#progress, progress].slice(-MAX_PROGRESS_KEPT);
    void this.checkin();
  }

  /** Checks in, or joins the check-in under way and has it followed by another. Never rejects. */
  checkin(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Resolves when no check-in is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      // A server that does not answer is asked again with the next cycle, not at once.
      if (!(await this.#once())) return;
    } while (this.#again && !this.#signal.aborted);
  }

  async #once(): Promise<boolean> {
    const { server, memory, queue, health, clock, log } = this.#deps;
    const sent = this.#progress.slice(0, MAX_PROGRESS_SENT);
    const status = this.guardStatus;
    try {
      const response = await server.checkin(
        {
          ...this.#identity,
          health: health.snapshot(queue.stats()),
          policyHash: status?.policyHash ?? null,
          baselineHash: status?.baselineHash ?? null,
          audit: status === null ? null : { seq: status.audit.seq, head: status.audit.head },
          progress: sent,
        },
        this.#signal,
      );
      health.server = 'reachable';
      health.clear('server');
      this.#progress = this.#progress.filter((entry) => !sent.includes(entry));
      if (this.#progress.length > 0) this.#again = true;
      for (const envelope of response.orders) {
        memory.receiveOrder({ orderId: orderKey(envelope), envelope }, clock.wallMs());
      }
      if (response.checkpoint !== null) await this.#witness(response.checkpoint);
      return true;
    } catch (error) {
      if (this.#signal.aborted) return false;
      const fields = loggable(error);
      health.server = serverStateOf(error);
      health.raise('server', 'warning', `the server cannot be spoken to: ${fields['code']}`);
      log.warn(fields, 'check-in failed');
      return false;
    }
  }

  async #witness(note: string): Promise<void> {
    const { health, log, clock } = this.#deps;
    try {
      await witnessCheckpoint(note, { ...this.#deps, wallMs: () => clock.wallMs() }, this.#signal);
      health.clear('checkpoint-invalid');
      health.clear('log-unproven');
    } catch (error) {
      if (this.#signal.aborted) return;
      if (hasCode(error, 'ERR_AGENT_LOG_REWRITTEN')) {
        health.raise('log-rewritten', 'critical', 'the server signed a log that contradicts one it signed before');
      } else if (hasCode(error, 'ERR_SIGNATURE_INVALID')) {
        health.raise('checkpoint-invalid', 'critical', 'a checkpoint of the log is not signed by its pinned key');
      } else {
        health.raise('log-unproven', 'warning', 'the server gave no proof that its log only grew');
      }
      log.warn(loggable(error), 'checkpoint not accepted');
    }
  }
}
