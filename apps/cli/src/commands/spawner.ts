/** `holdfast spawner`: the service that starts confined commands for the guard (ADR 8). Root may run any job. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hostPaths } from '@holdfast/api';
import { assertPeerCredentials, openPeerCredentials } from '@holdfast/guard';
import { serveSpawner } from '@holdfast/sandbox';
import { isSimulated, requireRoot, type RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { untilAborted } from '../until-aborted.ts';

export async function spawner({ root }: RootOption, signal: AbortSignal): Promise<CommandResult> {
  if (!isSimulated(root)) requireRoot('the spawner');
  const { spawnerSocket } = hostPaths(root);
  const readCredentials = openPeerCredentials();
  await assertPeerCredentials(readCredentials);
  const own = process.getuid?.();
  await using service = await serveSpawner(
    {
      socketPath: spawnerSocket,
      gid: groupOfAgent() ?? process.getgid?.() ?? 0,
      accessOf: (socket) => {
        const { uid } = readCredentials(socket);
        return uid === 0 || uid === own ? 'any-job' : 'none';
      },
    },
    { directory: join(dirname(spawnerSocket), 'sandbox') },
  );
  process.stderr.write(`holdfast: spawner listens on ${spawnerSocket}\n`);
  await untilAborted(signal);
  void service;
  return { data: { stopped: true }, text: '' };
}

/** group(5): the agent's, where it exists. */
function groupOfAgent(): number | undefined {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((text) => text.startsWith('holdfast:'));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}
