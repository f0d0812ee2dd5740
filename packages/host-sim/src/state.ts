/**
 * What a simulated host consists of, as plain JSON, and what it looks like when it is new. Pure: the
 * same seed and time give the same host.
 */
import { createHash } from 'node:crypto';

import type { ListeningSocket } from '@holdfast/host';
import { normalizeRuleset } from '@holdfast/host';

export interface SimulatedUnit {
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly enabled: string;
  /** `SubState` of the unit when it is active: daemons run, one-shots have exited. */
  readonly subWhenActive: string;
  readonly startFails: boolean;
}

export interface SimulatedFile {
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** base64 of a file's bytes; the target of a symlink; empty for a directory. */
  readonly content: string;
}

export interface SimulatedAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
  /** As in shadow(5). */
  readonly password: string;
  /** Day since the epoch, 0 for never. */
  readonly expireDay: number;
  readonly authorizedKeys: readonly string[];
}

export interface SimulatedCertificate {
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface SimulatedState {
  readonly version: 1;
  readonly seed: number;
  readonly createdMs: number;
  readonly platform: {
    readonly distribution: string;
    readonly version: string;
    readonly hostName: string;
    readonly kernel: string;
  };
  readonly units: Readonly<Record<string, SimulatedUnit>>;
  readonly ruleset: string;
  readonly files: Readonly<Record<string, SimulatedFile>>;
  readonly accounts: readonly SimulatedAccount[];
  readonly sockets: readonly ListeningSocket[];
  readonly journal: readonly { readonly atMs: number; readonly line: string }[];
  readonly time: { readonly offsetMs: number; readonly silentSources: readonly string[] };
  /** By port, whatever the address. */
  readonly certificates: Readonly<Record<string, SimulatedCertificate>>;
}

/** The unit whose absence loses log lines. */
export const LOGGING_UNIT = 'systemd-journald.service';
export const CERTIFICATE_FILE = '/etc/ssl/certs/sim-host.pem';
export const CERTIFICATE_PORT = 443;

const DAY_MS = 86_400_000;

const RULESET = `table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state vmap { established : accept, invalid : drop, related : accept }
    iif "lo" accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport { 22, 443 } accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
}
`;

const FILES: Readonly<Record<string, string>> = {
  '/etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  '/etc/motd': 'This host exists in memory only.\n',
  '/etc/ssh/sshd_config': 'PermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM yes\n',
  '/etc/sudoers': 'root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n',
  '/etc/sysctl.d/50-hardening.conf': 'kernel.kptr_restrict = 2\nnet.ipv4.conf.all.rp_filter = 1\n',
};
const DIRECTORIES = ['/', '/etc', '/etc/ssh', '/etc/ssl', '/etc/ssl/certs', '/etc/sysctl.d', '/root', '/tmp', '/var'];
const DAEMONS = [
  'cron.service',
  'ssh.service',
  'systemd-timesyncd.service',
  'unattended-upgrades.service',
  LOGGING_UNIT,
];

/** A bounded number that depends on the seed and on what it is for. */
export function pick(seed: number, purpose: string, bound: number): number {
  return createHash('sha256').update(`${seed} ${purpose}`).digest().readUInt32BE(0) % bound;
}

const hex = (seed: number, purpose: string): string => createHash('sha256').update(`${seed} ${purpose}`).digest('hex');

export function fingerprint(seed: number, purpose: string): string {
  return `SHA256:${createHash('sha256').update(`${seed} ${purpose}`).digest('base64').replace(/=+$/, '')}`;
}

export function fileOf(text: string, mode = '0644'): SimulatedFile {
  return { kind: 'file', mode, uid: 0, gid: 0, content: Buffer.from(text).toString('base64') };
}

/** What stands for PEM here: nobody can take it for a real certificate. */
export function encodeCertificate(certificate: SimulatedCertificate): string {
  const body = Buffer.from(JSON.stringify(certificate)).toString('base64');
  return `-----BEGIN SIMULATED CERTIFICATE-----\n${body}\n-----END SIMULATED CERTIFICATE-----\n`;
}

function unit(sub: string): SimulatedUnit {
  return { load: 'loaded', active: 'active', sub, enabled: 'enabled', subWhenActive: sub, startFails: false };
}

/** A host in good order. */
export function newState(seed: number, createdMs: number, hostName?: string): SimulatedState {
  const name = hostName ?? `sim-${hex(seed, 'host').slice(0, 6)}`;
  const certificate: SimulatedCertificate = {
    subject: `CN=${name}.sim.invalid`,
    notBeforeMs: createdMs - DAY_MS,
    notAfterMs: createdMs + 365 * DAY_MS,
  };
  const directory: SimulatedFile = { kind: 'directory', mode: '0755', uid: 0, gid: 0, content: '' };
  const account = { expireDay: 0, authorizedKeys: [] as string[] };
  return {
    version: 1,
    seed,
    createdMs,
    platform: { distribution: 'debian', version: '12', hostName: name, kernel: '6.1.0-simulated' },
    units: {
      ...Object.fromEntries(DAEMONS.map((name) => [name, unit('running')])),
      'nftables.service': unit('exited'),
    },
    ruleset: normalizeRuleset(RULESET),
    files: {
      ...Object.fromEntries(DIRECTORIES.map((path) => [path, directory])),
      ...Object.fromEntries(Object.entries(FILES).map(([path, text]) => [path, fileOf(text)])),
      '/etc/sudoers': fileOf(FILES['/etc/sudoers'] ?? '', '0440'),
      [CERTIFICATE_FILE]: fileOf(encodeCertificate(certificate)),
    },
    accounts: [
      { ...account, name: 'root', uid: 0, gid: 0, shell: '/bin/bash', password: '*' },
      { ...account, name: 'daemon', uid: 1, gid: 1, shell: '/usr/sbin/nologin', password: '*' },
      {
        ...account,
        name: 'ops',
        uid: 1_000,
        gid: 1_000,
        shell: '/bin/bash',
        password: `$y$j9T$simulated$${hex(seed, 'password')}`,
        authorizedKeys: [fingerprint(seed, 'ops key')],
      },
    ],
    sockets: [
      { protocol: 'tcp', address: '0.0.0.0', port: 22 },
      { protocol: 'tcp', address: '::', port: 22 },
      { protocol: 'tcp', address: '0.0.0.0', port: CERTIFICATE_PORT },
      { protocol: 'udp', address: '127.0.0.1', port: 323 },
    ],
    journal: [],
    time: { offsetMs: pick(seed, 'offset', 40) - 20, silentSources: [] },
    certificates: { [CERTIFICATE_PORT]: certificate },
  };
}
