/**
 * Stands in for the guard in its unit: does once what the guard has to be able to do, tries what it
 * must not be able to do, writes down how each went, and then waits to be stopped.
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { openLinuxHost } from '@holdfast/host-linux';
import { AGENT_ID } from '../src/index.ts';

const SOCKET = '/run/holdfast/guard.sock';

const signal = AbortSignal.timeout(20_000);
const host = await openLinuxHost();
const outcomes: Record<string, string> = {};

async function attempt(name: string, action: () => unknown): Promise<void> {
  try {
    await action();
    outcomes[name] = 'ok';
  } catch (error) {
    outcomes[name] = error instanceof Error ? error.message.slice(0, 200) : 'failed';
  }
}

function listen(where: string | { readonly port: number; readonly host: string }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  createServer().once('error', reject).listen(where, resolve);
  return promise;
}

await attempt('listen on the socket', async () => {
  rmSync(SOCKET, { force: true }); // of one that was killed
  await listen(SOCKET);
  chownSync(SOCKET, -1, AGENT_ID);
  chmodSync(SOCKET, 0o660);
});
await attempt('keep state', () => writeFileSync('/var/lib/holdfast/guard/probe', 'x'));
await attempt('keep evidence', () => {
  mkdirSync('/var/lib/holdfast/evidence', { recursive: true });
  writeFileSync('/var/lib/holdfast/evidence/probe', 'x');
});
await attempt('load a ruleset', async () => host.packetFilter.replace(await host.packetFilter.read(signal), signal));
await attempt('restore a file', async () => {
  const path = '/etc/demo-app/demo-app.conf';
  const bytes = await host.files.read(path, 4096, signal);
  await host.files.write(path, { bytes, mode: '4750', uid: 60_500, gid: 60_501 }, signal);
  await host.files.write(path, { bytes, mode: '0644', uid: 0, gid: 0 }, signal);
});
await attempt('restart a service', () => host.services.restart('demo-worker.service', signal));
await attempt('list accounts', () => host.accounts.list(signal));
await attempt('lock an account', async () => {
  const captured = await host.accounts.capture('demo', signal);
  await host.accounts.lock('demo', signal);
  await host.accounts.restore('demo', captured, signal);
});
await attempt('list sockets', () => host.sockets.list(signal));
await attempt('use the journal', () => host.journal.write('probe', signal));

await attempt('must not: open a network socket', () => listen({ port: 0, host: '127.0.0.1' }));
await attempt('must not: mount', () => execFileSync('/usr/bin/mount', ['-t', 'tmpfs', 'x', '/mnt'], { stdio: 'pipe' }));
await attempt('must not: set a kernel parameter', () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
await attempt('must not: write to a home', () => mkdirSync('/home/probe'));
await attempt('must not: make a namespace', () =>
  execFileSync('/usr/bin/unshare', ['--net', '/usr/bin/true'], { stdio: 'pipe' }),
);
await attempt('must not: set the time', () => execFileSync('/usr/bin/date', ['--set=2001-01-01'], { stdio: 'pipe' }));
await attempt('must not: become another user', () => process.setuid?.(60_500));

outcomes['capabilities'] = /^CapBnd:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
outcomes['no new privileges'] = /^NoNewPrivs:\s*(\d)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
appendFileSync('/run/holdfast/starts', 'started\n');
writeFileSync('/run/holdfast/probe.tmp', JSON.stringify(outcomes));
renameSync('/run/holdfast/probe.tmp', '/run/holdfast/probe.json');
setInterval(() => undefined, 60_000);
