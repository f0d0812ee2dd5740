/**
 * Verification of a whole audit log from its bytes (P-25). Needs nothing but the directory; with the
 * host's public keys it also checks the signatures of the head and of gap records.
 *
 * Side effects: none. It takes no lock: a log that is being appended to may show a half-written
 * group at its end, which is reported as a torn tail, as it would be after a crash.
 */
import { join } from 'node:path';
import { type ChainHead, EMPTY_HEAD, parseRecord } from './audit-record.ts';
import { GAP_ACTION, isGapSigned } from './gap.ts';
import { type LogFiles, systemLogFiles } from './log-files.ts';
import {
  listSegments,
  type ScanFault,
  type ScanInterest,
  scanSegment,
  type ScannedLine,
  type Segment,
} from './segment.ts';
import { HEAD_NAME, type HeadFault, isMissing, readSignedHead } from './signed-head.ts';

export type AuditFault =
  | ScanFault
  | HeadFault
  /** There is no log: no directory, or neither head nor segments in it. */
  | 'absent'
  | 'head-missing'
  /** The record that the signed head names has another hash. */
  | 'head-mismatch'
  /** The signed head names a record beyond the last one. */
  | 'tail-cut'
  | 'segment-missing'
  | 'gap-signature'
  | 'unreadable';

export interface AuditProblem {
  readonly fault: AuditFault;
  /** File name, where the problem has one. */
  readonly segment: string | null;
  readonly offset: number;
  /** The last good record before it. */
  readonly afterSeq: number;
}

export interface AuditVerdict {
  readonly ok: boolean;
  readonly records: number;
  readonly segments: number;
  /** After the last good record. */
  readonly head: ChainHead;
  readonly signatures: 'verified' | 'not-checked';
  /** Empty if and only if `ok`. Reading stops at the first damage: what follows it proves nothing. */
  readonly problems: readonly AuditProblem[];
}

export interface VerifyAuditLogOptions {
  /** Raw public keys that may have signed. Without them signatures are not checked. */
  readonly publicKeys?: readonly Uint8Array[];
  readonly files?: LogFiles;
}

/** Never throws for what is in the directory: whatever is wrong is in the verdict. */
export async function verifyAuditLog(directory: string, options: VerifyAuditLogOptions = {}): Promise<AuditVerdict> {
  const { publicKeys, files = systemLogFiles } = options;
  const problems: AuditProblem[] = [];
  let head = EMPTY_HEAD;
  let segments: readonly Segment[] = [];
  const report = (fault: AuditFault, segment: Segment | null, offset: number): void => {
    problems.push({ fault, segment: segment?.name ?? null, offset, afterSeq: head.seq });
  };
  try {
    segments = listSegments(await files.list(directory));
    const signed = await readSignedHead(files, join(directory, HEAD_NAME), publicKeys);
    if (signed === undefined) report(segments.length === 0 ? 'absent' : 'head-missing', null, 0);
    else if (typeof signed === 'string') report(signed, null, 0);
    const expected = typeof signed === 'object' ? signed : undefined;
    for (const segment of segments) {
      if (segment.firstSeq !== head.seq + 1) {
        report('segment-missing', segment, 0);
        break;
      }
      const check = ({ bytes, start, end, head: at, offset }: ScannedLine): void => {
        head = at;
        if (at.seq === expected?.seq && at.hash !== expected.hash) report('head-mismatch', segment, offset);
        if (publicKeys === undefined) return;
        const record = parseRecord(bytes.subarray(start, end));
        if (record === undefined) report('not-a-record', segment, offset);
        else if (record.action === GAP_ACTION && !isGapSigned(record, publicKeys)) {
          report('gap-signature', segment, offset);
        }
      };
      const interest = { seq: expected?.seq, text: publicKeys === undefined ? undefined : GAP_TEXT };
      const scan = await scanFile(files, join(directory, segment.name), head, check, interest);
      head = scan.head;
      if (scan.fault !== null) {
        report(scan.fault, segment, scan.goodBytes);
        break;
      }
    }
    if (expected !== undefined && expected.seq > head.seq && problems.length === 0) {
      report('tail-cut', segments.at(-1) ?? null, 0);
    }
  } catch (error) {
    report(isMissing(error) ? 'absent' : 'unreadable', null, 0);
  }
  return {
    ok: problems.length === 0,
    records: head.seq,
    segments: segments.length,
    head,
    signatures: publicKeys === undefined ? 'not-checked' : 'verified',
    problems,
  };
}

/** Never missing in a gap record: quotes inside other texts are escaped. */
const GAP_TEXT = `"action":"${GAP_ACTION}"`;

async function scanFile(
  files: LogFiles,
  path: string,
  head: ChainHead,
  onLine: (line: ScannedLine) => void,
  interest: ScanInterest,
) {
  const file = await files.open(path, 'read');
  try {
    return await scanSegment(file, { offset: 0, head }, onLine, interest);
  } finally {
    await file.close();
  }
}
