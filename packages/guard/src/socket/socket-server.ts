/**
 * The guard's Unix socket (G-01): where it may be, who may open it, and the connections on it.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { once } from 'node:events';
import { HoldfastError } from '@holdfast/core';
import { type ConnectionDeps, type ConnectionLimits, serveConnection } from './connection.ts';
import { ConnectionCounter } from './connection-counter.ts';
import { assertPeerCredentials, openPeerCredentials, type PeerCredentials } from './peer-credentials.ts';
import type { UserNames } from './user-names.ts';

const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o755;
const OTHERS_WRITE = 0o022;
/** unix(7): sun_path has 108 bytes with its NUL. Longer paths would be cut short silently. */
const MAX_SOCKET_PATH_BYTES = 107;
/** A socket nobody accepts on within this time is stale. */
const PROBE_TIMEOUT_MS = 1_000;

export interface SocketLimits extends ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerUid: number;
}

export const DEFAULT_SOCKET_LIMITS: SocketLimits = {
  readTimeoutMs: 5_000,
  idleTimeoutMs: 120_000,
  writeTimeoutMs: 30_000,
  maxInFlight: 8,
  maxConnections: 256,
  maxConnectionsPerUid: 64,
};

export interface SocketOptions {
  readonly path: string;
  /** Group that may connect beside the owner. */
  readonly gid: number;
  readonly limits: SocketLimits;
}

function refuse(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`the socket cannot be opened: ${reason}`, {
    code: 'ERR_GUARD_SOCKET',
    fields: { reason },
    cause,
  });
}

function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    const stat = lstatSync(directory);
    if (!stat.isDirectory()) throw refuse('the directory is a symlink or no directory');
    const own = process.geteuid?.();
    if (stat.uid !== 0 && stat.uid !== own) throw refuse('the directory belongs to somebody else');
    if ((stat.mode & OTHERS_WRITE) !== 0) throw refuse('the directory is writable by others');
    if ((stat.mode & 0o7777) !== DIRECTORY_MODE && stat.uid === own) chmodSync(directory, DIRECTORY_MODE);
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : refuse('the directory cannot be prepared', cause);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    await once(probe, 'connect', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch (error) {
    // A full backlog is somebody alive; only refusal and absence are nobody.
    return !(error instanceof Error && 'code' in error && ['ECONNREFUSED', 'ENOENT'].includes(String(error.code)));
  } finally {
    probe.destroy();
  }
}

async function clearStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw refuse('something that is no socket is in its place');
  if (await isAnswered(path)) throw refuse('another guard answers there');
  unlinkSync(path);
}

/**
 * Listens and serves until disposed. Disposing closes every connection and removes the socket.
 *
 * @throws `ERR_GUARD_SOCKET`, `ERR_GUARD_PEER_CREDENTIALS`
 */
export async function serveSocket(
  deps: ConnectionDeps & { readonly userNames: UserNames },
  options: SocketOptions,
): Promise<AsyncDisposable> {
  const readCredentials = openPeerCredentials();
  await assertPeerCredentials(readCredentials);
  if (Buffer.byteLength(options.path) > MAX_SOCKET_PATH_BYTES) throw refuse('the path is too long');
  prepareDirectory(dirname(options.path));
  await clearStaleSocket(options.path);

  const counter = new ConnectionCounter(options.limits);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    let peer: PeerCredentials;
    try {
      peer = readCredentials(socket);
    } catch {
      socket.destroy(); // G-02: unknown credentials deny
      return;
    }
    if (!counter.enter(peer.uid)) {
      const error = { code: 'ERR_GUARD_BUSY', correlationId: deps.newCorrelationId() };
      socket.on('error', () => socket.destroy());
      socket.end(`${JSON.stringify({ id: '', ok: false, error })}\n`, () => socket.destroy());
      return;
    }
    open.add(socket);
    socket.on('close', () => {
      open.delete(socket);
      counter.leave(peer.uid);
    });
    serveConnection(socket, { ...peer, user: deps.userNames.nameOf(peer.uid) }, deps, options.limits);
  });
  await listen(server, options);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function listen(server: Server, { path, gid }: SocketOptions): Promise<void> {
  // Until its mode is set nobody but us may connect.
  const umask = process.umask(0o177);
  try {
    server.listen(path); // binds before it returns
  } finally {
    process.umask(umask);
  }
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw refuse('listening failed', cause);
  }
  try {
    chownSync(path, -1, gid);
    chmodSync(path, SOCKET_MODE);
  } catch (cause) {
    server.close();
    throw refuse('the group cannot be set', cause);
  }
}
