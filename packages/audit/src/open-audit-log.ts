/**
 * Opening an audit log: recovery after whatever ended the last process (P-20).
 *
 * Reads from the segment that the signed head points into up to the end, so that opening costs about
 * one segment however long the log is; `verifyAuditLog` reads all of it. A torn tail, which is what
 * a killed write leaves, is cut off and recorded. Anything else that is not as it was written is
 * refused: a guard without its log does nothing privileged.
 */
import { join } from 'node:path';
import { type Clock, hasCode, HoldfastError, isHoldfastError } from '@holdfast/core';
import type { Signer } from '@holdfast/crypto';
import { type AuditLog, type AuditLogOptions, DEFAULT_AUDIT_OPTIONS, SegmentedAuditLog } from './audit-log.ts';
import { type ChainHead, EMPTY_HEAD } from './audit-record.ts';
import { type LogFiles, systemLogFiles } from './log-files.ts';
import { lockLog } from './log-lock.ts';
import { firstRecordStart, listSegments, scanSegment, type Segment, segmentOf } from './segment.ts';
import { damaged, SegmentIndex } from './segment-index.ts';
import { SegmentWriter } from './segment-writer.ts';
import { HEAD_NAME, readSignedHead, writeSignedHead } from './signed-head.ts';

export interface OpenAuditLogDeps {
  readonly directory: string;
  /** The host's key: signs heads and gaps. */
  readonly signer: Signer;
  readonly clock: Clock;
  readonly bootId: string;
  readonly files?: LogFiles;
}

export interface OpenAuditLogOptions extends AuditLogOptions {
  /** Raw public keys of earlier signers whose heads are still accepted (P-04). */
  readonly previousKeys: readonly Uint8Array[];
}

/**
 * Opens the log for appending, making it when the directory has none.
 *
 * @throws `ERR_AUDIT_LOCKED`, `ERR_AUDIT_DAMAGED` (fields: segment, offset, reason), `ERR_AUDIT_UNWRITABLE`
 */
export async function openAuditLog(
  deps: OpenAuditLogDeps,
  options: Partial<OpenAuditLogOptions> = {},
): Promise<AuditLog> {
  const { directory, signer, clock, bootId, files = systemLogFiles } = deps;
  const headPath = join(directory, HEAD_NAME);
  let lock: Disposable | undefined;
  try {
    await files.makeDirectory(directory);
    lock = lockLog(join(directory, 'lock'));
    const segments = listSegments(await files.list(directory));
    const keys = [signer.publicKey, ...(options.previousKeys ?? [])];
    const signed = await readSignedHead(files, headPath, keys);
    if (typeof signed === 'string') throw damaged(null, 0, signed);
    if (segments.length === 0) {
      if (signed !== undefined && signed.seq > 0) throw damaged(null, 0, 'segment-missing');
      // The head comes first: segments without a head are damage, never a new log.
      const time = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs(), bootId };
      await writeSignedHead(files, headPath, EMPTY_HEAD, time, signer);
    } else if (signed === undefined) {
      throw damaged(segments[0] ?? null, 0, 'head-missing');
    }
    const index = new SegmentIndex(files, directory, segments.length === 0 ? [segmentOf(1)] : segments);
    const found =
      segments.length === 0 ? undefined : await recover(files, directory, segments, signed ?? EMPTY_HEAD, index);
    const writer =
      found === undefined
        ? await SegmentWriter.create(files, directory, segmentOf(1))
        : await SegmentWriter.open(files, directory, found.segment, found.goodBytes);
    const head = found?.head ?? EMPTY_HEAD;
    const log = new SegmentedAuditLog(
      { files, headPath, writer, index, head, lock, signer, clock, bootId },
      { ...DEFAULT_AUDIT_OPTIONS, ...options },
    );
    if (found !== undefined && found.tornBytes > 0) await recordRecovery(log, found);
    return log;
  } catch (error) {
    lock?.[Symbol.dispose]();
    if (isHoldfastError(error)) throw error;
    throw new HoldfastError('the audit log cannot be opened', { code: 'ERR_AUDIT_UNWRITABLE', cause: error });
  }
}

interface Recovered {
  readonly head: ChainHead;
  /** The newest segment, and where its good records end. */
  readonly segment: Segment;
  readonly goodBytes: number;
  readonly tornBytes: number;
}

async function recover(
  files: LogFiles,
  directory: string,
  segments: readonly Segment[],
  signed: ChainHead,
  index: SegmentIndex,
): Promise<Recovered> {
  if (segments[0]?.firstSeq !== 1) throw damaged(segments[0] ?? null, 0, 'segment-missing');
  const first = segments.findLastIndex(({ firstSeq }) => firstSeq <= Math.max(1, signed.seq));
  let head: ChainHead | undefined;
  let last: Recovered | undefined;
  for (const segment of segments.slice(first)) {
    if (head !== undefined && segment.firstSeq !== head.seq + 1) throw damaged(segment, 0, 'segment-missing');
    const isNewest = segment === segments.at(-1);
    const file = await files.open(join(directory, segment.name), 'read');
    try {
      const start = head === undefined ? await firstRecordStart(file, segment) : { offset: 0, head };
      if (start === undefined) throw damaged(segment, 0, 'tail-cut'); // the signed head names a record in here
      const scan = await scanSegment(file, start, ({ head: at, before, offset }) => {
        if (isNewest) index.note(before, offset);
        if (at.seq === signed.seq && at.hash !== signed.hash) throw damaged(segment, offset, 'head-mismatch');
      });
      if (scan.fault !== null && !(isNewest && scan.fault === 'torn-tail')) {
        throw damaged(segment, scan.goodBytes, scan.fault);
      }
      const tornBytes = (await file.sizeBytes()) - scan.goodBytes;
      head = scan.head;
      last = { head, segment, goodBytes: scan.goodBytes, tornBytes };
    } finally {
      await file.close();
    }
  }
  // Checked before anything is cut: an acknowledged record that was made to look torn is damage.
  if (last === undefined || last.head.seq < signed.seq) {
    throw damaged(last?.segment ?? null, last?.goodBytes ?? 0, 'tail-cut');
  }
  return last;
}

async function recordRecovery(log: AuditLog, { segment, goodBytes, tornBytes }: Recovered): Promise<void> {
  const detail = { segment: segment.name, offset: goodBytes, droppedBytes: tornBytes };
  const entry = { actor: 'holdfast', action: 'audit.recovered', subject: 'audit-log', outcome: 'done', detail };
  try {
    await log.append(entry);
  } catch (error) {
    if (!hasCode(error, 'ERR_AUDIT_UNWRITABLE')) throw error; // a gap record will count it
  }
}
