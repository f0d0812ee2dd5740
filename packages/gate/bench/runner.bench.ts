/**
 * what recording a command costs over running it bare, in a repository of 1,000 files: reading the
 * source before and after, looking for processes left behind, hashing and keeping the outputs. A session
 * of several commands against the same commands spawned one after the other, in turns; what a session
 * costs once (toolchain, signatures, first hashing of all sources) is printed beside it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, milliseconds } from '@holdfast/testing';
import { parse } from 'yaml';
import { GateSchema, MemoryGateLog, openSourceTree, runSession } from '../src/index.ts';
import { ANN, freeze, gateText } from '../test/sample-gate.ts';

const FILES = 1_000;
const COMMANDS = 10;
const ROUNDS = 15;
/** Of the requirement. */
const LIMIT_MS = 50;
const ARGV = ['/bin/echo', 'done'];

export async function bench(): Promise<readonly unknown[]> {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-bench-'));
  try {
    makeRepository(root);
    const tree = await openSourceTree(root);
    const startMs = performance.now();
    await tree.read('.gate', AbortSignal.timeout(60_000));
    const firstReadMs = performance.now() - startMs;
    const [one, many, bare]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round <= ROUNDS; round++) {
      const single = await sessionMs(tree, 1);
      const several = await sessionMs(tree, 1 + COMMANDS);
      const plain = await bareMs(root);
      if (round === 0) continue; // compiles what the others run
      one.push(single);
      many.push((several - single) / COMMANDS);
      bare.push(plain / COMMANDS);
    }
    const overheadMs = median(many) - median(bare);
    const onceMs = median(one) - median(many);
    return [
      {
        row: 'R-35',
        name: 'recording a command',
        measured: `${milliseconds(overheadMs)} over ${milliseconds(median(bare))} bare; a session costs ${milliseconds(onceMs)} once, the first read of ${FILES} files ${milliseconds(firstReadMs)}`,
        against: `${LIMIT_MS} ms`,
        ratio: overheadMs / LIMIT_MS,
        wanted: { atMost: 1 },
      },
    ];
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function makeRepository(root: string): void {
  for (let n = 0; n < FILES; n++) {
    const directory = join(root, `d${n % 20}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${n}.ts`), `export const n = ${n};\n`.repeat(100));
  }
  git(root, 'init', '-q');
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '-m', 'first');
}

function git(root: string, ...args: readonly string[]): void {
  const who = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', '-c', 'commit.gpgsign=false'];
  if (spawnSync('git', [...who, ...args], { cwd: root }).status !== 0) throw new Error('git failed');
}

async function sessionMs(tree: Awaited<ReturnType<typeof openSourceTree>>, count: number): Promise<number> {
  const commands = Array.from({ length: count }, (_, n) => ({ id: `c${n}`, kind: 'build', argv: ARGV }));
  const gate = GateSchema.parse({ ...(parse(gateText()) as Record<string, unknown>), commands });
  const log = new MemoryGateLog(gate.id);
  await log.append([freeze()], ANN);
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  const deps = { log, tree, signer: ANN, clock, environment: process.env, sandbox: null };
  const whose = { revision: 1, author: 'ann', role: 'milestone', packet: null, mutations: false } as const;
  const observer = { onStart: () => undefined, onOutput: () => undefined, onEnd: () => undefined };
  const startMs = performance.now();
  await runSession(deps, { gate, ...whose, commands: gate.commands }, observer, new AbortController().signal);
  return performance.now() - startMs;
}

async function bareMs(root: string): Promise<number> {
  const [program = '', ...args] = ARGV;
  const startMs = performance.now();
  for (let n = 0; n < COMMANDS; n++) {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.resume();
    child.stderr.resume();
    await once(child, 'close');
  }
  return performance.now() - startMs;
}
