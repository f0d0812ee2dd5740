/**
 * Lab hosts as a fleet of a control plane: enrols each, captures and signs its baseline, and starts
 * guard and agent there, by the same commands and units as on a real host. On simulated hosts guard
 * and agent are child processes instead of units.
 */
import { isIPv6 } from 'node:net';
import { hostPaths } from '@holdfast/api';
import { signBaseline } from '@holdfast/compliance';
import { HoldfastError } from '@holdfast/core';
import type { Signer } from '@holdfast/crypto';
import { CHECKOUT_IN_HOST, type Lab } from '@holdfast/lab';
import { formatAgentPolicy } from '@holdfast/policy';
import { runHoldfast, startHostProcesses } from './host-processes.ts';
import { LAB_POLICY } from './lab-policy.ts';

/** Lab hosts look around as often as the agent allows, and heal at once, again and again: they are there to be broken. */
const LAB_AGENT_CONFIG = `pollIntervalS = 10
coolDownS = 0
flapLimit = 10000
healLimit = 10000
breakerFailures = 10000
logLevel = "info"
`;
const UNITS = [
  'holdfast-spawner.service',
  'holdfast-guard.service',
  'holdfast-watchdog.timer',
  'holdfast-agent.service',
] as const;
/** At every boot before the network: there is nothing to recover now. */
const BOOT_UNIT = 'holdfast-recover.service';
const SYSTEMCTL = '/usr/bin/systemctl';
const COMMAND_TIMEOUT_MS = 60_000;

export interface FleetDeps {
  readonly lab: Lab;
  /** Where hosts reach the control plane. */
  readonly agentUrl: string;
  readonly createToken: () => Promise<string>;
  /** Signs the baselines; hosts pinned it at enrolment. */
  readonly baselineSigner: Signer;
}

/** Enrols and starts every host of the lab; disposing it stops what runs on simulated ones. */
export async function startFleet(deps: FleetDeps, signal: AbortSignal): Promise<AsyncDisposable> {
  const { lab } = deps;
  await using stack = new AsyncDisposableStack();
  // Two at a time: each start of Node is a second of CPU.
  const waiting = [...lab.hosts];
  const worker = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
      stack.use(await startHost(deps, host, signal));
    }
  };
  await Promise.all([worker(), worker()]);
  return stack.move();
}

async function startHost(deps: FleetDeps, host: string, signal: AbortSignal): Promise<AsyncDisposable> {
  const { lab, baselineSigner, agentUrl } = deps;
  const run = lab.kind === 'linux' ? inLabHost(lab, host, signal) : inDirectory(deps, host, signal);
  const { inventory } = lab;
  await run(
    ['enroll', '--server', agentUrl, '--token-file', '-', '--name', host, '--label', 'lab=demo', 'role=web'],
    await deps.createToken(),
  );
  const yaml = await run(
    [
      'baseline',
      'capture',
      '--name',
      'lab',
      '--heal',
      '--unit',
      ...inventory.units,
      '--logging-unit',
      ...inventory.loggingUnits,
      '--file',
      ...inventory.files,
      '--certificate',
      ...inventory.certificateFiles,
      ...inventory.certificatePorts.flatMap(({ address, port }) => [
        '--certificate-port',
        isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`,
      ]),
      '--time-source',
      ...inventory.timeSources,
    ],
    '',
  );
  const paths = hostPaths('/');
  const write = (path: string, bytes: Uint8Array): Promise<void> =>
    lab.writeFile(host, path, { bytes, mode: '0644', uid: 0, gid: 0 }, signal);
  await write(paths.baseline, signBaseline(Buffer.from(yaml), baselineSigner));
  await write(paths.agentConfig, Buffer.from(LAB_AGENT_CONFIG));
  const policy = lab.kind === 'linux' ? LAB_POLICY : formatAgentPolicy({ uid: process.getuid?.() ?? 0 });
  await write(paths.policy, Buffer.from(policy));
  if (lab.kind === 'simulated') return startHostProcesses(lab.hostDirectory(host));
  for (const args of [
    ['enable', BOOT_UNIT],
    ['enable', '--now', ...UNITS],
  ] as const) {
    const result = await lab.exec(host, [SYSTEMCTL, ...args], signal, { timeoutMs: COMMAND_TIMEOUT_MS });
    if (result.exitCode === 0) continue;
    throw commandFailed(host, ['systemctl', ...args], result.exitCode, Buffer.from(result.stderr).toString());
  }
  return { [Symbol.asyncDispose]: async () => undefined }; // units end with their host
}

type Run = (args: readonly string[], stdin: string) => Promise<string>;

function inLabHost(lab: Lab, host: string, signal: AbortSignal): Run {
  const node = `${CHECKOUT_IN_HOST}/node_modules/.bin/node`;
  const main = `${CHECKOUT_IN_HOST}/apps/cli/src/main.ts`;
  return async (args, stdin) => {
    const result = await lab.exec(host, [node, main, ...args], signal, {
      timeoutMs: COMMAND_TIMEOUT_MS,
      stdin: Buffer.from(stdin),
    });
    if (result.exitCode === 0) return Buffer.from(result.stdout).toString();
    throw commandFailed(host, args, result.exitCode, Buffer.from(result.stderr).toString());
  };
}

function inDirectory({ lab }: FleetDeps, host: string, signal: AbortSignal): Run {
  return async (args, stdin) => {
    const { stdout, stderr, exitCode } = await runHoldfast([...args, '--root', lab.hostDirectory(host)], stdin, signal);
    if (exitCode === 0) return stdout;
    throw commandFailed(host, args, exitCode, stderr);
  };
}

function commandFailed(host: string, args: readonly string[], exitCode: number | null, stderr: string): HoldfastError {
  return new HoldfastError(`\`${args[0] ?? ''}\` failed on ${host}: ${stderr.trim()}`, {
    code: 'ERR_LAB_COMMAND_FAILED',
    fields: { host, exitCode: exitCode ?? -1 },
  });
}
