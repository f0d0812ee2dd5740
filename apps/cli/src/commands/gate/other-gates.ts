/** Records of the other gates in this repository: the releases before, and those beside. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { GATE_ID_PATTERN, type GateRecord, openGateLog } from '@holdfast/gate';
import type { OpenedGate } from './opened-gate.ts';

/**
 * Verified like this gate's own, each by its own people; whether those count here is for the caller to say.
 *
 * @throws `ERR_GATE_LOG_INVALID` when one does not verify: what it says of the past is then unknown
 */
export async function otherGates(
  { gate, tree }: OpenedGate,
  signal: AbortSignal,
): Promise<readonly (readonly GateRecord[])[]> {
  const directory = join(tree.root, gate.records);
  const ids = directoriesIn(directory).filter((name) => GATE_ID_PATTERN.test(name) && name !== gate.id);
  const logs = await Promise.all(
    ids.map(async (gateId) => openGateLog(join(directory, gateId), { gateId, create: true, signal })),
  );
  return logs.map(({ records }) => records);
}

function directoriesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // nothing was ever recorded
    throw error;
  }
}
