/**
 * `holdfast spawner`: the service that starts confined commands (ADR 8). Root may run any job; the
 * agent the one that hosts WebAssembly, which checks of the baseline may need; nobody else any.
 */
import { dirname, join } from 'node:path';
import { hostPaths } from '@holdfast/api';
import { assertPeerCredentials, openPeerCredentials } from '@holdfast/guard';
import { type Access, serveSpawner } from '@holdfast/sandbox';
import { wasmRunnerJob } from '@holdfast/wasm-runner/job';
import { MAX_CHECK_MEMORY_BYTES } from '../check-limits.ts';
import { isSimulated, requireRoot, type RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { AGENT_USER, findUser } from '../system-users.ts';
import { untilAborted } from '../until-aborted.ts';

export async function spawner({ root }: RootOption, signal: AbortSignal): Promise<CommandResult> {
  if (!isSimulated(root)) requireRoot('the spawner');
  const { spawnerSocket } = hostPaths(root);
  const readCredentials = openPeerCredentials();
  await assertPeerCredentials(readCredentials);
  const agent = findUser(AGENT_USER);
  await using service = await serveSpawner(
    {
      socketPath: spawnerSocket,
      gid: agent?.gid ?? process.getgid?.() ?? 0,
      accessOf: (socket) => accessOf(readCredentials(socket).uid, agent?.uid),
    },
    { directory: join(dirname(spawnerSocket), 'sandbox') },
  );
  process.stderr.write(`holdfast: spawner listens on ${spawnerSocket}\n`);
  await untilAborted(signal);
  void service;
  return { data: { stopped: true }, text: '' };
}

function accessOf(uid: number, agentUid: number | undefined): Access {
  if (uid === 0 || uid === process.getuid?.()) return 'any-job';
  return uid === agentUid ? { onlyJob: wasmRunnerJob(MAX_CHECK_MEMORY_BYTES) } : 'none';
}
