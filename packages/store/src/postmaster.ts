/**
 * One PostgreSQL process: making its data directory, starting it, telling whether one is alive, and
 * ending one that outlived the process that started it.
 */
import { HoldfastError } from '@holdfast/core';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseUser } from './database-user.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

export interface PostmasterPlace {
  readonly data: string;
  readonly socketDir: string;
  readonly logFile: string;
}

/** util-linux. It makes the kernel signal the child when this process dies, also by SIGKILL. */
const SETPRIV = '/usr/bin/setpriv';
/** postmaster(1): SIGINT is the fast shutdown, SIGQUIT the immediate one (crash recovery at the next start). */
const STOP_GRACE_MS = 10_000;
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };

const ownership = (user?: DatabaseUser): { uid?: number; gid?: number } =>
  user === undefined ? {} : { uid: user.uid, gid: user.gid };

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', (code) => resolve(code));
  });

/** Makes the data directory with checksums (T-29); whole or not at all. */
export async function initialiseData(
  binaries: PostgresBinaries,
  place: PostmasterPlace,
  user?: DatabaseUser,
): Promise<void> {
  if (existsSync(join(place.data, 'PG_VERSION'))) return;
  const partial = `${place.data}.partial`;
  await rm(partial, { recursive: true, force: true });
  const log = await open(place.logFile, 'a', 0o600);
  try {
    const argv = [
      '-D',
      partial,
      '-U',
      'holdfast_owner',
      '--auth=trust',
      '--data-checksums',
      '-E',
      'UTF8',
      '--no-locale',
    ];
    const child = spawn(binaries.initdb, argv, {
      ...ownership(user),
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', log.fd, log.fd],
    });
    if ((await ended(child)) !== 0) throw new HoldfastError('initdb failed', { code: 'ERR_STORE_START' });
  } finally {
    await log.close();
  }
  await chmod(partial, 0o700);
  await rename(partial, place.data);
}

/** Starts PostgreSQL; it listens on the Unix socket only and in a process group of its own. */
export async function spawnPostmaster(
  binaries: PostgresBinaries,
  place: PostmasterPlace,
  user?: DatabaseUser,
): Promise<ChildProcess> {
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${place.socketDir}`,
    'unix_socket_permissions=0700',
    'max_connections=60',
    'shared_buffers=128MB',
    'max_wal_size=1GB',
    'wal_compression=on',
    'log_min_messages=warning',
    'log_min_error_statement=panic', // rows of tenants never reach the log
  ];
  const postgres = [binaries.postgres, '-D', place.data, ...settings.flatMap((setting) => ['-c', setting])];
  const identity =
    user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--inh-caps=-all'];
  const supervised = existsSync(SETPRIV);
  const [command = '', ...argv] = supervised ? [SETPRIV, '--pdeathsig=INT', ...identity, '--', ...postgres] : postgres;
  const log = await open(place.logFile, 'a', 0o600);
  try {
    return spawn(command, argv, {
      ...(supervised ? {} : ownership(user)),
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', log.fd, log.fd],
      detached: true, // Ctrl-C goes to the terminal's group: we end it ourselves, after the requests
    });
  } finally {
    await log.close();
  }
}

/** Process id of a postmaster that lives on this data directory, whoever started it. */
export function findPostmaster(place: PostmasterPlace): number | undefined {
  try {
    const pid = Number(readFileSync(join(place.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    // Process ids are used again: only one that was started on this very directory is ours.
    return Number.isInteger(pid) && pid > 1 && argv.includes(place.data) ? pid : undefined;
  } catch {
    return undefined; // no file or no such process: nothing runs
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone already, which is what was wanted
  }
}

/** Ends the postmaster with this id and waits until it is gone. */
export async function stopPostmaster(place: PostmasterPlace, pid: number, graceMs = STOP_GRACE_MS): Promise<void> {
  const deadline = performance.now() + graceMs;
  signalProcess(pid, 'SIGINT');
  while (findPostmaster(place) === pid && performance.now() < deadline) await delay(25);
  if (findPostmaster(place) !== pid) return;
  signalProcess(pid, 'SIGQUIT');
  while (findPostmaster(place) === pid && performance.now() < deadline + graceMs) await delay(25);
  if (findPostmaster(place) === pid) signalProcess(pid, 'SIGKILL');
}
