/**
 * This machine as a host of its own control plane: enrolled, with a baseline captured now, guard and
 * agent as child processes. As root it is the real machine, observed, and changed only with
 * `--heal`; without root it is a simulated host in the state directory.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { hostPaths } from '@holdfast/api';
import { signBaseline } from '@holdfast/compliance';
import { HoldfastError } from '@holdfast/core';
import { loadSigner } from '@holdfast/crypto';
import { DEFAULT_AGENT_POLICY, formatAgentPolicy } from '@holdfast/policy';
import type { ControlPlane } from './control-plane.ts';
import { runHoldfast, startHostProcesses } from './host-processes.ts';
import { narrate } from './progress.ts';
import { baselineKeyPath } from './server-state.ts';
import { AGENT_USER, ensureSystemUser } from './system-users.ts';

export interface LocalHostOptions {
  readonly stateDirectory: string;
  readonly controlPlane: ControlPlane;
  readonly heal: boolean;
}

export async function startLocalHost(options: LocalHostOptions, signal: AbortSignal): Promise<AsyncDisposable> {
  const { stateDirectory, controlPlane, heal } = options;
  const isReal = process.getuid?.() === 0;
  const root = isReal ? '/' : join(stateDirectory, 'host');
  const paths = hostPaths(root);
  const run = async (args: readonly string[], stdin: string): Promise<string> => {
    const result = await runHoldfast([...args, '--root', root], stdin, signal);
    if (result.exitCode === 0) return result.stdout;
    throw new HoldfastError(result.stderr.trim(), { code: 'ERR_CLI_NOT_SET_UP', fields: { command: args[0] ?? '' } });
  };
  if (!existsSync(paths.trust)) {
    const token = await controlPlane.createEnrollmentToken();
    await run(['enroll', '--server', controlPlane.agentUrl, '--token-file', '-', '--name', hostname()], token);
  }
  if (!existsSync(paths.baseline)) {
    const yaml = await run(['baseline', 'capture', ...(heal ? ['--heal'] : [])], '');
    writeFileSync(paths.baseline, signBaseline(Buffer.from(yaml), loadSigner(baselineKeyPath(stateDirectory))), {
      mode: 0o644,
    });
  }
  if (!existsSync(paths.policy)) {
    const policy = isReal ? DEFAULT_AGENT_POLICY : formatAgentPolicy({ uid: process.getuid?.() ?? 0 });
    writeFileSync(paths.policy, policy, { mode: 0o644 });
  }
  narrate(
    isReal
      ? `this machine is observed${heal ? ' and healed' : ''}; its files are in /etc/holdfast and /var/lib/holdfast`
      : 'without root the one host is SIMULATED',
  );
  const owner = isReal ? await ensureSystemUser(AGENT_USER, signal) : undefined;
  return startHostProcesses(root, join(stateDirectory, 'log'), owner);
}
