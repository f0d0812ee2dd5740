/** The same for the agent: reads what it reports about, and tries to be more than it is. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, type NetConnectOpts } from 'node:net';
import { openLinuxHost } from '@holdfast/host-linux';

const [gateway = '', ...timeSources] = process.argv.slice(2);
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

function reach(options: NetConnectOpts): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(options, () => {
    socket.destroy();
    resolve();
  }).once('error', reject);
  return promise;
}

async function require(condition: boolean | Promise<boolean>): Promise<void> {
  if (!(await condition)) throw new Error('not so');
}

await attempt('keep state', () => writeFileSync('/var/lib/holdfast/agent/probe', 'x'));
await attempt('ask the guard', () => reach({ path: '/run/holdfast/guard.sock' }));
await attempt('reach the server', () => reach({ host: gateway, port: 8080 }));
await attempt('see the owner of a file', async () => {
  const state = await host.files.stat('/etc/demo-app/demo-app.conf', signal);
  await require(state.kind === 'file' && state.uid === 0 && state.sha256 !== null);
});
await attempt('see services', async () => {
  const [web] = await host.services.show(['demo-web.service'], signal);
  await require(web?.active === 'active');
});
await attempt('see sockets', async () => {
  await require((await host.sockets.list(signal)).some(({ port }) => port === 8080));
});
await attempt('write and read a canary', async () => {
  const token = `probe-${process.pid}-${Date.now()}`;
  await host.journal.write(token, signal);
  for (let tries = 0; tries < 100; tries++) if (await host.journal.contains(token, 60_000, signal)) return;
  throw new Error('lost');
});
await attempt('ask the time', async () => {
  await require((await host.timeSources.sample(timeSources, signal)).length === 3);
});
await attempt('see a certificate', () => host.certificates.fromPort('127.0.0.1', 8443, signal));

await attempt('must not: read the password file', () => readFileSync('/etc/shadow'));
await attempt('must not: write to the system', () => writeFileSync('/etc/demo-app/demo-app.conf', ''));
await attempt('must not: write to the guard’s state', () => writeFileSync('/var/lib/holdfast/guard/x', ''));
await attempt('must not: read the packet filter', () => host.packetFilter.read(signal));
await attempt('must not: restart a service', () => host.services.restart('demo-worker.service', signal));
await attempt('must not: become root', () => process.setuid?.(0));

outcomes['capabilities'] = /^CapBnd:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
outcomes['no new privileges'] = /^NoNewPrivs:\s*(\d)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
writeFileSync('/var/lib/holdfast/agent/probe.tmp', JSON.stringify(outcomes));
renameSync('/var/lib/holdfast/agent/probe.tmp', '/var/lib/holdfast/agent/probe.json');
setInterval(() => undefined, 60_000);
