/** The spawner as a child of one client, which it serves on descriptor 3 and does not outlive. */
import { Socket } from 'node:net';
import { isHoldfastError } from '@holdfast/core';
import { serveConnection } from './serve-connection.ts';
import { Spawner, type SpawnerOptions } from './spawner.ts';

const CLIENT_DESCRIPTOR = 3;

// Ctrl-C in a terminal reaches the whole group: the client decides, and ends us by closing the connection.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
const client = new Socket({ fd: CLIENT_DESCRIPTOR, readable: true, writable: true });
try {
  // Written by `openSandbox` of this very release.
  await using spawner = await Spawner.open(JSON.parse(process.argv[2] ?? '{}') as SpawnerOptions);
  await serveConnection(spawner, client);
} catch (error) {
  if (!isHoldfastError(error)) throw error;
  process.stderr.write(`holdfast: ${error.message}: ${Object.values(error.fields).join(', ')}\n`);
  process.exitCode = 1;
  client.destroy(); // the client learns that nobody serves it
}
