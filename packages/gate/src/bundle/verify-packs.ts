/** Holds what runs say about their outputs against the outputs. */
import { sha256Hex } from '@holdfast/crypto';
import type { GateLog } from '../log/gate-log.ts';
import type { CommandRun } from '../records/statements.ts';

/** One kept part of a pack: a stream or a report. */
type Part = Pick<CommandRun['runs'][number]['stdout'], 'bytes' | 'digest' | 'at' | 'kept'>;

/**
 * Sentences about what does not fit; none when all of it does.
 *
 * @throws `ERR_GATE_OBJECT_MISSING`, `ERR_GATE_LOG_INVALID`
 */
export async function verifyPacks(log: GateLog): Promise<string[]> {
  const problems: string[] = [];
  for (const record of log.records) {
    if (record.kind !== 'command-run') continue;
    const { pack, runs } = record.predicate;
    const bytes = await log.getObject(pack.digest);
    if (bytes.length !== pack.bytes) problems.push(`record ${record.index} says another size of its outputs`);
    for (const run of runs) {
      const parts = Object.entries({ stdout: run.stdout, stderr: run.stderr, report: run.report });
      for (const [name, part] of parts) {
        if (part !== null && !isIn(bytes, part)) {
          problems.push(`the ${name} of run ${run.id} in record ${record.index} is not what was recorded of it`);
        }
      }
    }
  }
  return problems;
}

/** Of what was cut short only the place can be checked; that it was cut short is judged with the run. */
function isIn(pack: Uint8Array, { bytes, digest, at, kept }: Part): boolean {
  if (kept > bytes || at + kept > pack.length) return false;
  return kept < bytes || sha256Hex(pack.subarray(at, at + kept)) === digest;
}
