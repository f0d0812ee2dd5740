/** The kernel's socket tables `/proc/net/{tcp,tcp6,udp,udp6}` as listening sockets (proc(5)). Pure. */
import { endianness } from 'node:os';

import type { ListeningSocket } from '@holdfast/host';

/** include/net/tcp_states.h: TCP_LISTEN. */
const TCP_LISTEN = '0A';
/** TCP_CLOSE: a UDP socket that is bound and not connected. */
const UDP_UNCONNECTED = '07';
const ADDRESS = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/;

export const SOCKET_TABLES = ['tcp', 'tcp6', 'udp', 'udp6'] as const;

/**
 * @returns `undefined` when a line has an unexpected form
 */
export function parseSocketTable(text: string, table: (typeof SOCKET_TABLES)[number]): ListeningSocket[] | undefined {
  const protocol = table.startsWith('tcp') ? 'tcp' : 'udp';
  const wanted = protocol === 'tcp' ? TCP_LISTEN : UDP_UNCONNECTED;
  const [header, ...lines] = text.split('\n');
  if (header === undefined || !header.includes('local_address')) return undefined;
  const sockets: ListeningSocket[] = [];
  for (const line of lines) {
    if (line.trim() === '') continue;
    const [, local, , state] = line.trim().split(/\s+/);
    const [, hex, portHex] = ADDRESS.exec(local ?? '') ?? [];
    if (hex === undefined || portHex === undefined || state === undefined) return undefined;
    if (state !== wanted) continue;
    sockets.push({ protocol, address: formatAddress(hex), port: Number.parseInt(portHex, 16) });
  }
  return sockets;
}

/** Each once, by protocol, port and address: several sockets may share a port (SO_REUSEPORT). */
export function sortSockets(sockets: readonly ListeningSocket[]): ListeningSocket[] {
  const keyed = new Map(
    sockets.map((socket) => [`${socket.protocol} ${String(socket.port).padStart(5, '0')} ${socket.address}`, socket]),
  );
  return [...keyed].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, socket]) => socket);
}

/** The tables hold 32-bit words in the byte order of the machine. */
function formatAddress(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  return bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes);
}

const hexGroups = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');

/** RFC 5952 §4: lower case, no leading zeros, the longest run of zeros (first of equals, two or more) as `::`. */
function formatIpv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2));
  // RFC 5952 §5: IPv4-mapped addresses keep the dots.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  let best = { at: 0, length: 1 };
  for (let at = 0; at < groups.length; at += 1) {
    let length = 0;
    while (groups[at + length] === 0) length += 1;
    if (length > best.length) best = { at, length };
  }
  if (best.length < 2) return hexGroups(groups);
  return `${hexGroups(groups.slice(0, best.at))}::${hexGroups(groups.slice(best.at + best.length))}`;
}
