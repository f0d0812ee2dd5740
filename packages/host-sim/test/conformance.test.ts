/** The contracts of the ports, kept by the simulated host. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

import type { Host, ListeningSocket } from '@holdfast/host';
import {
  describeAccounts,
  describeCertificates,
  describeFiles,
  describeJournal,
  describePacketFilter,
  describeServices,
  describeSockets,
  describeTimeSources,
  type Scope,
} from '@holdfast/host/conformance';
import { CERTIFICATE_FILE, CERTIFICATE_PORT, openSimulatedHost } from '@holdfast/host-sim';
import { temporaryDirectory } from '@holdfast/testing';

interface State {
  units: Record<string, object>;
  files: Record<string, object>;
  sockets: ListeningSocket[];
  time: { offsetMs: number; silentSources: string[] };
  accounts: { name: string; password: string }[];
}

/** A new host, and the way to things in its state that the ports do not make. */
async function open(
  t: Scope,
): Promise<{ host: Host; read: () => State; edit: (change: (state: State) => void) => void }> {
  const directory = temporaryDirectory(t);
  const host = await openSimulatedHost(directory, { seed: 7 });
  const read = (): State => JSON.parse(readFileSync(`${directory}/state.json`, 'utf8')) as State;
  return {
    host,
    read,
    edit(change) {
      const state = read();
      change(state);
      writeFileSync(`${directory}/state.json`, JSON.stringify(state));
    },
  };
}

describePacketFilter('simulated', async (t) => (await open(t)).host.packetFilter);

describeServices('simulated', async (t) => {
  const { host, edit } = await open(t);
  edit(({ units }) => {
    const unit = { load: 'loaded', active: 'inactive', sub: 'dead', enabled: 'static' };
    units['broken.service'] = { ...unit, subWhenActive: 'running', startFails: true };
  });
  return { services: host.services, unit: 'cron.service', failingUnit: 'broken.service' };
});

describeFiles('simulated', async (t) => {
  const { host, read, edit } = await open(t);
  edit(({ files }) => {
    files['/scratch'] = { kind: 'directory', mode: '0755', uid: 0, gid: 0, content: '' };
  });
  return {
    files: host.files,
    directory: '/scratch',
    owner: { uid: 4_711, gid: 4_712 },
    symlink: (target, path) =>
      edit(({ files }) => {
        files[path] = { kind: 'symlink', mode: '0777', uid: 0, gid: 0, content: target };
      }),
    names: () =>
      Object.keys(read().files)
        .filter((path) => path.startsWith('/scratch/'))
        .map((path) => path.slice('/scratch/'.length))
        .toSorted(),
  };
});

describeAccounts('simulated', async (t) => {
  const { host, read } = await open(t);
  const secret = read().accounts.find(({ name }) => name === 'ops')?.password ?? '';
  return { accounts: host.accounts, account: 'ops', secret, stored: () => JSON.stringify(read().accounts) };
});

describeSockets('simulated', async (t) => {
  const { host, edit } = await open(t);
  return {
    sockets: host.sockets,
    async listen(socket) {
      edit(({ sockets }) => sockets.push({ ...socket, port: 5_000 }));
      return {
        port: 5_000,
        close: async () =>
          edit((state) => {
            state.sockets = state.sockets.filter(({ port }) => port !== 5_000);
          }),
      };
    },
  };
});

describeJournal('simulated', async (t) => ({
  journal: (await open(t)).host.journal,
  freshToken: () => randomBytes(16).toString('hex'),
}));

describeTimeSources('simulated', async (t) => {
  const { host, edit } = await open(t);
  edit(({ time }) => {
    time.offsetMs = 12_345;
    time.silentSources = ['silent.invalid'];
  });
  return {
    timeSources: host.timeSources,
    answering: ['a.invalid', 'b.invalid'],
    offsetMs: 12_345,
    silent: 'silent.invalid',
  };
});

describeCertificates('simulated', async (t) => {
  const { host } = await open(t);
  return {
    certificates: host.certificates,
    expected: await host.certificates.fromPort('127.0.0.1', CERTIFICATE_PORT, new AbortController().signal),
    file: CERTIFICATE_FILE,
    otherFile: '/etc/hosts',
    server: { address: '127.0.0.1', port: CERTIFICATE_PORT },
    closed: { address: '127.0.0.1', port: 1 },
  };
});
