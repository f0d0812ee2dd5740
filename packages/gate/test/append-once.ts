/** A process that appends one note to the log at argv[2], and says how it went: `recorded`, or the code of the refusal. */
import { writeSync } from 'node:fs';
import { isHoldfastError } from '@holdfast/core';
import { openGateLog } from '../src/index.ts';
import { ANN, freeze, GATE_ID, note } from './sample-gate.ts';

const [, , directory = ''] = process.argv;
const log = await openGateLog(directory, { gateId: GATE_ID, create: true, signal: new AbortController().signal });
try {
  await log.append(log.head.size === 0 ? [freeze()] : [note('new'), note('and with it')], ANN);
  writeSync(1, 'recorded');
} catch (error) {
  if (!isHoldfastError(error)) throw error;
  writeSync(1, error.code);
}
