/** A runner for tests to kill: `killed-runner.ts <repository> <marker>` says `running` once its command does. */
import { GateSchema, MemoryGateLog, openSourceTree, runSession } from '../src/index.ts';
import { parse } from 'yaml';
import { ANN, freeze, gateText } from './sample-gate.ts';

const [root = '', marker = ''] = process.argv.slice(2);
const argv = ['/bin/sh', '-c', `echo running; : ${marker}; sleep 300 & sleep 300; :`];
const gate = GateSchema.parse({
  ...(parse(gateText()) as Record<string, unknown>),
  commands: [{ id: 'unit', kind: 'test', argv }],
});
const log = new MemoryGateLog(gate.id);
await log.append([freeze()], ANN);
await runSession(
  {
    log,
    tree: await openSourceTree(root),
    signer: ANN,
    clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
    environment: process.env,
    sandbox: null,
  },
  { gate, revision: 1, author: 'ann', role: 'milestone', packet: null, commands: gate.commands, mutations: false },
  {
    onStart: () => undefined,
    onOutput: (bytes) => process.stdout.write(`${log.records.at(-1)?.kind} ${Buffer.from(bytes).toString()}`),
    onEnd: () => undefined,
  },
  new AbortController().signal,
);
