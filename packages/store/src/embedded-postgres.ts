/**
 * The embedded PostgreSQL (T-29): the real server as a supervised child on a private Unix socket.
 * It never runs as root, never listens on a network, checks its pages, is started again when it
 * dies, and ends with us, also when we are killed.
 */
import { HoldfastError } from '@holdfast/core';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { chooseDatabaseUser, type DatabaseUser, findBarrier } from './database-user.ts';
import { lockDirectory } from './directory-lock.ts';
import { preparePostgresBinaries } from './postgres-binaries.ts';
import { findPostmaster, initialiseData, type PostmasterPlace, spawnPostmaster, stopPostmaster } from './postmaster.ts';

export interface EmbeddedPostgresOptions {
  readonly stateDir: string;
  /** Which user to run as when we are root; default: `postgres`, else `nobody`. */
  readonly user?: string;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  /** For migrations: the role that owns the schema. */
  readonly ownerUrl: string;
  /** For everything else: the role row-level security binds. Exists after `migrate`. */
  readonly appUrl: string;
  /** Process id of the running server; `undefined` while it is being started again. */
  readonly pid: () => number | undefined;
}

/** sun_path of unix(7) holds 108 bytes with the final zero. */
const MAX_SOCKET_PATH_BYTES = 107;
const SOCKET_NAME = '.s.PGSQL.5432';
const START_TIMEOUT_MS = 60_000;
const MAX_RESTART_DELAY_MS = 5_000;

function placeIn(stateDir: string): PostmasterPlace {
  const root = join(stateDir, 'postgres');
  return { data: join(root, 'data'), socketDir: join(root, 'socket'), logFile: join(stateDir, 'postgres.log') };
}

function preparePlace(stateDir: string, user?: DatabaseUser): PostmasterPlace {
  const root = join(stateDir, 'postgres');
  const place = placeIn(stateDir);
  const { socketDir } = place;
  if (Buffer.byteLength(join(socketDir, SOCKET_NAME)) > MAX_SOCKET_PATH_BYTES)
    throw new HoldfastError('the path of the state directory is too long for a socket', {
      code: 'ERR_STORE_DIRECTORY',
      fields: { maxBytes: MAX_SOCKET_PATH_BYTES - join('/postgres/socket', SOCKET_NAME).length },
    });
  mkdirSync(stateDir, { recursive: true, mode: 0o711 });
  if (user !== undefined) {
    // Root's state directory lets the database user pass, not look: what is secret in it is 0600.
    chmodSync(stateDir, 0o711);
    const barrier = findBarrier(stateDir, user);
    if (barrier !== undefined)
      throw new HoldfastError(`PostgreSQL's user may not enter ${barrier}`, { code: 'ERR_STORE_DIRECTORY' });
  }
  for (const directory of [root, socketDir]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    if (user !== undefined) chownSync(directory, user.uid, user.gid);
  }
  return place;
}

const urlFor = (place: PostmasterPlace, role: string, database: string): string =>
  `postgres://${role}@/${database}?host=${encodeURIComponent(place.socketDir)}`;

async function ensureDatabase(place: PostmasterPlace): Promise<void> {
  const client = new Client({ connectionString: urlFor(place, 'holdfast_owner', 'postgres') });
  client.on('error', () => undefined); // a connection lost here shows as the failed query
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = 'holdfast'");
    if (rowCount === 0) await client.query('CREATE DATABASE holdfast');
  } finally {
    await client.end();
  }
}

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/** Waits until the server takes connections and our database is there. */
async function waitUntilReady(place: PostmasterPlace, child: ChildProcess, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await ensureDatabase(place);
      return;
    } catch (cause) {
      signal.throwIfAborted();
      if (!isAlive(child) || performance.now() > deadline)
        throw new HoldfastError('PostgreSQL did not start', { code: 'ERR_STORE_START', cause });
      await delay(50, undefined, { signal });
    }
  }
}

/**
 * Ends a server that a killed predecessor left behind, so that its files may be removed.
 *
 * @throws `ERR_STORE_ALREADY_RUNNING` when its process lives: nothing was touched
 */
export async function endOrphanedPostgres(stateDir: string): Promise<void> {
  const root = resolve(stateDir);
  if (!existsSync(root)) return;
  using _lock = lockDirectory(root);
  const place = placeIn(root);
  const orphan = findPostmaster(place);
  if (orphan !== undefined) await stopPostmaster(place, orphan);
}

/**
 * Starts PostgreSQL on `<stateDir>/postgres`, ready for connections when it resolves. A server left
 * behind by a killed predecessor is ended first. Ends when disposed of or when `signal` aborts.
 *
 * @throws `ERR_STORE_ALREADY_RUNNING`, `ERR_STORE_DIRECTORY`, `ERR_STORE_USER`, `ERR_STORE_START`
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
  signal: AbortSignal,
): Promise<EmbeddedPostgres> {
  signal.throwIfAborted();
  const stateDir = resolve(options.stateDir);
  const user = chooseDatabaseUser(options.user);
  const place = preparePlace(stateDir, user);
  const lock = lockDirectory(stateDir);
  const stopping = new AbortController();
  let child: ChildProcess | undefined;

  const launch = async (): Promise<void> => {
    const orphan = findPostmaster(place);
    if (orphan !== undefined) await stopPostmaster(place, orphan);
    child = await spawnPostmaster(binaries, place, user);
    child.on('error', () => undefined); // not started: `waitUntilReady` says so
    await waitUntilReady(place, child, stopping.signal);
  };

  /** Starts the server again whenever it ends, waiting longer each time it ends soon. */
  const supervise = async (): Promise<void> => {
    let delayMs = 100;
    while (!stopping.signal.aborted) {
      const running = child;
      const since = performance.now();
      if (running !== undefined && isAlive(running))
        await new Promise<void>((done) => {
          running.once('exit', () => done());
        });
      if (stopping.signal.aborted) return;
      delayMs = performance.now() - since > 10_000 ? 100 : Math.min(delayMs * 2, MAX_RESTART_DELAY_MS);
      try {
        await delay(delayMs, undefined, { signal: stopping.signal });
        await launch();
      } catch {
        // the next round tries again, later; what PostgreSQL said is in its log
      }
    }
  };

  const stop = async (): Promise<void> => {
    stopping.abort();
    signal.removeEventListener('abort', onAbort);
    const pid = findPostmaster(place);
    if (pid !== undefined) await stopPostmaster(place, pid);
    else if (child !== undefined && isAlive(child)) child.kill('SIGQUIT');
    await supervision;
    lock[Symbol.dispose]();
  };
  let stopped: Promise<void> | undefined;
  const dispose = (): Promise<void> => (stopped ??= stop());
  const onAbort = (): void => void dispose();

  let supervision: Promise<void> = Promise.resolve();
  const binaries = await preparePostgresBinaries(stateDir, user);
  try {
    await initialiseData(binaries, place, user);
    await launch();
  } catch (error) {
    await dispose();
    throw error;
  }
  supervision = supervise();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) await dispose();
  signal.throwIfAborted();

  return {
    ownerUrl: urlFor(place, 'holdfast_owner', 'holdfast'),
    appUrl: urlFor(place, 'holdfast_app', 'holdfast'),
    pid: () => findPostmaster(place),
    [Symbol.asyncDispose]: dispose,
  };
}
