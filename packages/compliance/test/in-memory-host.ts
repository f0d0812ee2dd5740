/**
 * A host made of plain values, for tests of checks and operations: every read can be replaced by a
 * failure, every state is a field. It promises what the ports promise and nothing about durability.
 */
import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/core';
import { normalizeRuleset } from '@holdfast/host';
import type {
  Account,
  Certificate,
  FileContent,
  FileState,
  Host,
  ListeningSocket,
  Platform,
  TimeSample,
} from '@holdfast/host';

export const NOW_MS = Date.parse('2026-03-01T12:00:00.000Z');
const DAY_MS = 86_400_000;

export const GOOD_RULESET = normalizeRuleset(
  [
    'table inet filter {',
    '\tchain input {',
    '\t\ttype filter hook input priority filter; policy drop;',
    '\t\tiif "lo" accept',
    '\t\tct state established,related accept',
    '\t\ttcp dport 22 accept',
    '\t}',
    '}',
    '',
  ].join('\n'),
);

export const ROOT_KEY = `SHA256:${'A'.repeat(43)}`;

export interface Parts {
  ruleset: string;
  units: Map<string, { load: string; active: string; sub: string }>;
  files: Map<string, FileContent>;
  odd: Map<string, 'directory' | 'symlink' | 'other'>;
  accounts: Account[];
  sockets: ListeningSocket[];
  samples: TimeSample[];
  certificates: Map<string, Certificate>;
  lines: string[];
  /** Lines go nowhere when false. */
  journalWorks: boolean;
  /** What each method, by `port.method`, does instead. */
  broken: Map<string, () => Promise<never>>;
  /** Every change made, in order. */
  changes: string[];
}

export const account = (name: string, uid: number, more: Partial<Account> = {}): Account => ({
  name,
  uid,
  gid: uid,
  shell: '/bin/bash',
  password: 'set',
  expired: false,
  authorizedKeys: [],
  ...more,
});

export function goodParts(): Parts {
  return {
    ruleset: GOOD_RULESET,
    units: new Map([
      ['ssh.service', { load: 'loaded', active: 'active', sub: 'running' }],
      ['cron.service', { load: 'loaded', active: 'active', sub: 'running' }],
      ['systemd-journald.service', { load: 'loaded', active: 'active', sub: 'running' }],
    ]),
    files: new Map([
      ['/etc/motd', { bytes: Buffer.from('hello\nworld\n'), mode: '0644', uid: 0, gid: 0 }],
      ['/etc/secret', { bytes: Buffer.from('do not show\n'), mode: '0600', uid: 0, gid: 0 }],
    ]),
    odd: new Map(),
    accounts: [account('root', 0, { authorizedKeys: [ROOT_KEY] }), account('alice', 1000)],
    sockets: [{ protocol: 'tcp', address: '0.0.0.0', port: 22 }],
    samples: ['a', 'b', 'c'].map((source) => ({ source, offsetMs: 3, roundTripMs: 10 })),
    certificates: new Map([['/etc/tls.pem', certificate(90)]]),
    lines: [],
    journalWorks: true,
    broken: new Map(),
    changes: [],
  };
}

export const certificate = (daysLeft: number): Certificate => ({
  subject: 'CN=test',
  notBeforeMs: NOW_MS - DAY_MS,
  notAfterMs: NOW_MS + daysLeft * DAY_MS,
  sha256: 'a'.repeat(64),
});

export const unreadable = (): Promise<never> =>
  Promise.reject(new HoldfastError('no access', { code: 'ERR_INPUT_INVALID' }));

const missing = (): HoldfastError => new HoldfastError('no such thing', { code: 'ERR_HOST_FILE_MISSING' });

export function inMemoryHost(parts: Parts, platform: Partial<Platform> = {}): Host {
  const guarded = async <T>(name: string, signal: AbortSignal, read: () => T): Promise<T> => {
    signal.throwIfAborted();
    await parts.broken.get(name)?.();
    return structuredClone(read());
  };
  const changed = (what: string): void => void parts.changes.push(what);
  const statOf = (path: string): FileState => {
    const odd = parts.odd.get(path);
    if (odd !== undefined) return { path, kind: odd, sizeBytes: 0, mode: '0755', uid: 0, gid: 0, sha256: null };
    const file = parts.files.get(path);
    if (file === undefined) return { path, kind: 'missing' };
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    return { path, kind: 'file', sizeBytes: file.bytes.length, mode: file.mode, uid: file.uid, gid: file.gid, sha256 };
  };
  const certificateOf = (name: string): Certificate => {
    const found = parts.certificates.get(name);
    if (found === undefined) throw missing();
    return found;
  };
  const setActive = (unit: string, active: string, sub: string): void => {
    if (!parts.units.has(unit)) throw missing();
    parts.units.set(unit, { load: 'loaded', active, sub });
  };
  return {
    platform: {
      distribution: 'debian',
      version: '12',
      hostName: 'test',
      kernel: '6',
      simulated: true,
      ...platform,
    },
    clock: { wallMs: () => NOW_MS, monotonicMs: () => performance.now() },
    services: {
      show: (units, signal) =>
        guarded('services.show', signal, () =>
          units.map((unit) => ({
            unit,
            enabled: 'enabled',
            ...(parts.units.get(unit) ?? { load: 'not-found', active: 'inactive', sub: 'dead' }),
          })),
        ),
      listFailed: (signal) =>
        guarded('services.listFailed', signal, () =>
          [...parts.units].filter(([, state]) => state.active === 'failed').map(([unit]) => unit),
        ),
      restart: (unit, signal) =>
        guarded('services.restart', signal, () => {
          setActive(unit, 'active', 'running');
          changed(`restart ${unit}`);
          if (unit === 'systemd-journald.service') parts.journalWorks = true;
        }),
      stop: (unit, signal) =>
        guarded('services.stop', signal, () => {
          setActive(unit, 'inactive', 'dead');
          changed(`stop ${unit}`);
        }),
    },
    packetFilter: {
      read: (signal) => guarded('packetFilter.read', signal, () => normalizeRuleset(parts.ruleset)),
      replace: (ruleset, signal) =>
        guarded('packetFilter.replace', signal, () => {
          parts.ruleset = normalizeRuleset(ruleset);
          changed('replace ruleset');
        }),
    },
    files: {
      stat: (path, signal) => guarded('files.stat', signal, () => statOf(path)),
      read: (path, maxBytes, signal) =>
        guarded('files.read', signal, () => {
          const file = parts.files.get(path);
          if (file === undefined || file.bytes.length > maxBytes) throw missing();
          return new Uint8Array(file.bytes);
        }),
      write: (path, content, signal) =>
        guarded('files.write', signal, () => {
          parts.files.set(path, content);
          changed(`write ${path}`);
        }),
      remove: (path, signal) =>
        guarded('files.remove', signal, () => {
          parts.files.delete(path);
          changed(`remove ${path}`);
        }),
    },
    accounts: {
      list: (signal) => guarded('accounts.list', signal, () => parts.accounts),
      capture: (name, signal) =>
        guarded('accounts.capture', signal, () => JSON.stringify(parts.accounts.find((one) => one.name === name))),
      lock: (name, signal) =>
        guarded('accounts.lock', signal, () => {
          parts.accounts = parts.accounts.map((one) =>
            one.name === name ? { ...one, password: 'locked', expired: true } : one,
          );
          changed(`lock ${name}`);
        }),
      restore: (name, captured, signal) =>
        guarded('accounts.restore', signal, () => {
          const was = JSON.parse(captured) as Account;
          parts.accounts = parts.accounts.map((one) => (one.name === name ? was : one));
          changed(`restore ${name}`);
        }),
    },
    sockets: { list: (signal) => guarded('sockets.list', signal, () => parts.sockets) },
    journal: {
      write: (line, signal) =>
        guarded('journal.write', signal, () => void (parts.journalWorks && parts.lines.push(line))),
      contains: (token, _withinMs, signal) =>
        guarded('journal.contains', signal, () => parts.lines.some((line) => line.includes(token))),
    },
    timeSources: {
      sample: (sources, signal) =>
        guarded('timeSources.sample', signal, () => parts.samples.filter(({ source }) => sources.includes(source))),
    },
    certificates: {
      fromFile: (path, signal) => guarded('certificates.fromFile', signal, () => certificateOf(path)),
      fromPort: (address, port, signal) =>
        guarded('certificates.fromPort', signal, () => certificateOf(`${address}:${port}`)),
    },
  };
}
