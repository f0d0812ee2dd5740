/**
 * Segments: the files that together hold the log, each named after its first record. Their names
 * alone say whether one is missing, and a reader finds a record's segment without opening any.
 */
import {
  bufferOf,
  type ChainHead,
  checkLine,
  EMPTY_HEAD,
  faultOf,
  type LineFault,
  MAX_LINE_BYTES,
  selfHash,
} from './audit-record.ts';
import type { LogFile } from './log-files.ts';

const SEQ_DIGITS = 16; // enough for every safe integer
const SEGMENT_NAME = /^(\d{16})\.audit$/;
const NEWLINE = 0x0a;
const NUL = 0x00;
/** Longer than any line. */
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
  /** What was read at once. The line, without its newline, is `start` … `end` of it. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
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

/** Which lines a scan is asked to show: calling back for each of them would cost a verification a fifth of its time. */
export interface ScanInterest {
  readonly seq: number | undefined;
  /** ASCII. Lines that contain it. */
  readonly text: string | undefined;
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
  const text = bufferOf(await file.read(0, MAX_LINE_START_BYTES)).toString('latin1');
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
 * @param onLine called for each good record of interest; `false` ends the scan
 * @param interest without it, every record is
 */
export async function scanSegment(
  file: LogFile,
  start: ScanStart,
  onLine: (line: ScannedLine) => boolean | void,
  interest?: ScanInterest,
): Promise<ScanResult> {
  let { head, offset } = start;
  for (;;) {
    // From the first byte that is not checked yet: the part of a line that was cut off is read again.
    const bytes = bufferOf(await file.read(offset, CHUNK_BYTES));
    const chunk = scanChunk(bytes, { offset, head }, onLine, interest);
    const restBytes = bytes.length - (chunk.offset - offset);
    ({ head, offset } = chunk);
    const hasEnded = chunk.isEnough || (restBytes === 0 && bytes.length < CHUNK_BYTES);
    if (hasEnded) return { head, goodBytes: offset, fault: null };
    const isCutOff = restBytes > MAX_LINE_BYTES || bytes.length < CHUNK_BYTES;
    const fault = chunk.fault ?? (isCutOff ? 'not-a-record' : null);
    if (fault !== null)
      return { head, goodBytes: offset, fault: (await isTornTail(file, offset)) ? 'torn-tail' : fault };
  }
}

/** The whole lines of what was read at once. @returns the place after the last good one */
function scanChunk(
  bytes: Buffer,
  start: ScanStart,
  onLine: (line: ScannedLine) => boolean | void,
  interest: ScanInterest | undefined,
): ScanStart & { readonly isEnough: boolean; readonly fault: LineFault | null } {
  let { head } = start;
  let lineStart = 0;
  // One search through all of it, gone on with only where it found something.
  let textAt = interest?.text === undefined ? -1 : bytes.indexOf(interest.text);
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, lineStart)) {
    const before = head;
    const offset = start.offset + lineStart;
    const checked = checkLine(bytes, lineStart, end, before);
    if (checked === undefined) {
      return { head, offset, isEnough: false, fault: faultOf(bytes.subarray(lineStart, end), before) };
    }
    head = checked;
    const isOfInterest = interest === undefined || head.seq === interest.seq || (textAt !== -1 && textAt < end);
    const isEnough = isOfInterest && onLine({ bytes, start: lineStart, end, head, before, offset }) === false;
    lineStart = end + 1;
    if (isEnough) return { head, offset: start.offset + lineStart, isEnough, fault: null };
    if (textAt !== -1 && textAt < end) textAt = bytes.indexOf(interest?.text ?? '', end);
  }
  return { head, offset: start.offset + lineStart, isEnough: false, fault: null };
}

async function isTornTail(file: LogFile, offset: number): Promise<boolean> {
  // One byte more than a torn tail can have tells that it is none.
  const tail = bufferOf(await file.read(offset, MAX_TORN_BYTES + 1));
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
