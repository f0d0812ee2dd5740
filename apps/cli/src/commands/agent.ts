/** `holdfast agent`: the agent as a process. */
import { hostPaths } from '@holdfast/api';
import { loadAgentConfig, loadTrust, openBaselineChecks, startAgent } from '@holdfast/agent';
import { connectGuard } from '@holdfast/guard';
import { systemClock } from '@holdfast/host-linux';
import { openCustomCheckRunner, openSpawnedHost } from '../custom-check-runner.ts';
import { currentBootId, isSimulated, openReader, type RootOption, VERSION } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { untilAborted } from '../until-aborted.ts';

export async function agent({ root }: RootOption, signal: AbortSignal): Promise<CommandResult> {
  const paths = hostPaths(root);
  const config = loadAgentConfig(paths, process.env);
  const trust = loadTrust(paths);
  using guard = connectGuard(paths.socket, signal);
  const host = await openReader(root, guard);
  await using customCheckRunner = openCustomCheckRunner(() => openSpawnedHost(paths.spawnerSocket, signal));
  const checks = openBaselineChecks(
    {
      host,
      baselinePath: paths.baseline,
      modulesDirectory: paths.checkModules,
      trust,
      customCheckRunner: isSimulated(root) ? null : customCheckRunner,
    },
    { ntpMaxSkewMs: config.ntpMaxSkewMs },
  );
  await using running = await startAgent(
    { config, paths, version: VERSION },
    { guard, checks, trust, clock: systemClock(), bootId: currentBootId(process.env) },
    signal,
  );
  await Promise.race([untilAborted(signal), running.ended]);
  return { data: { stopped: true }, text: '' };
}
