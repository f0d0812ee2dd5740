/**
 * What the launcher writes to descriptor 3: at most one record that says which sockets it hands
 * over, one for a step that failed, one for how the command ended. Only process 1 and the command's
 * process before its `execve` can write there; still every length and kind is checked.
 */
import { constants } from 'node:os';
import { ENTRY_BYTES, FAILURE_BYTES, HEADER_BYTES, JOB_TABLE_ADDRESS, RECORD, SLOT_TABLE_ADDRESS } from './memory.ts';

/** wait status and padding, then `struct rusage` of 64-bit Linux: two `timeval`, fourteen `long`. */
const RUSAGE_BYTES = 144;
/** Kind, wait status, rusage. */
export const ENDED_BYTES = 16 + RUSAGE_BYTES;
export const STATUS_OFFSET = 8;
export const RUSAGE_OFFSET = 16;
export const LISTENING_BYTES = 8;

export interface LauncherReport {
  /** A step that did not give what was expected. */
  readonly failed: FailedStep | null;
  /** `null` when process 1 was killed, or has not yet reported. */
  readonly ended: LauncherEnd | null;
  /** The sockets of the endpoints came with this record. */
  readonly listening: boolean;
}

/** By its place; see `describeStep`. */
export interface FailedStep {
  readonly table: 'slot' | 'job';
  readonly entry: number;
  readonly errno: number | null;
}

export interface LauncherEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Of everything that was waited for in the sandbox, as the kernel counts it (RUSAGE_CHILDREN). */
  readonly cpuMs: number;
  /** Of the largest process. */
  readonly peakMemoryBytes: number;
}

/** @returns what all complete records say. `undefined` when the bytes are no report. Never throws. */
export function decodeReport(bytes: Uint8Array): LauncherReport | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [failed, ended, listening]: [LauncherReport['failed'], LauncherReport['ended'], boolean] = [null, null, false];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const kind = Number(view.getBigUint64(at, true));
    const sizeBytes = kind === RECORD.ended ? ENDED_BYTES : kind === RECORD.failed ? FAILURE_BYTES : LISTENING_BYTES;
    if (kind !== RECORD.ended && kind !== RECORD.failed && kind !== RECORD.listening) return undefined;
    if (at + sizeBytes > bytes.length) break; // a record that is not complete says nothing
    if (kind === RECORD.listening) listening = true;
    else if (kind === RECORD.ended) ended = decodeEnd(view, at);
    // The first failure is the cause: the end of the child that noted it follows.
    else failed ??= decodeFailure(view, at);
    at += sizeBytes;
  }
  return { failed, ended, listening };
}

function decodeFailure(view: DataView, at: number): FailedStep {
  const address = Number(view.getBigUint64(at + 8, true));
  const result = Number(view.getBigInt64(at + 16, true));
  const table = address < JOB_TABLE_ADDRESS ? 'slot' : 'job';
  const start = (table === 'slot' ? SLOT_TABLE_ADDRESS : JOB_TABLE_ADDRESS) + HEADER_BYTES;
  return { table, entry: (address - start) / ENTRY_BYTES, errno: result < 0 ? -result : null };
}

/** wait(2): the low seven bits are the signal, 0 for an exit, whose code is in the next eight. */
function decodeEnd(view: DataView, at: number): LauncherEnd {
  const status = view.getInt32(at + STATUS_OFFSET, true);
  const signal = status & 0x7f;
  const usage = at + RUSAGE_OFFSET;
  const time = (offset: number): number =>
    Number(view.getBigInt64(usage + offset, true)) * 1_000 + Number(view.getBigInt64(usage + offset + 8, true)) / 1_000;
  return {
    exitCode: signal === 0 ? (status >> 8) & 0xff : null,
    signal: signal === 0 ? null : signalName(signal),
    cpuMs: time(0) + time(16),
    peakMemoryBytes: Number(view.getBigInt64(usage + 32, true)) * 1_024, // getrusage(2): ru_maxrss is in KiB
  };
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `SIG${number}`;
}
