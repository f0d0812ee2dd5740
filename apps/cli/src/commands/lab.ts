/** `holdfast lab …`: build, look into, break, mend and remove lab hosts from any terminal. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { EnrollmentTokenSchema, SummarySchema } from '@holdfast/api';
import { hasCode, HoldfastError } from '@holdfast/core';
import { loadSigner } from '@holdfast/crypto';
import { BREAKABLE_CHECKS, type BreakableCheck, type Lab, type LabKind, openLab, probeLinuxLab } from '@holdfast/lab';
import { startFleet } from '../lab-fleet.ts';
import { openOperatorClient, readAgentUrl } from '../operator-client.ts';
import { type CommandResult, formatTable } from '../output.ts';
import { narrate } from '../progress.ts';
import { baselineKeyPath, endpointPath, labDirectory } from '../server-state.ts';
import { newStateLab, requireLabDirectory } from '../state-lab.ts';

interface StateOption {
  readonly state: string;
}

/** By its real path, as a control plane knows it: ids of labs follow from it. */
function stateOf({ state }: StateOption): string {
  mkdirSync(state, { recursive: true, mode: 0o711 }); // the database's user passes through
  return realpathSync(resolve(state));
}

const directoryOf = ({ state }: StateOption): string => labDirectory(resolve(state));

function parseCheck(text: string): BreakableCheck {
  const check = BREAKABLE_CHECKS.find((known) => known === text);
  if (check !== undefined) return check;
  throw new HoldfastError(`a check is one of ${BREAKABLE_CHECKS.join(', ')}`, { code: 'ERR_INPUT_INVALID' });
}

function chooseHost(lab: Lab, wanted: string | undefined): string {
  const host = wanted ?? lab.hosts[0];
  if (host !== undefined && lab.hosts.includes(host)) return host;
  throw new HoldfastError(`a host of this lab is one of ${lab.hosts.join(', ')}`, { code: 'ERR_INPUT_INVALID' });
}

/** Real hosts where they are possible; simulated ones otherwise, and it is said why, or when asked for. */
export async function chooseLabKind(simulated: boolean | undefined, signal: AbortSignal): Promise<LabKind> {
  if (simulated === true) return 'simulated';
  const missing = await probeLinuxLab(signal);
  if (missing === undefined) return 'linux';
  narrate(`hosts are SIMULATED: for real lab hosts this machine lacks ${missing}`);
  return 'simulated';
}

export async function up(
  options: StateOption & { readonly hosts: number; readonly simulated?: boolean | undefined },
  signal: AbortSignal,
): Promise<CommandResult> {
  const stateDirectory = stateOf(options);
  requireLabDirectory(stateDirectory);
  const kind = await chooseLabKind(options.simulated, signal);
  const lab = await newStateLab(stateDirectory, { hosts: options.hosts, kind });
  await lab.up(signal);
  let enrolment: string;
  try {
    enrolment = await enrolLab(lab, stateDirectory, signal);
  } catch (error) {
    await lab.down();
    throw error;
  }
  const result = await status(options, signal);
  return { ...result, text: `${result.text}\n${enrolment}\nremove it with \`holdfast lab down\`` };
}

/** Enrols the hosts when a control plane answers on this state directory. @returns what to tell */
async function enrolLab(lab: Lab, stateDirectory: string, signal: AbortSignal): Promise<string> {
  if (!existsSync(endpointPath(stateDirectory))) return 'no control plane runs here: the hosts are not enrolled';
  const client = openOperatorClient(stateDirectory, {}, signal);
  try {
    await client.get('/summary', SummarySchema);
  } catch (error) {
    if (!hasCode(error, 'ERR_CLI_SERVER_UNREACHABLE')) throw error;
    return 'the control plane does not answer: the hosts are not enrolled';
  }
  if (lab.kind === 'simulated') {
    return 'simulated hosts are not enrolled: their guard and agent run under `holdfast up --demo --simulated`';
  }
  const agentUrl = new URL(readAgentUrl(stateDirectory));
  agentUrl.hostname = lab.gatewayAddress; // the control plane's certificate names it
  const fleet = await startFleet(
    {
      lab,
      agentUrl: agentUrl.origin,
      createToken: async () => (await client.post('/enrollment-tokens', {}, EnrollmentTokenSchema)).token,
      baselineSigner: loadSigner(baselineKeyPath(stateDirectory)),
    },
    signal,
  );
  await fleet[Symbol.asyncDispose](); // holds nothing: units end with their host
  return 'the hosts are enrolled; guard and agent run on each';
}

export async function down(options: StateOption): Promise<CommandResult> {
  const directory = directoryOf(options);
  if (!existsSync(directory)) return { data: { removed: false }, text: 'there is no lab here' };
  await openLab(directory).down();
  return { data: { removed: true }, text: 'the lab is gone' };
}

export async function status(options: StateOption, signal: AbortSignal): Promise<CommandResult> {
  const lab = await openLab(directoryOf(options)).status(signal);
  const rows = lab.hosts.map(({ name, state, address, memoryBytes, drifts }) => [
    name,
    state,
    address,
    memoryBytes === null ? '-' : `${Math.round(memoryBytes / 2 ** 20)} MiB`,
    drifts.map(({ check, variant }) => `${check}: ${variant}`).join(', '),
  ]);
  return {
    data: lab,
    text: `${lab.kind} lab ${lab.id}\n${formatTable(['HOST', 'STATE', 'ADDRESS', 'MEMORY', 'INJECTED DRIFT'], rows)}`,
  };
}

export async function breakCheck(
  check: string,
  options: StateOption & { readonly on?: string | undefined; readonly seed: number },
  signal: AbortSignal,
): Promise<CommandResult> {
  const lab = openLab(directoryOf(options));
  const drift = await lab.break(chooseHost(lab, options.on), parseCheck(check), options.seed, signal);
  return { data: drift, text: `${drift.host}: ${drift.description} (${drift.variant})` };
}

export async function mend(
  check: string,
  options: StateOption & { readonly on?: string | undefined },
  signal: AbortSignal,
): Promise<CommandResult> {
  const lab = openLab(directoryOf(options));
  const host = chooseHost(lab, options.on);
  await lab.mend(host, parseCheck(check), signal);
  return { data: { host, check }, text: `${host}: ${check} is as it was built` };
}

export async function exec(
  host: string,
  argv: readonly string[],
  options: StateOption,
  signal: AbortSignal,
): Promise<CommandResult> {
  const lab = openLab(directoryOf(options));
  const [program, ...args] = argv[0] === '--' ? argv.slice(1) : argv;
  if (program === undefined || !program.startsWith('/')) {
    throw new HoldfastError('a program is given by its absolute path', { code: 'ERR_CLI_USAGE' });
  }
  const result = await lab.exec(chooseHost(lab, host), [program, ...args], signal);
  const [stdout, stderr] = [result.stdout, result.stderr].map((bytes) => Buffer.from(bytes).toString());
  process.stderr.write(stderr ?? '');
  return { data: { exitCode: result.exitCode, stdout, stderr }, text: stdout ?? '', exitCode: result.exitCode ?? 1 };
}
