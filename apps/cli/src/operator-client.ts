/**
 * The command line as a client of the control plane's public API, with a token (W-01). The token
 * and address come from the state directory of a server on this machine, or from
 * `HOLDFAST_SERVER` and `HOLDFAST_TOKEN_FILE`.
 */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { z } from 'zod';
import { endpointPath, operatorTokenPath } from './server-state.ts';

/** What `holdfast up` and `holdfast server` write beside their token for this client. */
const EndpointSchema = z.strictObject({ consoleUrl: z.url(), agentUrl: z.url() });
const ProblemSchema = z.object({ code: z.string(), title: z.string() });
const TIMEOUT_MS = 30_000;

export interface OperatorClient {
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T>;
}

function readOrExplain(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('no control plane is set up here', { code: 'ERR_CLI_NOT_SET_UP', fields: { path }, cause });
  }
}

/** Address of the console and its API. @throws `ERR_CLI_NOT_SET_UP` */
export function readEndpoint(
  stateDirectory: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const given = environment['HOLDFAST_SERVER'];
  return given ?? EndpointSchema.parse(JSON.parse(readOrExplain(endpointPath(stateDirectory)))).consoleUrl;
}

/** Where hosts connect to the control plane of this state directory. @throws `ERR_CLI_NOT_SET_UP` */
export function readAgentUrl(stateDirectory: string): string {
  return EndpointSchema.parse(JSON.parse(readOrExplain(endpointPath(stateDirectory)))).agentUrl;
}

/** @param stateDirectory of a server on this machine; the environment goes before it */
export function openOperatorClient(
  stateDirectory: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): OperatorClient {
  const tokenFile = environment['HOLDFAST_TOKEN_FILE'] ?? operatorTokenPath(stateDirectory);
  const base = readEndpoint(stateDirectory, environment);
  const token = readOrExplain(tokenFile).trim();
  const call = async <T>(method: string, path: string, body: unknown, schema: z.ZodType<T>): Promise<T> => {
    let response: Response;
    try {
      response = await fetch(new URL(`/api/v1${path}`, base), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new HoldfastError('the control plane cannot be reached', {
        code: 'ERR_CLI_SERVER_UNREACHABLE',
        fields: { server: base },
        cause,
      });
    }
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return schema.parse(answer);
    const problem = ProblemSchema.safeParse(answer);
    throw new HoldfastError(problem.success ? problem.data.title : 'the control plane refused', {
      code: 'ERR_CLI_SERVER_REFUSED',
      fields: { status: response.status, reason: problem.success ? problem.data.code : 'unknown' },
    });
  };
  return {
    get: (path, schema) => call('GET', path, undefined, schema),
    post: (path, body, schema) => call('POST', path, body, schema),
  };
}
