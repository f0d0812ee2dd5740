/**
 * Who is at the other end of a Unix socket, as the kernel says (G-02). SO_PEERCRED is fixed when the
 * peer connects and cannot be set by it. Node has no API for it: getsockopt(2) is called through
 * `node:ffi` on the descriptor inside the socket's private handle, so all of it is checked at start.
 */
import { dlopen } from 'node:ffi';
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { HoldfastError } from '@holdfast/core';

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Reads the credentials; MUST be called in the connection callback, before the peer can be gone. */
export type ReadPeerCredentials = (socket: Socket) => PeerCredentials;

/** asm-generic/socket.h */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid_t, uid_t, gid_t. */
const UCRED_BYTES = 12;

function unavailable(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`peer credentials are not available: ${reason}`, {
    code: 'ERR_GUARD_PEER_CREDENTIALS',
    fields: { reason },
    cause,
  });
}

function descriptorOf(socket: Socket): number {
  const handle: unknown = (socket as unknown as { _handle?: unknown })._handle;
  const fd: unknown = typeof handle === 'object' && handle !== null && 'fd' in handle ? handle.fd : undefined;
  if (typeof fd !== 'number' || !Number.isInteger(fd) || fd < 0) throw unavailable('no descriptor');
  return fd;
}

/** @throws `ERR_GUARD_PEER_CREDENTIALS` where getsockopt cannot be called */
export function openPeerCredentials(): ReadPeerCredentials {
  if (process.platform !== 'linux') throw unavailable('not Linux');
  let getsockopt: (fd: number, level: number, name: number, value: Buffer, length: Buffer) => number;
  try {
    ({ getsockopt } = dlopen(null, {
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
    }).functions);
  } catch (cause) {
    throw unavailable('no getsockopt', cause);
  }
  return (socket) => {
    const credentials = Buffer.alloc(UCRED_BYTES, 0xff);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(UCRED_BYTES);
    if (getsockopt(descriptorOf(socket), SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) {
      throw unavailable('getsockopt failed');
    }
    if (length.readUInt32LE() !== UCRED_BYTES) throw unavailable('short answer');
    const [pid, uid, gid] = [credentials.readInt32LE(0), credentials.readUInt32LE(4), credentials.readUInt32LE(8)];
    // The kernel's overflow id for "none": a peer without credentials is nobody (G-02).
    if (uid === 0xffff_ffff || gid === 0xffff_ffff || pid <= 0) throw unavailable('the peer has none');
    return { pid, uid, gid };
  };
}

/**
 * Connects to itself on an abstract socket and compares what the kernel says with what is known.
 *
 * @throws `ERR_GUARD_PEER_CREDENTIALS` when the answer is anything but this process
 */
export async function assertPeerCredentials(read: ReadPeerCredentials): Promise<void> {
  const server = createServer();
  try {
    server.listen(`\0holdfast-selftest-${process.pid}-${process.hrtime.bigint()}`);
    await once(server, 'listening');
    const address = server.address();
    if (typeof address !== 'string') throw unavailable('no abstract socket');
    const client = connect(address);
    try {
      const [peer] = (await once(server, 'connection')) as [Socket];
      const seen = read(peer);
      peer.destroy();
      if (seen.pid !== process.pid || seen.uid !== process.geteuid?.()) throw unavailable('the self-test differs');
    } finally {
      client.destroy();
    }
  } finally {
    server.close();
  }
}
