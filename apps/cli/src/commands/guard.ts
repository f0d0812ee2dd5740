/** `holdfast guard`: the guard as a process, or one pass of recovery for the watchdog. */
import { hostPaths } from '@holdfast/api';
import { complianceOperations } from '@holdfast/compliance';
import { loadGuardConfig, recoverGuard, startGuard } from '@holdfast/guard';
import { systemClock } from '@holdfast/host-linux';
import type { SandboxProfile } from '@holdfast/policy';
import { compileProfile, connectSandbox } from '@holdfast/sandbox';
import {
  currentBootId,
  isSimulated,
  loadGuardBaseline,
  openHost,
  requireRoot,
  type RootOption,
  VERSION,
} from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { untilAborted } from '../until-aborted.ts';

interface GuardOptions extends RootOption {
  readonly recover?: boolean | undefined;
}

/** Every layer is there: what a profile is refused for here is the profile's own. What this kernel lacks, the spawner says when it is asked to run something. */
const WHOLE_KERNEL = { architecture: process.arch === 'arm64' ? 'arm64' : 'x64', landlockAbi: 7 } as const;

/** G-13. @throws `ERR_SANDBOX_PROFILE` */
function refuseUncompilable(profile: SandboxProfile): void {
  compileProfile(profile, WHOLE_KERNEL);
}

export async function guard(options: GuardOptions, signal: AbortSignal): Promise<CommandResult> {
  const { root } = options;
  if (!isSimulated(root)) requireRoot('the guard');
  const paths = hostPaths(root);
  const config = loadGuardConfig(paths, VERSION);
  const clock = systemClock();
  const deps = {
    host: await openHost(root),
    clock,
    bootId: currentBootId(process.env),
    revertOperations: complianceOperations(null),
    connectSandbox: (until: AbortSignal) => connectSandbox(paths.spawnerSocket, until),
    checkProfile: refuseUncompilable,
    environment: process.env,
    loadBaseline: () => loadGuardBaseline(paths, config.trust, clock.wallMs()),
  };
  if (options.recover === true) {
    const recovered = await recoverGuard(config, deps, signal);
    const { outcome, reverted, waiting, frozen } = recovered;
    const text =
      outcome === 'guard-running'
        ? 'a guard is running: nothing to do'
        : `recovered; ${reverted.length} change(s) reverted, ${waiting.length} can still be confirmed${frozen ? '; the host is FROZEN' : ''}`;
    return { data: recovered, text, exitCode: frozen ? 1 : 0 };
  }
  await using running = await startGuard(config, deps, signal);
  process.stderr.write(`holdfast: guard of ${config.trust.hostName} listens on ${paths.socket}\n`);
  await untilAborted(signal);
  void running;
  return { data: { stopped: true }, text: '' };
}
