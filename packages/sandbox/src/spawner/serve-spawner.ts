/**
 * The spawner as a service on a Unix socket. Who may do what is decided once, when a client connects,
 * by what the kernel says of it; nothing a client sends can change it.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import type { SandboxJob } from '../sandbox.ts';
import { serveConnection } from './serve-connection.ts';
import { Spawner, type SpawnerOptions } from './spawner.ts';

/** Of clients with the same access, so that those who may do little cannot keep out those who may do everything. */
const MAX_CONNECTIONS = 64;

/** Everything; one job, which the spawner itself knows; or nothing. */
export type Access = 'any-job' | { readonly onlyJob: SandboxJob } | 'none';

export interface SpawnerService {
  readonly socketPath: string;
  /** Group that may connect beside the owner. */
  readonly gid: number;
  /** Called in the connection callback. What it throws refuses the client. */
  readonly accessOf: (socket: Socket) => Access;
}

/**
 * Serves until disposed, which ends every command.
 *
 * @throws `ERR_SANDBOX_SPAWNER_GONE` when the socket cannot be opened
 */
export async function serveSpawner(service: SpawnerService, options: SpawnerOptions): Promise<AsyncDisposable> {
  const spawner = await Spawner.open(options);
  const open = new Map<Socket, { readonly onlyJob: SandboxJob | null; readonly end: Promise<void> }>();
  const server = createServer((socket) => {
    const access = judge(service, socket);
    const onlyJob = typeof access === 'string' ? null : access.onlyJob;
    const alike = [...open.values()].filter((other) => (other.onlyJob === null) === (onlyJob === null));
    if (access === 'none' || alike.length >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    open.set(socket, { onlyJob, end: serveConnection(spawner, socket, onlyJob).finally(() => open.delete(socket)) });
  });
  try {
    await listen(server, service);
  } catch (cause) {
    await spawner[Symbol.asyncDispose]();
    throw new HoldfastError('the socket of the spawner cannot be opened', { code: 'ERR_SANDBOX_SPAWNER_GONE', cause });
  }
  // A connection that could not be accepted, for want of descriptors: its client is told by its end.
  server.on('error', () => undefined);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const ends = [...open.values()].map(({ end }) => end);
      for (const socket of open.keys()) socket.destroy();
      await Promise.all([closed, ...ends]);
      await spawner[Symbol.asyncDispose]();
    },
  };
}

function judge({ accessOf }: SpawnerService, socket: Socket): Access {
  try {
    return accessOf(socket);
  } catch {
    return 'none'; // unknown credentials deny
  }
}

async function listen(server: ReturnType<typeof createServer>, { socketPath, gid }: SpawnerService): Promise<void> {
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
  // One spawner a host: systemd sees to that, so what lies there is from one that was killed.
  if (lstatSync(socketPath, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(socketPath);
  const umask = process.umask(0o177); // nobody but us until its group and mode are set
  try {
    server.listen(socketPath); // binds before it returns
  } finally {
    process.umask(umask);
  }
  await once(server, 'listening');
  chownSync(socketPath, -1, gid);
  chmodSync(socketPath, 0o660);
}
