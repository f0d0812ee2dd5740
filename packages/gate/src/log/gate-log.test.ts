/** Both logs against the contract. What only files can do wrong: `test/file-gate-log.test.ts`. */
import { join } from 'node:path';
import { temporaryDirectory } from '@holdfast/testing';
import { ANN, BOB, freeze, GATE_ID, note, signerOf } from '../../test/sample-gate.ts';
import { describeGateLog, type GateLogSubject } from '../conformance/index.ts';
import { openGateLog } from './file-gate-log.ts';
import type { GateLog } from './gate-log.ts';
import { MemoryGateLog } from './memory-gate-log.ts';

const subject = (log: GateLog): GateLogSubject => ({
  log,
  freeze: freeze(),
  note,
  signer: ANN,
  other: { signer: BOB, note: (text) => note(text, 'bob') },
  stranger: signerOf('mallory'),
});

describeGateLog('in memory', async () => subject(new MemoryGateLog(GATE_ID)));

describeGateLog('in files', async (t) => {
  const directory = join(temporaryDirectory(t), '.gate', GATE_ID);
  return subject(await openGateLog(directory, { gateId: GATE_ID, create: true, signal: new AbortController().signal }));
});
