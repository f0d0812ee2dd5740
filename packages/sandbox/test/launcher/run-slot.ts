/** Starts one slot without a spawner, gives it a job, and collects everything that comes out. For tests only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import type { Duplex, Readable, Writable } from 'node:stream';
import { SandboxProfileSchema } from '@holdfast/policy';
import { temporaryDirectory } from '@holdfast/testing';
import {
  type CompiledProfile,
  type LauncherReport,
  compileProfile,
  decodeReport,
  describeStep,
  launcherImage,
  pathsToView,
  planJob,
  planSlot,
  readHostView,
} from '../../src/index.ts';
import { encodeTable, type TableSteps } from '../../src/launcher/job-table.ts';
import { SLOT_TABLE_ADDRESS } from '../../src/launcher/memory.ts';
import { setUpSteps } from '../../src/plan-job.ts';
import type { Architecture } from '../../src/seccomp/syscall-table.ts';

/** A number that no user of the machine has. */
export const TEST_UID = 64_077;
export const ARCHITECTURE: Architecture = process.arch === 'arm64' ? 'arm64' : 'x64';

export interface SlotRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly report: LauncherReport | undefined;
  readonly failedStep: string | null;
}

export interface SlotOptions {
  readonly profile?: object;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Called when the command has written something; the channel is the spawner's end of descriptor 3. */
  readonly whileRunning?: (channel: Duplex, bubblewrap: ChildProcess) => void;
  /** Other steps than those of the profile; their names and number MUST stay. */
  readonly tamper?: (steps: TableSteps) => TableSteps;
}

export function compileTestProfile(profile: object = {}): CompiledProfile {
  return compileProfile(SandboxProfileSchema.parse({ name: 'test', ...profile }), {
    architecture: ARCHITECTURE,
    landlockAbi: 7,
  });
}

export async function runInSlot(
  t: { after(fn: () => void): void },
  argv: readonly [string, ...string[]],
  { profile, cwd, env, whileRunning, tamper = (steps) => steps }: SlotOptions = {},
): Promise<SlotRun> {
  const compiled = compileTestProfile(profile);
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  const launcher = `${directory}/launcher`;
  writeFileSync(launcher, launcherImage(ARCHITECTURE), { mode: 0o755 });
  const filesDirectory = `${directory}/files`;
  mkdirSync(filesDirectory, { mode: 0o755 });
  const user = { uid: TEST_UID, gid: TEST_UID };
  const view = readHostView(pathsToView(compiled.profile));
  const environment = {
    bubblewrap: '/usr/bin/bwrap',
    launcher,
    filesDirectory,
    view,
    ...user,
    limitsEachProcess: true,
  };
  const slot = planSlot(compiled, environment);
  for (const { path, text } of slot.files) writeFileSync(path, text, { mode: 0o644 });
  const [command, ...args] = slot.argv;
  const child = spawn(command, args, {
    ...user,
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const channel = child.stdio[3] as Duplex; // a socket pair in both directions, since stdio[3] is a pipe
  const streams: readonly unknown[] = child.stdio.slice(4); // four pipes
  const [jobs, stdin, stdout, stderr] = streams as [Duplex, Writable, Readable, Readable];
  const output = Promise.all([collect(stdout), collect(stderr), collect(channel)]);
  const closed = once(child, 'close');
  stdin.end();
  // What the launcher did not read before it ended resets the connection, after its report.
  for (const stream of [channel, jobs.resume()]) stream.on('error', () => undefined);
  const given = {
    argv,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  };
  channel.write(encodeTable(tamper(setUpSteps(compiled, true)), ARCHITECTURE, SLOT_TABLE_ADDRESS));
  jobs.write(planJob(compiled, given));
  if (whileRunning !== undefined) stdout.once('data', () => whileRunning(channel, child));
  const [out, err, bytes] = await output;
  await closed;
  const report = decodeReport(bytes);
  const failed = report?.failed ?? null;
  return {
    stdout: out.toString(),
    stderr: err.toString(),
    report,
    failedStep: failed === null ? null : describeStep(slot, failed),
  };
}

async function collect(stream: Readable | Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  return Buffer.concat(chunks);
}
