/**
 * `holdfast up`: a control plane and hosts on one machine until Ctrl-C. With `--demo` the hosts are
 * lab hosts that are broken and heal before your eyes (C-44); without it the one host is this
 * machine, observed, and healed only with `--heal`.
 */
import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { loadSigner } from '@holdfast/crypto';
import type { Lab } from '@holdfast/lab';
import { endOrphanedPostgres } from '@holdfast/store';
import { choosePort, type ControlPlane, startControlPlane } from '../control-plane.ts';
import { showDrift } from '../demo-drift.ts';
import { startFleet } from '../lab-fleet.ts';
import { startLocalHost } from '../local-host.ts';
import type { CommandResult } from '../output.ts';
import { narrate } from '../progress.ts';
import { baselineKeyPath } from '../server-state.ts';
import { newStateLab, requireLabDirectory } from '../state-lab.ts';
import { untilAborted } from '../until-aborted.ts';
import { chooseLabKind } from './lab.ts';

interface UpOptions {
  readonly demo?: boolean | undefined;
  readonly hosts: number;
  readonly simulated?: boolean | undefined;
  readonly drift: boolean;
  readonly heal?: boolean | undefined;
  readonly port: number;
  readonly state: string;
}

const LOOPBACK = '127.0.0.1';
const AGENT_PORT = 7443;

export async function up(options: UpOptions, signal: AbortSignal): Promise<CommandResult> {
  mkdirSync(options.state, { recursive: true, mode: 0o711 }); // the database's user passes through
  const stateDirectory = realpathSync(resolve(options.state));
  await using stack = new AsyncDisposableStack();
  if (options.demo === true) await upDemo(options, stateDirectory, stack, signal);
  else await upHere(options, stateDirectory, stack, signal);
  await untilAborted(signal);
  narrate('stopping: this takes a few seconds');
  return { data: { stopped: true }, text: 'everything is down again' };
}

async function upDemo(
  options: UpOptions,
  stateDirectory: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<void> {
  requireLabDirectory(stateDirectory);
  const kind = await chooseLabKind(options.simulated, signal);
  // Whoever is still there from a demo that was killed goes first; a demo that runs is left alone.
  await endOrphanedPostgres(join(stateDirectory, 'server'));
  rmSync(join(stateDirectory, 'server'), { recursive: true, force: true }); // each demo tells its story from the beginning
  const lab = await newStateLab(stateDirectory, { hosts: options.hosts, kind });
  stack.defer(() => lab.down());
  narrate(`building ${options.hosts} ${kind} hosts and starting the control plane`);
  // The address that hosts reach us at exists once the lab is up.
  await lab.up(signal);
  const controlPlane = stack.use(await startHere(options.port, lab.gatewayAddress, stateDirectory, signal));
  await announce(controlPlane);
  const fleet = await startFleet(
    {
      lab,
      agentUrl: controlPlane.agentUrl,
      createToken: () => controlPlane.createEnrollmentToken(),
      baselineSigner: loadSigner(baselineKeyPath(stateDirectory)),
    },
    signal,
  );
  stack.use(fleet);
  narrate(`${lab.hosts.join(', ')} are enrolled; guard and agent run on each`);
  if (options.drift) void runShow(lab, controlPlane, signal);
}

/** Console on loopback; hosts come by `agentHost`. Ports that are taken are replaced by free ones. */
async function startHere(
  consolePort: number,
  agentHost: string,
  stateDirectory: string,
  signal: AbortSignal,
): Promise<ControlPlane> {
  const [console, agents] = await Promise.all([choosePort(LOOPBACK, consolePort), choosePort(agentHost, AGENT_PORT)]);
  return startControlPlane(
    {
      stateDirectory,
      console: { host: LOOPBACK, port: console },
      agents: { host: agentHost, port: agents, names: [agentHost] },
      databaseUrl: process.env['DATABASE_URL'],
    },
    signal,
  );
}

/** The show must not take the house down with it. */
async function runShow(lab: Lab, controlPlane: ControlPlane, signal: AbortSignal): Promise<void> {
  try {
    await showDrift(lab, controlPlane.stateDirectory, signal);
  } catch (error) {
    if (!signal.aborted) narrate(`the drift show stopped: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function upHere(
  options: UpOptions,
  stateDirectory: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<void> {
  if (options.heal === true && process.getuid?.() !== 0) {
    throw new HoldfastError('healing this machine needs root', { code: 'ERR_CLI_NEEDS_ROOT' });
  }
  const controlPlane = stack.use(await startHere(options.port, LOOPBACK, stateDirectory, signal));
  await announce(controlPlane);
  stack.use(await startLocalHost({ stateDirectory, controlPlane, heal: options.heal === true }, signal));
}

async function announce(controlPlane: ControlPlane): Promise<void> {
  narrate('the console is ready');
  process.stderr.write(`\n  open  ${await controlPlane.signInUrl()}\n`);
  process.stderr.write('        (the link works once; `npx holdfast server login` prints another)\n\n');
}
