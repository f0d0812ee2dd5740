/**
 * The state of a simulated host in a file that several processes share. Reading sees one whole state;
 * changing is read, compute, replace under a lock that the kernel releases when its holder dies.
 * Nothing here survives a power cut for certain: the host exists for tests and demonstrations.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

import { HoldfastError } from '@holdfast/core';

import type { SimulatedState } from './state.ts';

/** A change takes a millisecond; this many of them may queue. */
const LOCK_TIMEOUT_MS = 5_000;

const SHAPE: Readonly<Record<keyof SimulatedState, (value: unknown) => boolean>> = {
  version: (value) => value === 1,
  seed: Number.isSafeInteger,
  createdMs: Number.isFinite,
  platform: isRecord,
  units: isRecord,
  ruleset: (value) => typeof value === 'string',
  files: isRecord,
  accounts: Array.isArray,
  sockets: Array.isArray,
  journal: Array.isArray,
  time: isRecord,
  certificates: isRecord,
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('the simulated host has no valid state', {
    code: 'ERR_HOST_SIMULATION_INVALID',
    fields: { reason },
    cause,
  });
}

function parseState(text: string): SimulatedState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid('not JSON', cause);
  }
  if (!isRecord(value)) throw invalid('not an object');
  for (const [key, isGood] of Object.entries(SHAPE)) if (!isGood(value[key])) throw invalid(key);
  // Written by this package alone; the shape above finds another version or a damaged file.
  return value as unknown as SimulatedState;
}

export class StateFile {
  readonly #path: string;
  readonly #lock: string;

  constructor(directory: string) {
    this.#path = `${directory}/state.json`;
    this.#lock = `${directory}/state.lock`;
  }

  /** @throws `ERR_HOST_SIMULATION_INVALID` */
  read(): SimulatedState {
    const state = this.#readIfThere();
    if (state === undefined) throw invalid('missing');
    return state;
  }

  /** Replaces the state by what `change` makes of it; a throw of `change` leaves it as it was. */
  update(change: (state: SimulatedState) => SimulatedState): SimulatedState {
    return this.#locked(() => {
      const after = change(this.read());
      this.#replace(after);
      return after;
    });
  }

  /** Writes `make()` unless a state is there. */
  create(make: () => SimulatedState): SimulatedState {
    mkdirSync(this.#path.slice(0, this.#path.lastIndexOf('/')), { recursive: true, mode: 0o700 });
    return (
      this.#readIfThere() ??
      this.#locked(() => {
        const there = this.#readIfThere();
        if (there !== undefined) return there;
        const made = make();
        this.#replace(made);
        return made;
      })
    );
  }

  #readIfThere(): SimulatedState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw invalid('unreadable', cause);
    }
    return parseState(text);
  }

  #replace(state: SimulatedState): void {
    const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`;
    try {
      writeFileSync(temporary, `${JSON.stringify(state, null, 1)}\n`, { mode: 0o600, flag: 'wx' });
      renameSync(temporary, this.#path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw invalid('unwritable', cause);
    }
  }

  /** SQLite's file lock is a POSIX lock with a queue; the database itself stays empty. */
  #locked<T>(action: () => T): T {
    using database = new DatabaseSync(this.#lock, { timeout: LOCK_TIMEOUT_MS });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (cause) {
      throw invalid('locked', cause);
    }
    try {
      return action();
    } finally {
      database.exec('ROLLBACK');
    }
  }
}
