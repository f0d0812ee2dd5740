/**
 * Appends bytes durably to the newest segment, and starts new ones.
 *
 * It keeps the number of bytes that are acknowledged. After any failure the file may hold more than
 * that, so `repair` cuts it back before anything else is written: a half record never stands in
 * front of a good one (P-22). After a failed fdatasync the kernel may have dropped the pages and
 * says so only once; cutting and writing again makes new ones.
 */
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { type LogFile, type LogFiles, writeFully } from './log-files.ts';
import { type Segment, segmentOf } from './segment.ts';

export class SegmentWriter {
  readonly #files: LogFiles;
  readonly #directory: string;
  #segment: Segment;
  #file: LogFile | undefined;
  #sizeBytes: number;
  /** A rotation that failed half-way: it is finished before anything else, or its file would stand empty in between. */
  #rotatingTo: Segment | undefined;

  private constructor(files: LogFiles, directory: string, segment: Segment, sizeBytes: number) {
    this.#files = files;
    this.#directory = directory;
    this.#segment = segment;
    this.#sizeBytes = sizeBytes;
  }

  /** Opens a segment that has `sizeBytes` good bytes, and cuts off whatever follows them. */
  static async open(files: LogFiles, directory: string, segment: Segment, sizeBytes: number): Promise<SegmentWriter> {
    const writer = new SegmentWriter(files, directory, segment, sizeBytes);
    try {
      await writer.repair();
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  /** Makes the first segment of a log. */
  static async create(files: LogFiles, directory: string, segment: Segment): Promise<SegmentWriter> {
    const writer = new SegmentWriter(files, directory, segment, 0);
    await writer.#enter(segment);
    return writer;
  }

  get segment(): Segment {
    return this.#segment;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Resolves when `bytes` are on disk. After a failure nothing may be appended before `repair`. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#file === undefined) throw new TypeError('the segment is not open');
    await writeFully(this.#file, bytes, this.#sizeBytes);
    await this.#file.datasync();
    this.#sizeBytes += bytes.length;
  }

  /** Goes on in a new segment that begins with record `firstSeq`. */
  async rotate(firstSeq: number): Promise<void> {
    this.#rotatingTo = segmentOf(firstSeq);
    await this.#enter(this.#rotatingTo);
    this.#rotatingTo = undefined;
  }

  /** Brings the file back to the acknowledged bytes. May be called again when it failed. */
  async repair(): Promise<void> {
    await this.close();
    const file = await this.#files.open(join(this.#directory, this.#segment.name), 'write');
    this.#file = file;
    const actualBytes = await file.sizeBytes();
    if (actualBytes < this.#sizeBytes) {
      throw new HoldfastError('acknowledged records are gone', {
        code: 'ERR_AUDIT_DAMAGED',
        fields: { segment: this.#segment.name, offset: actualBytes, reason: 'tail-cut' },
      });
    }
    if (actualBytes > this.#sizeBytes) await file.truncate(this.#sizeBytes);
    await file.datasync();
    if (this.#rotatingTo !== undefined) await this.rotate(this.#rotatingTo.firstSeq);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // Everything acknowledged is on disk already: a failing close loses nothing.
    await file?.close().catch(() => undefined);
  }

  async #enter(segment: Segment): Promise<void> {
    const file = await this.#files.open(join(this.#directory, segment.name), 'create');
    try {
      // Left by a rotation that failed: nothing in it was ever acknowledged.
      if ((await file.sizeBytes()) > 0) await file.truncate(0);
      await file.datasync();
      await this.#files.syncDirectory(this.#directory);
    } catch (error) {
      await file.close().catch(() => undefined); // the first failure is the one to tell
      throw error;
    }
    await this.close();
    this.#file = file;
    this.#segment = segment;
    this.#sizeBytes = 0;
  }
}
