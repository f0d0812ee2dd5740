/**
 * The host's audit log: append-only, hash-chained, durable before acknowledged (P-18 … P-22).
 *
 * Appends that come while a group is being written go into the next group: one write and one
 * fdatasync for all of them. A log that cannot be written refuses at once, goes on answering reads,
 * and tries again by itself; the first record after that says how many were refused.
 *
 * Two things are designed for and not here: a Merkle tree over the lines (P-24: a line is a leaf, the
 * signed head has room for its root), and pruning (P-23: segments are named after their first record
 * and chain on their own, so that old ones can go when a signed head for the last of them stays).
 */
import { type Clock, hasCode, HoldfastError, isHoldfastError } from '@holdfast/core';
import type { Signer } from '@holdfast/crypto';
import { type AuditEntry, type AuditRecord, type ChainHead, encodeRecord, type RecordTime } from './audit-record.ts';
import { type Gap, gapEntry } from './gap.ts';
import type { LogFiles } from './log-files.ts';
import type { SegmentIndex } from './segment-index.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { writeSignedHead } from './signed-head.ts';

export interface AuditLog extends AsyncDisposable {
  /** False while the log cannot be written: nothing that must be audited may happen then (P-22). */
  readonly writable: boolean;
  /**
   * Appends a record. Resolves when it is on disk; records stand in the order of the calls.
   *
   * @throws `ERR_AUDIT_UNWRITABLE` (it is not in the log), `ERR_AUDIT_RECORD_INVALID`, `ERR_NOT_CANONICAL`, `ERR_AUDIT_CLOSED`
   */
  append(entry: AuditEntry): Promise<ChainHead>;
  /** The newest durable record. */
  head(): ChainHead;
  /** Durable records from sequence number `from` on, oldest first. @throws `ERR_AUDIT_DAMAGED` */
  read(from: number, limit: number): Promise<AuditRecord[]>;
  /** The newest durable records, newest last. @throws `ERR_AUDIT_DAMAGED` */
  tail(limit: number): Promise<AuditRecord[]>;
  /** Tries to write again now; says whether the log is writable. */
  retry(): Promise<boolean>;
  /** Writes what was appended, signs the head, gives the lock back. Closing twice is fine. */
  close(): Promise<void>;
}

export interface AuditLogOptions {
  /** A segment that has reached this size is followed by a new one. */
  readonly segmentBytes: number;
  /** While unwritable, how often to try again. */
  readonly retryIntervalMs: number;
  /** The signed head is never older than this while records come in (P-24). */
  readonly headIntervalMs: number;
  /** Nor further behind than this many records, at most once a second. */
  readonly headEveryRecords: number;
}

export const DEFAULT_AUDIT_OPTIONS: AuditLogOptions = {
  segmentBytes: 16 * 1024 * 1024,
  retryIntervalMs: 5_000,
  headIntervalMs: 60_000,
  headEveryRecords: 1_000,
};

/** Bounds what one group writes, and so what an interrupted write can leave. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;
/** The most a UTF-16 unit takes. */
const MAX_UTF8_BYTES = 3;
/** Signing heads back to back would cost a busy log its throughput. */
const MIN_HEAD_SPACING_MS = 1_000;

interface Pending {
  readonly line: string;
  readonly head: ChainHead;
  readonly resolve: (head: ChainHead) => void;
  readonly reject: (error: HoldfastError) => void;
}

/** What the log was opened with. */
export interface AuditLogParts {
  readonly files: LogFiles;
  readonly headPath: string;
  readonly writer: SegmentWriter;
  readonly index: SegmentIndex;
  readonly head: ChainHead;
  readonly lock: Disposable;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly bootId: string;
}

export class SegmentedAuditLog implements AuditLog {
  readonly #parts: AuditLogParts;
  readonly #options: AuditLogOptions;
  /** Durable. */
  #head: ChainHead;
  /** The newest record handed out, durable or not. */
  #next: ChainHead;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;
  /** Grows to the largest group so far; reused, because a group is written before the next is encoded. */
  #groupBytes = Buffer.allocUnsafeSlow(64 * 1024);
  #gap: Gap | undefined;
  #signedSeq: number;
  #signedAtMs: number;
  #signing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #headTimer: NodeJS.Timeout;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(parts: AuditLogParts, options: AuditLogOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#head = parts.head;
    this.#next = parts.head;
    this.#signedSeq = parts.head.seq;
    this.#signedAtMs = parts.clock.monotonicMs();
    this.#headTimer = setInterval(() => this.#signHeadIfDue(options.headIntervalMs), options.headIntervalMs);
    this.#headTimer.unref();
  }

  get writable(): boolean {
    return this.#gap === undefined && this.#closing === undefined;
  }

  head(): ChainHead {
    return this.#head;
  }

  append(entry: AuditEntry): Promise<ChainHead> {
    // Not an async function: its promise around the record's would cost a busy log three turns a record.
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) throw new HoldfastError('the audit log is closed', { code: 'ERR_AUDIT_CLOSED' });
      if (this.#gap !== undefined) {
        this.#gap = { ...this.#gap, refused: this.#gap.refused + 1 };
        throw unwritable(this.#gap.cause);
      }
      const { line, head } = encodeRecord(entry, this.#next, this.#now());
      this.#next = head;
      this.#pending.push({ line, head, resolve, reject });
      this.#writing ??= this.#writeGroups();
    });
  }

  async read(from: number, limit: number): Promise<AuditRecord[]> {
    const first = Math.max(1, from);
    const last = Math.min(this.#head.seq, first + limit - 1);
    return first > last ? [] : this.#parts.index.read(first, last);
  }

  async tail(limit: number): Promise<AuditRecord[]> {
    return this.read(this.#head.seq - limit + 1, Math.min(limit, this.#head.seq));
  }

  async retry(): Promise<boolean> {
    if (this.#gap === undefined) return this.writable;
    this.#writing ??= this.#repair();
    await this.#writing;
    return this.writable;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#headTimer);
    clearTimeout(this.#retryTimer);
    while (this.#writing !== undefined) await this.#writing;
    if (this.#gap !== undefined) await (this.#writing ??= this.#repair()); // the last chance to record it
    await this.#signing;
    // A head that cannot be signed now only lags behind; the records are on disk.
    if (this.#signedSeq < this.#head.seq) await this.#signHead().catch(() => undefined);
    await this.#parts.writer.close();
    this.#parts.lock[Symbol.dispose]();
  }

  /** Group commit (P-19): everything that waits goes out in one write and one fdatasync. */
  async #writeGroups(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        // One turn of the loop: callers of the last group, just resolved, get into this one. Starting at
        // once with half of them would keep the disk busier and write fewer records a second.
        await nextTurn();
        const group = takeGroup(this.#pending);
        try {
          await this.#write(group);
        } catch (error) {
          this.#fail(error, [...group, ...this.#pending.splice(0)]);
          return;
        }
        for (const { resolve, head } of group) resolve(head);
        if (this.#head.seq - this.#signedSeq >= this.#options.headEveryRecords) {
          this.#signHeadIfDue(MIN_HEAD_SPACING_MS);
        }
      }
    } finally {
      this.#writing = undefined;
    }
  }

  async #write(group: readonly { readonly line: string; readonly head: ChainHead }[]): Promise<void> {
    const { writer, index } = this.#parts;
    if (writer.sizeBytes >= this.#options.segmentBytes) await writer.rotate(this.#head.seq + 1);
    const startBytes = writer.sizeBytes;
    index.enterSegment(writer.segment);
    const ends = this.#encodeGroup(group);
    await writer.append(this.#groupBytes.subarray(0, ends.at(-1)));
    let offset = 0;
    for (const [at, { head }] of group.entries()) {
      index.note(this.#head, startBytes + offset);
      offset = ends[at] ?? 0;
      this.#head = head;
    }
  }

  /** Puts the lines into `#groupBytes`. @returns where each of them ends */
  #encodeGroup(group: readonly { readonly line: string }[]): number[] {
    let chars = 0;
    for (const { line } of group) chars += line.length;
    const neededBytes = chars * MAX_UTF8_BYTES;
    if (this.#groupBytes.length < neededBytes) this.#groupBytes = Buffer.allocUnsafeSlow(neededBytes);
    let end = 0;
    return group.map(({ line }) => (end += this.#groupBytes.write(line, end, 'utf8')));
  }

  #fail(error: unknown, refused: readonly Pending[]): void {
    const since = new Date(this.#parts.clock.wallMs()).toISOString();
    this.#gap = { refused: refused.length, since, cause: causeOf(error) };
    this.#next = this.#head;
    for (const { reject } of refused) reject(unwritable(this.#gap.cause, error));
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closing !== undefined) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.retry(), this.#options.retryIntervalMs);
    this.#retryTimer.unref();
  }

  /** Makes the log writable again and records what was refused meanwhile (P-22). Never throws. */
  async #repair(): Promise<void> {
    try {
      let recorded = 0;
      // More may be refused while the gap is being recorded: they get a record too.
      while (this.#gap !== undefined && (recorded === 0 || this.#gap.refused > recorded)) {
        const gap = this.#gap;
        await this.#parts.writer.repair();
        const entry = gapEntry({ ...gap, refused: gap.refused - recorded }, this.#head, this.#parts.signer);
        await this.#write([encodeRecord(entry, this.#head, this.#now())]);
        recorded = gap.refused;
      }
      this.#next = this.#head;
      this.#gap = undefined;
    } catch {
      this.#retryLater(); // still not writable: `writable` says so, and the cause is in the gap
    } finally {
      this.#writing = undefined;
    }
  }

  #signHeadIfDue(spacingMs: number): void {
    const isDue = this.#parts.clock.monotonicMs() - this.#signedAtMs >= spacingMs;
    if (!isDue || this.#signing !== undefined || this.#signedSeq >= this.#head.seq) return;
    // Beside the group commits, not in their way. When it fails the next one is due at once.
    this.#signing = this.#signHead()
      .catch(() => undefined)
      .finally(() => {
        this.#signing = undefined;
      });
  }

  async #signHead(): Promise<void> {
    const { files, headPath, signer, clock } = this.#parts;
    const head = this.#head;
    this.#signedAtMs = clock.monotonicMs();
    await writeSignedHead(files, headPath, head, this.#now(), signer);
    this.#signedSeq = head.seq;
  }

  #now(): RecordTime {
    const { clock, bootId } = this.#parts;
    return { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs(), bootId };
  }
}

function takeGroup(pending: Pending[]): Pending[] {
  let bytes = 0;
  const end = pending.findIndex(({ line }) => (bytes += line.length * MAX_UTF8_BYTES) > MAX_GROUP_BYTES);
  return pending.splice(0, end === -1 ? pending.length : Math.max(1, end));
}

/** One turn of the event loop: whoever was just told gets to act on it. */
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function causeOf(error: unknown): string {
  if (isHoldfastError(error)) return error.code;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : 'unknown';
}

function unwritable(reason: string, cause?: unknown): HoldfastError {
  if (hasCode(cause, 'ERR_AUDIT_DAMAGED')) return cause;
  return new HoldfastError('the audit log cannot be written', {
    code: 'ERR_AUDIT_UNWRITABLE',
    fields: { reason },
    cause,
  });
}
