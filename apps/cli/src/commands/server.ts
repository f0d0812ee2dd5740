/** `holdfast server …`: the control plane as a process, and what its operator does from another terminal. */
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { EnrollmentTokenSchema, IntegrityReportSchema, LoginCodeSchema, TrustViewSchema } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { signInUrl, startControlPlane } from '../control-plane.ts';
import { openOperatorClient, readEndpoint } from '../operator-client.ts';
import { type CommandResult, formatTable } from '../output.ts';
import { narrate } from '../progress.ts';
import { labGateway } from '../state-lab.ts';
import { untilAborted } from '../until-aborted.ts';

interface StateOption {
  readonly state: string;
}

interface ServeOptions extends StateOption {
  readonly consoleListen: string;
  readonly agentListen: string;
  readonly publicName: string;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-f:]+\]|[^:]+):(\d{1,5})$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new HoldfastError('a listener is given as address:port', { code: 'ERR_CLI_USAGE' });
  }
  return { host: match[1].replaceAll(/[[\]]/g, ''), port: Number(match[2]) };
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** What the certificate names, the first of which hosts are told; last the address that lab hosts come by. */
function namesOf(publicName: string, listenHost: string, stateDirectory: string): string[] {
  const given = publicName.split(',').filter((name) => name !== '');
  const own = ANY_ADDRESS.has(listenHost) ? '127.0.0.1' : listenHost;
  return [...(given.length > 0 ? given : [own]), labGateway(stateDirectory)].filter((name) => name !== undefined);
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('a TLS file cannot be read', { code: 'ERR_CONFIG_INVALID', fields: { path }, cause });
  }
}

export async function serve(options: ServeOptions, signal: AbortSignal): Promise<CommandResult> {
  const { tlsCert, tlsKey } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new HoldfastError('--tls-cert and --tls-key belong together', { code: 'ERR_CLI_USAGE' });
  }
  mkdirSync(options.state, { recursive: true, mode: 0o711 });
  const tls =
    tlsCert === undefined || tlsKey === undefined ? {} : { tls: { cert: readPem(tlsCert), key: readPem(tlsKey) } };
  const stateDirectory = realpathSync(resolve(options.state));
  const agents = parseListen(options.agentListen);
  await using controlPlane = await startControlPlane(
    {
      stateDirectory,
      console: { ...parseListen(options.consoleListen), ...tls },
      agents: { ...agents, names: namesOf(options.publicName, agents.host, stateDirectory) },
      databaseUrl: process.env['DATABASE_URL'],
    },
    signal,
  );
  narrate(`console at ${controlPlane.consoleUrl}, hosts connect to ${controlPlane.agentUrl}`);
  await untilAborted(signal);
  return { data: { stopped: true }, text: '' };
}

export async function login({ state }: StateOption, signal: AbortSignal): Promise<CommandResult> {
  const { code } = await openOperatorClient(state, process.env, signal).post('/login-codes', {}, LoginCodeSchema);
  const url = signInUrl(readEndpoint(state, process.env), code);
  return { data: { url }, text: url };
}

export async function token(
  options: StateOption & { readonly ttl: number },
  signal: AbortSignal,
): Promise<CommandResult> {
  const client = openOperatorClient(options.state, process.env, signal);
  const created = await client.post('/enrollment-tokens', { ttlS: options.ttl }, EnrollmentTokenSchema);
  return {
    data: created,
    text: `${created.token}\ngood until ${created.expiresAt}; on the host, as root:\n  ${created.command}`,
  };
}

export async function trust({ state }: StateOption, signal: AbortSignal): Promise<CommandResult> {
  const view = await openOperatorClient(state, process.env, signal).get('/trust', TrustViewSchema);
  const rows = view.hosts.map(({ name, hostId, keyId, validFrom, validTo }) => [
    name,
    hostId,
    keyId,
    validFrom,
    validTo ?? '',
  ]);
  return {
    data: view,
    text: `log  ${view.logKey}\n${formatTable(['HOST', 'ID', 'KEY', 'VALID FROM', 'VALID TO'], rows)}`,
  };
}

export async function verify({ state }: StateOption, signal: AbortSignal): Promise<CommandResult> {
  const report = await openOperatorClient(state, process.env, signal).post('/integrity', {}, IntegrityReportSchema);
  const problems = report.problems.map(({ table, row, problem }) => `FAIL  ${table} ${row}: ${problem}`);
  const good = report.problems.length === 0;
  const summary = `${report.checked} bundle(s) checked against signature, columns and log`;
  return {
    data: report,
    text: [...problems, good ? `verified: ${summary}` : `NOT VERIFIED: ${summary}`].join('\n'),
    exitCode: good ? 0 : 1,
  };
}
