/**
 * Segments: the files that together hold the log, each named after its first record. Their names
 * alone say whether one is missing, and a reader finds a record's segment without opening any.
 */
import { type ChainHead, checkLine, EMPTY_HEAD, type LineFault, MAX_LINE_BYTES, selfHash } from './audit-record.ts';
import type { LogFile } from './log-files.ts';

const SEQ_DIGITS = 16; // enough for every safe integer
const SEGMENT_NAME = /^(\d{16})\.audit$/;
const NEWLINE = 0x0a;
const NUL = 0x00;
const CHUNK_BYTES = 1024 * 1024;

export interface Segment {
  readonly name: string;
  readonly firstSeq: number;
}

export function segmentOf(firstSeq: number): Segment {
  return { name: `${String(firstSeq).padStart(SEQ_DIGITS, '0')}.audit`, firstSeq };
}

/** The segments among the names of a directory, in the order of the chain. */
export function listSegments(names: readonly string[]): Segment[] {
  return names
    .map((name) => SEGMENT_NAME.exec(name))
    .filter((match) => match !== null)
    .map((match) => ({ name: match[0], firstSeq: Number(match[1]) }))
    .toSorted((a, b) => a.firstSeq - b.firstSeq);
}

export type ScanFault = LineFault | 'torn-tail';

/** One good record on the way through a segment. */
export interface ScannedLine {
  /** Without its newline; valid during the call only. */
  readonly line: Uint8Array;
  readonly head: ChainHead;
  /** The chain up to the record before. */
  readonly before: ChainHead;
  readonly offset: number;
}

export interface ScanResult {
  /** After the last good record. */
  readonly head: ChainHead;
  /** Where the last good record ends. */
  readonly goodBytes: number;
  readonly fault: ScanFault | null;
}

/** A place between two records: where it is, and the chain up to it. */
export interface ScanStart {
  readonly offset: number;
  readonly head: ChainHead;
}

/**
 * Where to start scanning a segment whose predecessor is not at hand: its first record says what it
 * follows. Nothing vouches for that yet; whoever scans checks a later hash against a signed head.
 *
 * @returns `undefined` when the segment has no first record
 */
export async function firstRecordStart(file: LogFile, { firstSeq }: Segment): Promise<ScanStart | undefined> {
  if (firstSeq === 1) return { offset: 0, head: EMPTY_HEAD };
  const text = Buffer.from(await file.read(0, MAX_LINE_START_BYTES)).toString('latin1');
  const prevHash = /"prevHash":"([0-9a-f]{64})"/.exec(text)?.[1];
  return prevHash === undefined ? undefined : { offset: 0, head: { seq: firstSeq - 1, hash: prevHash } };
}
/** Hash, version, sequence number and previous hash are within this many bytes of a line. */
const MAX_LINE_START_BYTES = 256;

/**
 * Verifies a segment's bytes record by record, from `start` until the end or the first fault.
 *
 * A tail is *torn*, and not damaged, when it is what an interrupted write leaves: no whole line of a
 * record follows the last good one, and either its newline never came or the file system filled it with
 * zeros. Text of a record never holds a NUL byte.
 *
 * @param onLine called for each good record; `false` ends the scan
 */
export async function scanSegment(
  file: LogFile,
  start: ScanStart,
  onLine: (line: ScannedLine) => boolean | void,
): Promise<ScanResult> {
  let { head, offset } = start;
  let rest: Uint8Array = new Uint8Array(0);
  for (;;) {
    const chunk = await file.read(offset + rest.length, CHUNK_BYTES);
    const bytes = Buffer.concat([rest, chunk]);
    let lineStart = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, lineStart)) {
      const line = bytes.subarray(lineStart, end);
      const checked = checkLine(line, head);
      if (typeof checked === 'string') {
        const isTorn = await isTornTail(file, offset);
        return { head, goodBytes: offset, fault: isTorn ? 'torn-tail' : checked };
      }
      const scanned = { line, head: checked, before: head, offset };
      head = checked;
      offset += end + 1 - lineStart;
      lineStart = end + 1;
      if (onLine(scanned) === false) return { head, goodBytes: offset, fault: null };
    }
    rest = bytes.subarray(lineStart);
    if (chunk.length === 0) break;
    if (rest.length > MAX_LINE_BYTES) return { head, goodBytes: offset, fault: 'not-a-record' };
  }
  if (rest.length === 0) return { head, goodBytes: offset, fault: null };
  return { head, goodBytes: offset, fault: (await isTornTail(file, offset)) ? 'torn-tail' : 'not-a-record' };
}

async function isTornTail(file: LogFile, offset: number): Promise<boolean> {
  const tail = Buffer.from(await file.read(offset, Math.max(0, (await file.sizeBytes()) - offset)));
  const isCutShort = !tail.includes(NEWLINE) || tail.includes(NUL);
  return isCutShort && tail.length <= MAX_TORN_BYTES && !splitLines(tail).some((line) => selfHash(line) !== undefined);
}

/** One group commit is never longer, so neither is what an interrupted one leaves. */
export const MAX_TORN_BYTES = 8 * 1024 * 1024;

/** Lines that have their newline. */
function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
