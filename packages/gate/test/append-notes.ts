/**
 * A process that appends notes to the log at argv[2], named after argv[3], until it is killed or argv[4]
 * are appended, and prints each that was acknowledged. It tries again when another appended meanwhile.
 */
import { writeSync } from 'node:fs';
import { hasCode } from '@holdfast/core';
import { openGateLog } from '../src/index.ts';
import { ANN, freeze, GATE_ID, note } from './sample-gate.ts';

const [, , directory = '', name = '', count = '0'] = process.argv;
const open = async () =>
  openGateLog(directory, { gateId: GATE_ID, create: true, signal: new AbortController().signal });

let log = await open();
for (let at = 0; at < Number(count);) {
  try {
    if (log.head.size === 0) await log.append([freeze()], ANN);
    await log.append([note(`${name} ${at}`)], ANN);
    // Synchronous: what was printed was acknowledged before the kill.
    writeSync(1, `${name} ${at}\n`);
    at += 1;
  } catch (error) {
    if (!hasCode(error, 'ERR_GATE_LOG_MOVED')) throw error;
    log = await open();
  }
}
