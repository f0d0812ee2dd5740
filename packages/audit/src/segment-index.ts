/**
 * Finds records without reading the whole log: segments by their names, and places within the
 * newest segment by marks made while it is written.
 */
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { type AuditRecord, type ChainHead, parseRecord } from './audit-record.ts';
import type { LogFiles } from './log-files.ts';
import { firstRecordStart, scanSegment, type ScanStart, type Segment } from './segment.ts';

/** A reader scans at most this many records before the first it wants. */
const RECORDS_PER_MARK = 256;

export class SegmentIndex {
  readonly #files: LogFiles;
  readonly #directory: string;
  readonly #segments: Segment[];
  #marks: ScanStart[] = [];

  constructor(files: LogFiles, directory: string, segments: readonly Segment[]) {
    this.#files = files;
    this.#directory = directory;
    this.#segments = [...segments];
  }

  /** `segment` is the newest one now. */
  enterSegment(segment: Segment): void {
    if (this.#segments.at(-1)?.firstSeq === segment.firstSeq) return;
    this.#segments.push(segment);
    this.#marks = [];
  }

  /** Record `head.seq + 1` of the newest segment begins at `offset`. */
  note(head: ChainHead, offset: number): void {
    if (head.seq % RECORDS_PER_MARK === 0) this.#marks.push({ head, offset });
  }

  /**
   * Records `from` … `to`, both included, checked again from their bytes.
   *
   * @throws `ERR_AUDIT_DAMAGED`
   */
  async read(from: number, to: number): Promise<AuditRecord[]> {
    const records: AuditRecord[] = [];
    const first = Math.max(
      0,
      this.#segments.findLastIndex(({ firstSeq }) => firstSeq <= from),
    );
    for (const segment of this.#segments.slice(first)) {
      if (segment.firstSeq > to) break;
      await this.#readSegment(segment, from, to, records);
    }
    return records;
  }

  async #readSegment(segment: Segment, from: number, to: number, records: AuditRecord[]): Promise<void> {
    // Before the first await: a rotation meanwhile clears the marks.
    const mark = segment === this.#segments.at(-1) ? this.#marks.findLast(({ head }) => head.seq < from) : undefined;
    const file = await this.#files.open(join(this.#directory, segment.name), 'read');
    try {
      const begin = mark ?? (await firstRecordStart(file, segment));
      if (begin === undefined) throw damaged(segment, 0, 'not-a-record');
      let last = begin.head.seq;
      const { goodBytes, fault } = await scanSegment(file, begin, ({ bytes, start, end, head: { seq }, offset }) => {
        last = seq;
        if (seq < from) return true;
        const record = parseRecord(bytes.subarray(start, end));
        if (record === undefined) throw damaged(segment, offset, 'not-a-record');
        if (seq <= to) records.push(record);
        return seq < to;
      });
      // Beyond `to` a group that is being written may show half: nobody asked for it.
      if (fault !== null && last < to) throw damaged(segment, goodBytes, fault);
    } finally {
      await file.close();
    }
  }
}

/** The log is not what was written to it, from `offset` of `segment` on. */
export function damaged(segment: Segment | null, offset: number, reason: string): HoldfastError {
  return new HoldfastError('the audit log is damaged', {
    code: 'ERR_AUDIT_DAMAGED',
    fields: { segment: segment?.name ?? null, offset, reason },
  });
}
