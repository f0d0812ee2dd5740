/**
 * The listed TCP endpoints of a profile as seen inside: each host name has a loopback address of its
 * own in the empty network namespace, where the launcher listens and the spawner forwards.
 */
import type { SandboxProfile } from '@holdfast/policy';
import { type Step, words } from '../launcher/job-table.ts';
import { LISTENING_BYTES } from '../launcher/report.ts';
import { RECORD } from '../launcher/memory.ts';

export interface LocalEndpoint {
  readonly host: string;
  readonly port: number;
  /** Inside: 127.0.0.1 for `localhost`, else 127.0.0.2 and up, one for each host. */
  readonly address: string;
}

const [AF_INET, SOCK_STREAM_CLOEXEC, SOL_SOCKET, SCM_RIGHTS] = [2, 0o2_000_001, 1, 1];
const BACKLOG = 128;
/** capabilities(7): only a privileged process may listen below. */
const FIRST_UNPRIVILEGED_PORT = 1_024;

/** In the order of the profile, which is that of the descriptors handed over. */
export function endpointsOf(profile: SandboxProfile): readonly LocalEndpoint[] {
  if (typeof profile.network === 'string') return [];
  const { endpoints } = profile.network;
  const hosts = [...new Set(endpoints.map(({ host }) => host))].filter((host) => host !== 'localhost');
  return endpoints.map(({ host, port }) => ({ host, port, address: `127.0.0.${hosts.indexOf(host) + 2}` }));
}

export function hasPrivilegedPort(profile: SandboxProfile): boolean {
  return endpointsOf(profile).some(({ port }) => port < FIRST_UNPRIVILEGED_PORT);
}

/** `/etc/hosts` and a name service that asks nobody, by path inside. */
export function nameFiles(profile: SandboxProfile): readonly { readonly path: string; readonly text: string }[] {
  const endpoints = endpointsOf(profile);
  if (endpoints.length === 0) return [];
  const lines = new Set(['127.0.0.1 localhost', ...endpoints.map(({ address, host }) => `${address} ${host}`)]);
  return [
    { path: '/etc/hosts', text: `${[...lines].join('\n')}\n` },
    { path: '/etc/nsswitch.conf', text: 'passwd: files\ngroup: files\nhosts: files\n' },
  ];
}

/** Opens a listening socket for each endpoint and hands all of them to the spawner over descriptor 3. */
export function endpointSteps(profile: SandboxProfile, firstDescriptor: number): readonly Step[] {
  const endpoints = endpointsOf(profile);
  if (endpoints.length === 0) return [];
  const steps = endpoints.flatMap(({ address, port }, index): Step[] => {
    const descriptor = firstDescriptor + index;
    const name = `endpoint ${address}:${port}`;
    return [
      { name: `${name}: socket`, call: 'socket', args: [AF_INET, SOCK_STREAM_CLOEXEC, 0], expect: descriptor },
      { name: `${name}: bind`, call: 'bind', args: [descriptor, socketAddress(address, port), 16], expect: 0 },
      { name: `${name}: listen`, call: 'listen', args: [descriptor, BACKLOG], expect: 0 },
    ];
  });
  const descriptors = endpoints.map((_, index) => firstDescriptor + index);
  const last = firstDescriptor + endpoints.length - 1;
  return [
    ...steps,
    {
      name: 'endpoints: hand over',
      call: 'sendmsg',
      args: [3, rightsMessage(descriptors), 0],
      expect: LISTENING_BYTES,
    },
    { name: 'endpoints: close', call: 'close_range', args: [firstDescriptor, last, 0], expect: 0 },
  ];
}

/** struct sockaddr_in: family, then port and address in network byte order. */
function socketAddress(address: string, port: number): { readonly bytes: Uint8Array } {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return { bytes };
}

/** struct msghdr with one buffer, the record, and one control message, the descriptors: cmsg(3). */
function rightsMessage(descriptors: readonly number[]) {
  const controlBytes = 16 + 4 * descriptors.length;
  const control = Buffer.alloc(Math.ceil(controlBytes / 8) * 8);
  control.writeBigUInt64LE(BigInt(controlBytes), 0);
  control.writeUInt32LE(SOL_SOCKET, 8);
  control.writeUInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries()) control.writeInt32LE(descriptor, 16 + 4 * index);
  const vector = { ...words(0, LISTENING_BYTES), pointers: [{ at: 0, to: words(RECORD.listening) }] };
  // name, its length, buffers, their count, control, its length, flags
  return {
    ...words(0, 0, 0, 1, 0, control.length, 0),
    pointers: [
      { at: 16, to: vector },
      { at: 32, to: { bytes: control } },
    ],
  };
}
