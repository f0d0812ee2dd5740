/**
 * A host and a journal that outlive the process using them, and processes that can be killed at any
 * call they make: before the call, or after its effect but before its answer.
 */
import type { Clock, JsonObject } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import { z } from 'zod';
import {
  type AnyOperation,
  type ChangeEngine,
  type ChangeJournal,
  type ChangeRecord,
  createChangeEngine,
  eraseTypes,
  memoryJournal,
  type Operation,
} from '../src/index.ts';

export class Killed extends Error {}

export interface Kill {
  /** The number of the call, from 1. */
  readonly at: number;
  /** Whether the call has its effect before the process is gone. */
  readonly after: boolean;
}

/** What `cells.set` does wrong, when it does. */
export type Flaw = 'none' | 'verify-fails' | 'apply-throws' | 'revert-throws' | 'hangs';

export type CellValues = Readonly<Record<string, string>>;

/** All that survives a kill. */
export class KillableWorld {
  readonly cells = new Map<string, string>();
  readonly journal: ChangeJournal = memoryJournal();
  /** By bundle id: every record the sealer took, in the order it took them. */
  readonly sealed = new Map<string, ChangeRecord[]>();
  bootId = 'boot-1';
  monotonicMs = 1_000;
  #timers: { readonly dueMs: number; readonly fire: () => void }[] = [];

  /** Starts a process; `kill` says when it dies. */
  start(kill: Kill | null = null): KillableProcess {
    return new KillableProcess(this, kill);
  }

  /** Lets time pass and fires what is due. */
  advance(ms: number): void {
    this.monotonicMs += ms;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.monotonicMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { fire } of due) fire();
  }

  /** The machine restarts: monotonic time begins anew. */
  reboot(): void {
    this.bootId = `${this.bootId}+`;
    this.monotonicMs = 5;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    const timer = { dueMs: this.monotonicMs + delayMs, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  forgetTimers(): void {
    this.#timers = [];
  }
}

export class KillableProcess {
  readonly engine: ChangeEngine;
  readonly faults: unknown[] = [];
  /** Names of the calls made, in order. */
  readonly calls: string[] = [];
  /** Makes the journal write with this number fail without killing anything. */
  failJournalWrite: number | null = null;
  journalWrites = 0;
  isDead = false;
  readonly #world: KillableWorld;
  readonly #kill: Kill | null;

  constructor(world: KillableWorld, kill: Kill | null) {
    this.#world = world;
    this.#kill = kill;
    world.forgetTimers();
    const clock: Clock = { wallMs: () => 1_700_000_000_000, monotonicMs: () => world.monotonicMs };
    this.engine = createChangeEngine({
      host: this.#host(clock),
      operations: cellOperations(),
      journal: this.#journal(),
      clock,
      bootId: world.bootId,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      seal: (record) =>
        this.#call('seal', async () => {
          world.sealed.set(record.bundleId, [...(world.sealed.get(record.bundleId) ?? []), record]);
        }),
      setTimer: (delayMs, fire) => world.setTimer(delayMs, fire),
      onFault: (error) => this.faults.push(error),
    });
  }

  /** Ends the process where it is. */
  kill(): void {
    this.isDead = true;
    this.#world.forgetTimers();
  }

  async #call<T>(name: string, effect: () => Promise<T>): Promise<T> {
    if (this.isDead) throw new Killed(name);
    this.calls.push(name);
    if (this.calls.length !== this.#kill?.at) return effect();
    this.kill();
    if (this.#kill.after) await effect();
    throw new Killed(name);
  }

  #journal(): ChangeJournal {
    const { journal } = this.#world;
    const write = async (name: string, effect: () => Promise<void>): Promise<void> =>
      this.#call(name, async () => {
        this.journalWrites += 1;
        if (this.journalWrites === this.failJournalWrite) throw new Error('disk full');
        await effect();
      });
    return {
      add: (entry) => write('journal.add', () => journal.add(entry)),
      replace: (entry) => write(`journal.replace ${entry.state}`, () => journal.replace(entry)),
      get: (changeId) => journal.get(changeId),
      listOpen: () => journal.listOpen(),
      listRecent: (limit) => journal.listRecent(limit),
    };
  }

  #host(clock: Clock): Host {
    const { cells } = this.#world;
    const files: Host['files'] = {
      stat: (path) =>
        this.#call(`stat ${path}`, async () =>
          cells.has(path)
            ? { path, kind: 'file', sizeBytes: 1, mode: '0600', uid: 0, gid: 0, sha256: null }
            : { path, kind: 'missing' },
        ),
      read: (path) => this.#call(`read ${path}`, async () => Buffer.from(cells.get(path) ?? '')),
      write: (path, content) =>
        this.#call(`write ${path}`, async () => {
          cells.set(path, Buffer.from(content.bytes).toString());
        }),
      remove: (path) =>
        this.#call(`remove ${path}`, async () => {
          cells.delete(path);
        }),
    };
    // Operations under test use files only; a port that is not there would show at once.
    return { clock, files, services: {}, packetFilter: {}, accounts: {} } as unknown as Host;
  }
}

type CellParams = { values: Record<string, string>; flaw: Flaw };
type CellState = Record<string, string | null>;

const read = async (host: Host, cell: string, signal: AbortSignal): Promise<string | null> => {
  const state = await host.files.stat(`/${cell}`, signal);
  if (state.kind === 'missing') return null;
  return Buffer.from(await host.files.read(`/${cell}`, 100, signal)).toString();
};
const write = (host: Host, cell: string, value: string, signal: AbortSignal): Promise<void> =>
  host.files.write(`/${cell}`, { bytes: Buffer.from(value), mode: '0600', uid: 0, gid: 0 }, signal);

/** Sets files under `/` to the given values; an honest operation by the contract, but for its flaw. */
function cellOperation(name: string, confirmWithinMs?: number): AnyOperation {
  const operation: Operation<CellParams, CellState> = {
    name,
    params: z.strictObject({
      values: z.record(z.string(), z.string()),
      flaw: z.enum(['none', 'verify-fails', 'apply-throws', 'revert-throws', 'hangs']),
    }),
    captured: z.record(z.string(), z.string().nullable()),
    disruptive: false,
    ...(confirmWithinMs === undefined ? {} : { confirmWithinMs }),
    resources: ({ values }) => Object.keys(values).map((cell) => `file:/${cell}` as const),
    async plan({ values }, host, signal) {
      const steps = [];
      for (const [cell, value] of Object.entries(values)) {
        if ((await read(host, cell, signal)) !== value) steps.push({ action: `write /${cell}` });
      }
      return steps;
    },
    async capture({ values }, host, signal) {
      const captured: CellState = {};
      for (const cell of Object.keys(values)) captured[cell] = await read(host, cell, signal);
      return captured;
    },
    async apply({ values, flaw }, host, signal) {
      for (const [cell, value] of Object.entries(values)) await write(host, cell, value, signal);
      if (flaw === 'apply-throws') throw new Error('with a secret in its text: hunter2');
      signal.throwIfAborted();
      if (flaw === 'hangs')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    async verify({ values, flaw }, host, signal) {
      for (const [cell, value] of Object.entries(values)) {
        if ((await read(host, cell, signal)) !== value) return { ok: false, reasons: [`/${cell} differs`] };
      }
      const ok = flaw !== 'verify-fails' && flaw !== 'revert-throws';
      return { ok, reasons: [ok ? 'all cells are as wanted' : 'it only looks right'] };
    },
    async revert(captured, host, signal) {
      // `revert-throws` is told by a value, because revert gets no parameters.
      for (const [cell, value] of Object.entries(captured)) {
        if (value === 'cannot be restored') throw new Error('stuck');
        if (value === null) await host.files.remove(`/${cell}`, signal);
        else await write(host, cell, value, signal);
      }
    },
  };
  return eraseTypes(operation);
}

/** What must be confirmed within this time. */
export const CONFIRM_WITHIN_MS = 60_000;

export function cellOperations(): Map<string, AnyOperation> {
  const operations = [cellOperation('cells.set'), cellOperation('cells.try', CONFIRM_WITHIN_MS)];
  return new Map(operations.map((operation) => [operation.name, operation]));
}

export function cellParams(values: CellValues, flaw: Flaw = 'none'): JsonObject {
  return { values, flaw };
}
