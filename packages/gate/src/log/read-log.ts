/** From the files of a log to its records: the lines that the signed head covers, and every check of them. */
import type { LogBytes } from './gate-log.ts';
import { splitLog } from './log-lines.ts';
import { LogReader } from './log-reader.ts';
import { claimedSize, invalidHead, verifyHead } from './signed-head.ts';

export interface ReadLog {
  readonly reader: LogReader;
  /** Where the lines end that the head covers; whatever is behind was never acknowledged. */
  readonly endBytes: number;
}

/** @throws `ERR_GATE_LOG_INVALID` with the first place that does not verify */
export async function readLog(gateId: string, { log, checkpoint }: LogBytes): Promise<ReadLog> {
  // Lines without a head: the head was taken away, and with it the proof of what was recorded.
  if (checkpoint === '' && log.length > 0) throw invalidHead('it is missing');
  const size = checkpoint === '' ? 0 : claimedSize(checkpoint);
  const { envelopes, endBytes } = splitLog(log, size);
  if (envelopes.length < size) throw invalidHead(`it signs ${size} records, and there are ${envelopes.length}`);
  const reader = new LogReader(gateId);
  await reader.read(envelopes);
  if (checkpoint !== '') verifyHead(checkpoint, gateId, reader.head, reader.ring);
  return { reader, endBytes };
}
