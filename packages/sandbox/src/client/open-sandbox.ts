/** Two ways to a sandbox: a spawner of one's own, or the one that listens on a Unix socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '@holdfast/core';
import type { Sandbox } from '../sandbox.ts';
import type { SpawnerOptions } from '../spawner/spawner.ts';
import { SpawnerClient } from './spawner-client.ts';

const MAIN = fileURLToPath(new URL('../spawner/spawner-main.ts', import.meta.url));

/** Written by root only, and passed by everybody; without root, ours alone. */
function defaultDirectory(): string {
  const uid = process.getuid?.();
  return uid === 0 ? '/run/holdfast/sandbox' : join(tmpdir(), `holdfast-sandbox-${uid}`);
}

/** Starts a spawner that lives as long as what is returned. Commands it runs end with it. */
export async function openSandbox(options: Partial<SpawnerOptions> = {}): Promise<Sandbox> {
  const given: SpawnerOptions = { directory: defaultDirectory(), standInForMissing: true, ...options };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, JSON.stringify(given)], {
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve()); // the connection ends as well, and says so
  });
  return new SpawnerClient(child.stdio[3] as Duplex, () => exited); // spawned with a pipe there
}

/** @throws `ERR_SANDBOX_SPAWNER_GONE` when nobody answers */
export async function connectSandbox(socketPath: string, signal: AbortSignal): Promise<Sandbox> {
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect', { signal });
  } catch (cause) {
    socket.destroy();
    if (signal.aborted) throw signal.reason;
    throw new HoldfastError('nobody answers at the socket of the spawner', { code: 'ERR_SANDBOX_SPAWNER_GONE', cause });
  }
  return new SpawnerClient(socket, async () => undefined);
}
