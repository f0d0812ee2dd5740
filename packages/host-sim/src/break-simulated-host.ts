/** The drift generator of simulated hosts (C-43): breaks and mends each check, the same way for the same seed. */
import { HoldfastError } from '@holdfast/core';
import { normalizeRuleset } from '@holdfast/host';

import {
  CERTIFICATE_FILE,
  CERTIFICATE_PORT,
  encodeCertificate,
  fileOf,
  LOGGING_UNIT,
  newState,
  pick,
  type SimulatedCertificate,
  type SimulatedState,
  type SimulatedUnit,
} from './state.ts';
import { StateFile } from './state-file.ts';

export const BREAKABLE_CHECKS = [
  'firewall',
  'services',
  'logging',
  'files',
  'ports',
  'accounts',
  'time_sync',
  'certificates',
] as const;
export type BreakableCheck = (typeof BREAKABLE_CHECKS)[number];

interface Breakage {
  /** What was done, in words for a person. */
  readonly what: string;
  readonly state: SimulatedState;
}

const DAY_MS = 86_400_000;

function withUnit(state: SimulatedState, unit: string, change: Partial<SimulatedUnit>): SimulatedState {
  const found = state.units[unit];
  return found === undefined ? state : { ...state, units: { ...state.units, [unit]: { ...found, ...change } } };
}

const oneOf = (seed: number, purpose: string, values: readonly [string, ...string[]]): string =>
  values[pick(seed, purpose, values.length)] ?? values[0];

const BREAK: Readonly<Record<BreakableCheck, (state: SimulatedState, seed: number) => Breakage>> = {
  firewall(state, seed) {
    if (pick(seed, 'firewall', 2) === 0) return { what: 'flushed the ruleset', state: { ...state, ruleset: '' } };
    const open = 'table inet filter {\nchain input {\ntype filter hook input priority filter\npolicy accept\n}\n}\n';
    return { what: 'let everything in', state: { ...state, ruleset: normalizeRuleset(open) } };
  },
  services(state, seed) {
    const unit = oneOf(seed, 'services', ['cron.service', 'ssh.service', 'unattended-upgrades.service']);
    const failed = pick(seed, 'how', 2) === 0;
    const change = failed ? { active: 'failed', sub: 'failed' } : { active: 'inactive', sub: 'dead' };
    return { what: `${failed ? 'crashed' : 'stopped'} ${unit}`, state: withUnit(state, unit, change) };
  },
  logging(state) {
    return {
      what: `stopped ${LOGGING_UNIT}`,
      state: withUnit(state, LOGGING_UNIT, { active: 'inactive', sub: 'dead' }),
    };
  },
  files(state, seed) {
    const path = oneOf(seed, 'files', ['/etc/ssh/sshd_config', '/etc/sudoers', '/etc/sysctl.d/50-hardening.conf']);
    const good = newState(state.seed, state.createdMs, state.platform.hostName).files[path];
    const text = Buffer.from(good?.content ?? '', 'base64').toString('utf8');
    const changed = fileOf(`${text}# changed by the drift generator, seed ${seed}\n`, '0666');
    return { what: `changed ${path}`, state: { ...state, files: { ...state.files, [path]: changed } } };
  },
  ports(state, seed) {
    const socket = { protocol: 'tcp', address: '0.0.0.0', port: 4_000 + pick(seed, 'ports', 1_000) } as const;
    const others = state.sockets.filter(({ port }) => port !== socket.port);
    return { what: `listens on port ${socket.port}`, state: { ...state, sockets: [...others, socket] } };
  },
  accounts(state, seed) {
    if (pick(seed, 'accounts', 2) === 0) {
      const second = { uid: 0, gid: 0, shell: '/bin/bash', password: '$y$j9T$simulated$backdoor', expireDay: 0 };
      const others = state.accounts.filter(({ name }) => name !== 'toor');
      const accounts = [...others, { ...second, name: 'toor', authorizedKeys: [] }];
      return { what: 'added a second root, toor', state: { ...state, accounts } };
    }
    const accounts = state.accounts.map((account) => (account.name === 'ops' ? { ...account, password: '' } : account));
    return { what: 'emptied the password of ops', state: { ...state, accounts } };
  },
  time_sync(state, seed) {
    const sign = pick(seed, 'sign', 2) === 0 ? 1 : -1;
    const offsetMs = sign * (60_000 + pick(seed, 'time', 600_000));
    return { what: `moved the clock by ${-offsetMs} ms`, state: { ...state, time: { ...state.time, offsetMs } } };
  },
  certificates(state, seed) {
    const days = pick(seed, 'certificates', 10) - 3; // also one that ended three days ago
    const good = state.certificates[String(CERTIFICATE_PORT)];
    const certificate: SimulatedCertificate = {
      subject: good?.subject ?? 'CN=unknown',
      notBeforeMs: state.createdMs - 90 * DAY_MS,
      notAfterMs: state.createdMs + days * DAY_MS,
    };
    return {
      what: `left the certificate ${days} days`,
      state: {
        ...state,
        files: { ...state.files, [CERTIFICATE_FILE]: fileOf(encodeCertificate(certificate)) },
        certificates: { ...state.certificates, [CERTIFICATE_PORT]: certificate },
      },
    };
  },
};

function only<T>(from: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}

/** What each check looks at, taken from the host as it was new; the rest stays as it is. */
const MEND: Readonly<Record<BreakableCheck, (state: SimulatedState, good: SimulatedState) => Partial<SimulatedState>>> =
  {
    firewall: (_, { ruleset }) => ({ ruleset }),
    services: (state, good) => ({ units: { ...good.units, ...only(state.units, [LOGGING_UNIT]) } }),
    logging: (state, good) => ({ units: { ...state.units, ...only(good.units, [LOGGING_UNIT]) } }),
    files: (state, good) => ({ files: { ...state.files, ...good.files, ...only(state.files, [CERTIFICATE_FILE]) } }),
    ports: (_, { sockets }) => ({ sockets }),
    accounts: (_, { accounts }) => ({ accounts }),
    time_sync: (_, { time }) => ({ time }),
    certificates: (state, good) => ({
      files: { ...state.files, ...only(good.files, [CERTIFICATE_FILE]) },
      certificates: good.certificates,
    }),
  };

function parseCheck(check: string): BreakableCheck {
  const found = BREAKABLE_CHECKS.find((name) => name === check);
  if (found !== undefined) return found;
  throw new HoldfastError('not a check that can be broken', { code: 'ERR_INPUT_INVALID', fields: { what: 'check' } });
}

/**
 * Makes `check` fail. The host of `directory` must exist.
 *
 * @returns what was done, in words
 * @throws `ERR_INPUT_INVALID`, `ERR_HOST_SIMULATION_INVALID`
 */
export async function breakSimulatedHost(directory: string, check: string, seed = 1): Promise<string> {
  const name = parseCheck(check);
  let what = '';
  new StateFile(directory).update((state) => {
    const breakage = BREAK[name](state, seed);
    what = breakage.what;
    return breakage.state;
  });
  return what;
}

/**
 * Puts back what `check` looks at as it was when the host was new.
 *
 * @throws `ERR_INPUT_INVALID`, `ERR_HOST_SIMULATION_INVALID`
 */
export async function mendSimulatedHost(directory: string, check: string): Promise<void> {
  const name = parseCheck(check);
  new StateFile(directory).update((state) => {
    const good = newState(state.seed, state.createdMs, state.platform.hostName);
    return { ...state, ...MEND[name](state, good) };
  });
}
