/**
 * Runs every attempt twice, inside a lab host and nowhere else: without a sandbox, where it has to
 * work, and through the production path under the default profile, where it has to be refused. Prints
 * one JSON line for each (`AttemptOutcome`). `attack-suite.test.ts` starts it and judges.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SandboxProfileSchema } from '@holdfast/policy';
import { type Attempt, ATTEMPTS, type Control, X64_ATTEMPTS } from './attempts.ts';
import { openSandbox } from '../../src/client/open-sandbox.ts';
import type { Sandbox } from '../../src/index.ts';
import { runConfined } from './confined.ts';

export interface AttemptOutcome {
  readonly name: string;
  /** `allowed`, the name of an error, of a signal, or what else the run came to. */
  readonly control: string;
  readonly sandboxed: string;
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** As attack.h has them. */
const TARGETS = '/srv/holdfast-attack';
const SECRET = 'the runner wrote this';
const HERE = '/usr/local/lib/holdfast-attack';
const PROGRAM = join(HERE, 'attack');

/** linux/proc_ns.h: PROC_PID_INIT_INO. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';
const TIMEOUT_MS = 20_000;

/** What a lab host sees of the machine's control groups is its own part; this process is in none of it. */
const HIERARCHIES = (['memory', 'pids', 'cpuacct', 'cpu'] as const).map((controller) => {
  return { version: 1 as const, controllers: [controller], directory: `/sys/fs/cgroup/${controller}` };
});

const run = promisify(execFile);

/** A lab host is booted by systemd-nspawn, and has not the machine's own processes. */
function isLabHost(): boolean {
  const marker = '/run/systemd/container';
  return (
    existsSync(marker) &&
    readFileSync(marker, 'utf8').trim() === 'systemd-nspawn' &&
    readlinkSync('/proc/self/ns/pid') !== INITIAL_PID_NAMESPACE &&
    readlinkSync('/proc/1/ns/pid') === readlinkSync('/proc/self/ns/pid')
  );
}

function requireLabHost(): void {
  if (process.env['HOLDFAST_ATTACKS'] !== 'lab-host' || !isLabHost()) {
    throw new Error('attacks are run in a lab host only');
  }
}

function buildProgram(): void {
  mkdirSync(HERE, { recursive: true, mode: 0o755 });
  const sources = ['attack', 'files', 'network', 'processes', 'kernel', 'code', 'bombs', 'machinery'];
  const options = ['-Wall', '-Wextra', '-Werror', '-O1', '-pthread', '-o', PROGRAM];
  execFileSync('/usr/bin/clang-19', [...options, ...sources.map((name) => join(import.meta.dirname, `${name}.c`))]);
  copyFileSync(PROGRAM, `${PROGRAM}-setuid`);
  chmodSync(PROGRAM, 0o755);
  chmodSync(`${PROGRAM}-setuid`, 0o4755);
}

/** What attempts destroy, made anew for each. */
function makeTargets(owner: number): void {
  rmSync(join(TARGETS, 'open'), { recursive: true, force: true });
  mkdirSync(join(TARGETS, 'open'), { recursive: true });
  chmodSync(join(TARGETS, 'open'), 0o777);
  for (const name of ['secret', 'open/file']) {
    const path = join(TARGETS, name);
    writeFileSync(path, SECRET);
    chmodSync(path, name === 'secret' ? 0o644 : 0o666);
    if (name !== 'secret') chownSync(path, owner, -1);
  }
  for (const leftover of ['dropped', 'script', 'own', 'race', 'link', 'socket', 'large']) {
    rmSync(join('/tmp', leftover), { recursive: true, force: true });
  }
  for (const written of ['/etc/holdfast-attack', '/holdfast-attack', join(HERE, 'written')])
    rmSync(written, { force: true });
}

function idsOf(user: string): Ids {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${user}`);
  return { uid: Number(uid), gid: Number(gid) };
}

function controlPrefix(control: Control, { uid, gid }: Ids): string[] {
  if (control === 'root') return [];
  if (control === 'root-apart')
    return ['/usr/bin/unshare', '--mount', '--uts', '--pid', '--fork', '--mount-proc', '--'];
  const user = ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
  return control === 'user' ? user : [...user, '/bin/sh', '-c', 'exec "$@" 3</dev/null', 'sh'];
}

/** From what the program printed, or how it ended. */
function outcomeOf(name: string, stdout: string, ended: string): string {
  const line = stdout.split('\n').find((text) => text.startsWith(`${name}: `));
  if (line === `${name}: allowed`) return 'allowed';
  return /refused\((\w+)\)$/.exec(line ?? '')?.[1] ?? ended;
}

async function runControl(attempt: Attempt, argument: string, ids: Ids): Promise<string> {
  const [program, ...rest] = [...controlPrefix(attempt.control, ids), PROGRAM, attempt.name, argument];
  const options = { timeout: TIMEOUT_MS, maxBuffer: 64 * 1_048_576, cwd: '/', env: {} };
  try {
    const { stdout } = await run(program, rest, options);
    return outcomeOf(attempt.name, stdout, 'exit 0');
  } catch (error) {
    const { stdout = '', signal, code } = error as { stdout?: string; signal?: string | null; code?: number };
    return outcomeOf(attempt.name, stdout, signal ?? `exit ${code}`);
  }
}

async function runSandboxed(sandbox: Sandbox, attempt: Attempt, argument: string): Promise<string> {
  const limits = attempt.limits === undefined ? {} : { limits: attempt.limits };
  const profile = SandboxProfileSchema.parse({ name: 'default', ...limits });
  const job = { profile, argv: [PROGRAM, attempt.name, argument], timeoutMs: TIMEOUT_MS } as const;
  const { stdout, ended, truncated } = await runConfined(sandbox, job, AbortSignal.timeout(2 * TIMEOUT_MS));
  return truncated ? 'truncated' : outcomeOf(attempt.name, stdout, ended);
}

async function listening(server: Server, where: { port: number; host: string } | { path: string }): Promise<Server> {
  server.listen(where);
  await once(server, 'listening');
  return server;
}

requireLabHost();
buildProgram();
const ids = idsOf(SandboxProfileSchema.parse({ name: 'default' }).user);
makeTargets(ids.uid);

const accept = () => createServer((socket) => socket.on('error', () => undefined).end());
const tcp = await listening(accept(), { port: 0, host: '127.0.0.1' });
const path = await listening(accept(), { path: join(TARGETS, 'socket') });
chmodSync(join(TARGETS, 'socket'), 0o777);
const abstract = await listening(accept(), { path: '\0holdfast-attack' });
const udp = createSocket('udp4').bind(0, '127.0.0.1');
await once(udp, 'listening');
const victim = spawn('/usr/bin/sleep', ['infinity'], { ...ids, stdio: 'ignore', cwd: '/', env: {} });

await using sandbox = await openSandbox({ hierarchies: HIERARCHIES });
try {
  const values = {
    'tcp-port': (tcp.address() as AddressInfo).port,
    'udp-port': udp.address().port,
    victim: victim.pid ?? 0,
  };
  for (const attempt of [...ATTEMPTS, ...(process.arch === 'x64' ? X64_ATTEMPTS : [])]) {
    const argument = String(attempt.argument === undefined ? 0 : values[attempt.argument]);
    makeTargets(ids.uid);
    const control = await runControl(attempt, argument, ids);
    makeTargets(ids.uid);
    const sandboxed = await runSandboxed(sandbox, attempt, argument);
    process.stdout.write(`${JSON.stringify({ name: attempt.name, control, sandboxed } satisfies AttemptOutcome)}\n`);
  }
} finally {
  victim.kill('SIGKILL');
  for (const server of [tcp, path, abstract]) server.close();
  udp.close();
}
