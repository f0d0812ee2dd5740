/**
 * A gate's log in a directory, committed beside the code: `log.jsonl`, `checkpoint`, and
 * `objects/<2>/<62>` by digest.
 *
 * The checkpoint alone says what was recorded. An append writes the lines and syncs them, then puts the
 * new checkpoint in place by rename: whatever is behind the signed head was never acknowledged. A reader
 * ignores it and the next append cuts it off; below the head nothing is ever cut. When nothing but the
 * sync after that rename fails, the append is refused although its head may be in place: the next one
 * then finds that the log moved.
 */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError, isHoldfastError, SHA256_HEX_PATTERN } from '@holdfast/core';
import { sha256Hex, type Signer } from '@holdfast/crypto';
import type { GateRecord } from '../records/statements.ts';
import { appendTo } from './append.ts';
import {
  errnoOf,
  makeDirectory,
  readRegularFile,
  syncDirectory,
  TEMPORARY_SUFFIX,
  writeDurably,
} from './durable-files.ts';
import type { GateLog, LogBytes, LogHead, NewRecord } from './gate-log.ts';
import { lockLog } from './log-lock.ts';
import { encodeLog } from './log-lines.ts';
import type { LogReader } from './log-reader.ts';
import { changedObject, missingObject } from './objects.ts';
import { readLog } from './read-log.ts';
import { invalidHead, MAX_CHECKPOINT_BYTES, signHead } from './signed-head.ts';

/** Ten times the log of 1,000 packets with 100,000 runs. */
const MAX_LOG_BYTES = 2 ** 31 - 1;
/** A session's outputs; the runner caps each command far below. */
export const MAX_OBJECT_BYTES = 1024 ** 3;
const LOG = 'log.jsonl';
const CHECKPOINT = 'checkpoint';
const LOCK = 'lock';

export interface OpenGateLogOptions {
  readonly gateId: string;
  /** Whether a directory that is not there is an empty log. */
  readonly create?: boolean;
  /** Ends the waiting for the lock, now and in each append. */
  readonly signal: AbortSignal;
}

/**
 * Opens the log in `directory` and verifies all of it. Writes nothing: the first append makes what is missing.
 *
 * @throws `ERR_GATE_LOG_INVALID` with the first place that does not verify
 */
export async function openGateLog(
  directory: string,
  { gateId, create = false, signal }: OpenGateLogOptions,
): Promise<GateLog> {
  signal.throwIfAborted();
  if (!create && (await isMissing(directory))) {
    throw new HoldfastError('there are no records of the gate', {
      code: 'ERR_GATE_LOG_INVALID',
      fields: { rule: 'R-03', reason: 'there are no records; freeze the gate first' },
    });
  }
  const place = { directory, gateId, signal };
  return new FileGateLog(place, await readState(place));
}

async function readState({ directory, gateId }: Place): Promise<State> {
  // In this order: lines up to a head that was once in place never change.
  const checkpoint = await readCheckpoint(directory);
  const log = (await readRegularFile(join(directory, LOG), MAX_LOG_BYTES)) ?? new Uint8Array();
  const { reader, endBytes } = await readLog(gateId, { log, checkpoint });
  return { reader, checkpoint, chunks: [log.subarray(0, endBytes)] };
}

interface State {
  readonly reader: LogReader;
  /** As it is in the file; empty when there is none. */
  readonly checkpoint: string;
  /** What the head covers, one after the other. */
  readonly chunks: readonly Uint8Array[];
}

interface Place {
  readonly directory: string;
  readonly gateId: string;
  readonly signal: AbortSignal;
}

class FileGateLog implements GateLog {
  readonly #place: Place;
  #state: State;
  /** Appends of this process, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(place: Place, state: State) {
    this.#place = place;
    this.#state = state;
  }

  get head(): LogHead {
    return this.#state.reader.head;
  }

  get records(): readonly GateRecord[] {
    return this.#state.reader.records;
  }

  async append(batch: readonly NewRecord[], signer: Signer): Promise<readonly GateRecord[]> {
    if (batch.length === 0) return [];
    const appended = this.#last.then(async () => this.#append(batch, signer));
    this.#last = appended.catch(() => undefined); // its caller hears of it
    return appended;
  }

  async #append(batch: readonly NewRecord[], signer: Signer): Promise<readonly GateRecord[]> {
    const { directory, gateId, signal } = this.#place;
    const before = this.#state;
    await attempt(async () => prepareDirectory(directory));
    using _lock = await lockLog(join(directory, LOCK), signal);
    if ((await readCheckpoint(directory)) !== before.checkpoint) {
      this.#state = grown(before, await readState(this.#place));
      throw new HoldfastError('another process appended to the gate', { code: 'ERR_GATE_LOG_MOVED' });
    }
    const { reader, envelopes, records } = await appendTo(before.reader, batch, signer);
    const lines = encodeLog(envelopes);
    const checkpoint = signHead(gateId, reader.head, signer);
    await attempt(async () => {
      // So that lines without a head are never the remains of a first append.
      if (before.checkpoint === '') await writeCheckpoint(directory, signHead(gateId, before.reader.head, signer));
      await writeLines(join(directory, LOG), lines, sizeOf(before.chunks));
      await syncDirectory(directory);
      await writeCheckpoint(directory, checkpoint);
    });
    this.#state = { reader, checkpoint, chunks: [...before.chunks, lines] };
    return records;
  }

  async bytes(): Promise<LogBytes> {
    const { checkpoint, chunks } = this.#state;
    return { log: Buffer.concat(chunks), checkpoint };
  }

  async putObject(bytes: Uint8Array): Promise<string> {
    const digest = sha256Hex(bytes);
    const path = objectPath(digest);
    await attempt(async () => {
      await prepareDirectory(this.#place.directory);
      const there = await readRegularFile(join(this.#place.directory, path), MAX_OBJECT_BYTES);
      if (there !== undefined && sha256Hex(there) === digest) return;
      await makeDirectory(join(this.#place.directory, dirname(path)));
      await writeDurably(join(this.#place.directory, path), bytes);
    });
    return digest;
  }

  async getObject(digest: string): Promise<Uint8Array> {
    if (!SHA256_HEX_PATTERN.test(digest)) throw new TypeError('objects are named by SHA-256');
    const bytes = await readRegularFile(join(this.#place.directory, objectPath(digest)), MAX_OBJECT_BYTES);
    if (bytes === undefined) throw missingObject(digest);
    if (sha256Hex(bytes) !== digest) throw changedObject(digest);
    return bytes;
  }
}

/** What others appended comes behind what was read: anything else was rewritten, not appended. */
function grown(before: State, now: State): State {
  if (before.reader.records.every(({ leaf }, index) => now.reader.records[index]?.leaf === leaf)) return now;
  throw invalidHead('it is not about the records that were here before');
}

async function isMissing(directory: string): Promise<boolean> {
  try {
    await lstat(directory);
    return false;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true;
    throw error;
  }
}

/** Makes the directory, and keeps what is only for this machine out of git, and git's hands off the bytes. */
async function prepareDirectory(directory: string): Promise<void> {
  await makeDirectory(directory);
  if ((await readRegularFile(join(directory, '.gitattributes'), MAX_CHECKPOINT_BYTES)) !== undefined) return;
  await writeDurably(join(directory, '.gitignore'), Buffer.from(`/${LOCK}*\n*${TEMPORARY_SUFFIX}\n`));
  await writeDurably(join(directory, '.gitattributes'), Buffer.from('* -text\n'));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns the empty string when there is none */
async function readCheckpoint(directory: string): Promise<string> {
  const bytes = await readRegularFile(join(directory, CHECKPOINT), MAX_CHECKPOINT_BYTES);
  if (bytes === undefined) return '';
  if (bytes.length === 0) throw invalidHead('it is empty');
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalidHead('it is not text');
  }
}

async function writeCheckpoint(directory: string, note: string): Promise<void> {
  await writeDurably(join(directory, CHECKPOINT), Buffer.from(note));
}

/** Writes `lines` at `position`, in place of whatever is behind it, and makes them durable. */
async function writeLines(path: string, lines: Uint8Array, position: number): Promise<void> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o666); // the umask decides
  try {
    const { size } = await file.stat();
    if (size < position) throw invalidHead('there are fewer lines than it signs');
    await file.truncate(position);
    try {
      for (let written = 0; written < lines.length;) {
        const { bytesWritten } = await file.write(lines, written, lines.length - written, position + written);
        written += bytesWritten;
      }
      await file.sync();
    } catch (error) {
      // Tidy, no more: what is behind the head does not count.
      await file.truncate(position).catch(() => undefined);
      throw error;
    }
  } finally {
    await file.close();
  }
}

/** System errors become the one code that says nothing was recorded. */
async function attempt(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    throw new HoldfastError('the records of the gate cannot be written', {
      code: 'ERR_GATE_LOG_WRITE',
      fields: { reason: errnoOf(cause) ?? 'unknown' },
      cause,
    });
  }
}

const sizeOf = (chunks: readonly Uint8Array[]): number => chunks.reduce((sum, { length }) => sum + length, 0);
const objectPath = (digest: string): string => join('objects', digest.slice(0, 2), digest.slice(2));
