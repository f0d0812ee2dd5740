/**
 * Run by `endpoints.test.ts` in a network and mount namespace of its own, where names lead to
 * loopback addresses and ports below 1024 are free. Prints what commands could reach.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectTo, openHere, type Outcome, perl, profileFor, textOf } from './commands.ts';

const SERVERS = [
  { host: 'web.example', address: '127.0.9.1', port: 80 },
  { host: 'db.example', address: '127.0.9.2', port: 5_432 },
  { host: 'other.example', address: '127.0.9.3', port: 80 },
] as const;

const directory = mkdtempSync(join(tmpdir(), 'holdfast-endpoints-'));
writeFileSync(`${directory}/hosts`, SERVERS.map(({ host, address }) => `${address} ${host}\n`).join(''));
execFileSync('/usr/bin/mount', ['--bind', `${directory}/hosts`, '/etc/hosts']);
execFileSync('/usr/sbin/ip', ['link', 'set', 'lo', 'up']);
const servers = SERVERS.map(({ host, address, port }) =>
  createServer((socket) => socket.end(`from port ${port} of ${host}\n`)).listen(port, address),
);
await Promise.all(servers.map((server) => once(server, 'listening')));

const [web, database] = SERVERS;
const profile = profileFor([
  { host: web.host, port: web.port },
  { host: database.host, port: database.port },
]);
const { signal } = new AbortController();
{
  await using here = await openHere();
  const outputOf = async (script: string): Promise<string> =>
    textOf((await here.client.start(perl(profile, script), signal)).stdout);
  const outcome: Outcome = {
    web: await outputOf(`${connectTo(web.host, web.port)} print <$s>;`),
    database: await outputOf(`${connectTo(database.host, database.port)} print <$s>;`),
    elsewhere: await outputOf(`print connected('other.example', 80);`),
  };
  process.stdout.write(JSON.stringify(outcome));
}
for (const server of servers) server.close();
execFileSync('/usr/bin/umount', ['/etc/hosts']);
rmSync(directory, { recursive: true });
