/** What every log does before it writes: seal the batch and read it back as any verifier will. */
import { HoldfastError, hasCode } from '@holdfast/core';
import type { Signer } from '@holdfast/crypto';
import { sealRecord } from '../records/seal-record.ts';
import type { GateRecord } from '../records/statements.ts';
import type { NewRecord } from './gate-log.ts';
import type { LogReader } from './log-reader.ts';

export interface PlannedAppend {
  /** The state afterwards. `from` is left as it was. */
  readonly reader: LogReader;
  readonly envelopes: readonly Uint8Array[];
  readonly records: readonly GateRecord[];
}

/**
 * Plans to append `batch` after what `from` has read.
 *
 * @throws `ERR_GATE_KEY` when the signer is not the author, or nobody of the gate; `ERR_GATE_RULE` when a
 * record would not count for another reason
 */
export async function appendTo(from: LogReader, batch: readonly NewRecord[], signer: Signer): Promise<PlannedAppend> {
  const envelopes = batch.map((record) => sealRecord(record, signer));
  const reader = from.copy();
  try {
    await reader.read(envelopes);
  } catch (cause) {
    if (!hasCode(cause, 'ERR_GATE_LOG_INVALID')) throw cause;
    const { rule = null, reason = null } = cause.fields;
    throw new HoldfastError(`not recorded: ${reason}`, {
      code: rule === 'R-13' ? 'ERR_GATE_KEY' : 'ERR_GATE_RULE',
      fields: { rule, reason },
      cause,
    });
  }
  return { reader, envelopes, records: reader.records.slice(from.records.length) };
}
