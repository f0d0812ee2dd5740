/** A control plane in this process, as `up` and `server` run it, and the files by which other terminals find it. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { type ServerConfigInput, startServer } from '@holdfast/server';
import { CONSOLE_DIRECTORY } from './repository.ts';
import { endpointPath, serverDirectory } from './server-state.ts';

/** Agents may poll every ten seconds at the most; a host is silent after three such intervals missed. */
const CHECKIN_INTERVAL_MS = 60_000;

export interface ControlPlane extends AsyncDisposable {
  readonly stateDirectory: string;
  readonly consoleUrl: string;
  readonly agentUrl: string;
  /** A link that signs in once. */
  signInUrl(): Promise<string>;
  createEnrollmentToken(): Promise<string>;
}

export interface ControlPlaneOptions {
  readonly stateDirectory: string;
  readonly console: NonNullable<ServerConfigInput['console']>;
  readonly agents: NonNullable<ServerConfigInput['agents']>;
  readonly databaseUrl?: string | undefined;
  readonly checkinIntervalMs?: number;
}

export async function startControlPlane(options: ControlPlaneOptions, signal: AbortSignal): Promise<ControlPlane> {
  const { stateDirectory, databaseUrl } = options;
  const stateDir = serverDirectory(stateDirectory);
  mkdirSync(stateDir, { recursive: true, mode: 0o711 });
  const server = await startServer(
    {
      stateDir,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
      console: { ...(existsSync(CONSOLE_DIRECTORY) ? { directory: CONSOLE_DIRECTORY } : {}), ...options.console },
      agents: options.agents,
      checkinIntervalMs: options.checkinIntervalMs ?? CHECKIN_INTERVAL_MS,
    },
    { logger: pino({ level: process.env['HOLDFAST_LOG_LEVEL'] ?? 'warn' }, process.stderr) },
    signal,
  );
  const { consoleUrl, agentUrl } = server;
  writeFileSync(endpointPath(stateDirectory), `${JSON.stringify({ consoleUrl, agentUrl })}\n`);
  return {
    stateDirectory,
    consoleUrl,
    agentUrl,
    signInUrl: async () => signInUrl(consoleUrl, await server.loginCode()),
    createEnrollmentToken: async () => (await server.createEnrollmentToken()).token,
    [Symbol.asyncDispose]: async () => {
      rmSync(endpointPath(stateDirectory), { force: true });
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The code stands in the fragment: it never reaches a log or a referrer. */
export const signInUrl = (consoleUrl: string, code: string): string => `${consoleUrl}/login#code=${code}`;

/** `wanted` if nobody listens there, else any free port. */
export async function choosePort(host: string, wanted: number): Promise<number> {
  const probe = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  probe.once('error', () => resolve(false));
  probe.listen(wanted, host, () => resolve(true));
  const isFree = await promise;
  if (isFree) await new Promise((done) => probe.close(done));
  return isFree ? wanted : 0;
}
