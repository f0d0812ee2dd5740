/**
 * Commands that were let in and are not yet proven: written down before they start, and taken out
 * when their evidence is sealed. What a crash leaves here ran to an unknown end, or not at all, and
 * is never run again (G-31). Durable when a call returns. Holds digests, no parameters and no output.
 */
import { type CommandState, CommandStateSchema, type Known } from '@holdfast/evidence';
import { type BundleId, ERROR_CODES, type ErrorCode, type Json, type JsonObject } from '@holdfast/core';
import { z } from 'zod';
import type { GuardDatabase } from '../state/guard-database.ts';

/** How a run ended: all that its evidence says, but for excerpts of the output. */
export interface Ending {
  readonly outcome: 'done' | 'failed' | 'deny';
  /** `null` when nothing ran, or nobody saw how it went. */
  readonly state: CommandState | null;
  /** `null` when it is done. */
  readonly code: ErrorCode | null;
  /** For evidence: names the layer, the limit, the exit code. */
  readonly reason: string;
  readonly ended: string;
}

export interface CommandRun {
  /** Also the id of its evidence: one run, one statement. */
  readonly runId: BundleId;
  readonly operation: string;
  readonly profile: string;
  readonly paramsDigest: string;
  readonly argvDigest: string;
  /** The file as it was when it was decided; the sandbox opens it anew, below what its profile shows read-only. */
  readonly program: { readonly path: string; readonly sha256: Known<string> };
  readonly started: string;
  /** As `encodeCircumstances` makes them. */
  readonly circumstances: JsonObject;
}

export interface JournaledRun {
  readonly run: CommandRun;
  /** `null` until it ended. */
  readonly ending: Ending | null;
}

const EndingSchema = z.strictObject({
  outcome: z.enum(['done', 'failed', 'deny']),
  state: CommandStateSchema.nullable(),
  code: z.custom<ErrorCode>((code) => typeof code === 'string' && Object.hasOwn(ERROR_CODES, code)).nullable(),
  reason: z.string(),
  ended: z.string(),
});

export class CommandJournal {
  readonly #database: GuardDatabase;

  constructor(database: GuardDatabase) {
    this.#database = database;
  }

  /** @throws when the disk fails: then it must not be started */
  intend(run: CommandRun): void {
    this.#database.sql.prepare('INSERT INTO commands (run_id, run) VALUES (?, ?)').run(run.runId, JSON.stringify(run));
  }

  end(runId: BundleId, ending: Ending): void {
    this.#database.sql.prepare('UPDATE commands SET ending = ? WHERE run_id = ?').run(JSON.stringify(ending), runId);
  }

  /** Its evidence is sealed, or nothing came of it. */
  remove(runId: BundleId): void {
    this.#database.sql.prepare('DELETE FROM commands WHERE run_id = ?').run(runId);
  }

  find(runId: string): JournaledRun | undefined {
    const row = this.#database.sql.prepare('SELECT run, ending FROM commands WHERE run_id = ?').get(runId);
    return row === undefined ? undefined : parseRow(row);
  }

  list(): JournaledRun[] {
    return this.#database.sql.prepare('SELECT run, ending FROM commands ORDER BY run_id').all().map(parseRow);
  }
}

function parseRow(row: Record<string, unknown>): JournaledRun {
  const ending = row['ending'];
  return {
    run: JSON.parse(String(row['run'])) as CommandRun, // written above, by us, into a file that is only ours
    ending: typeof ending === 'string' ? EndingSchema.parse(JSON.parse(ending) as Json) : null,
  };
}
