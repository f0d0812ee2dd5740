/** The control plane's agent API as a typed port: routes, JSON, and what each status means (C-34). */
import {
  CheckinResponseSchema,
  ConsistencyProofSchema,
  EnrollResponseSchema,
  IngestResponseSchema,
  RenewResponseSchema,
} from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import type { z } from 'zod';
import type { ServerPort } from './ports.ts';
import type { HttpAnswer, Transport } from './transport.ts';

/** @throws `ERR_AGENT_CONNECTION`, `ERR_AGENT_AUTHENTICATION` or `ERR_AGENT_PROTOCOL` unless it is a 2xx */
function requireSuccess({ status, body }: HttpAnswer): string {
  if (status >= 200 && status <= 299) return body;
  const fields = { status, problem: problemCode(body) };
  if (status === 401 || status === 403) {
    throw new HoldfastError('the server refuses this host', { code: 'ERR_AGENT_AUTHENTICATION', fields });
  }
  if (status === 429 || status >= 500) {
    throw new HoldfastError('the server is overloaded or failing', { code: 'ERR_AGENT_CONNECTION', fields });
  }
  throw new HoldfastError('the server refuses the request', { code: 'ERR_AGENT_PROTOCOL', fields });
}

/** The code in a problem+json body, when it looks like one of ours: nothing else of it is safe to log. */
function problemCode(body: string): string | null {
  return /"code":\s*"(ERR_[A-Z0-9_]{1,80})"/.exec(body.slice(0, 4_096))?.[1] ?? null;
}

/** @throws `ERR_AGENT_PROTOCOL` */
function parseAnswer<T extends z.ZodType>(schema: T, body: string): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined; // judged by the schema below, which refuses it
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HoldfastError('the answer of the server has a wrong shape', {
    code: 'ERR_AGENT_PROTOCOL',
    fields: {
      paths: parsed.error.issues
        .map((issue) => issue.path.join('.'))
        .join(' ')
        .slice(0, 500),
    },
  });
}

async function post<T extends z.ZodType>(
  transport: Transport,
  path: string,
  body: object,
  schema: T,
  signal: AbortSignal,
): Promise<z.infer<T>> {
  return parseAnswer(schema, requireSuccess(await transport.send('POST', path, JSON.stringify(body), signal)));
}

/** Enrolment has no client certificate yet, so that it stands apart from the port. */
export const postEnrollment = (
  transport: Transport,
  request: object,
  signal: AbortSignal,
): Promise<z.infer<typeof EnrollResponseSchema>> =>
  post(transport, '/api/v1/enroll', request, EnrollResponseSchema, signal);

/** @param probe see `ServerPort.probe` */
export function connectServer(transport: Transport, probe: ServerPort['probe']): ServerPort {
  const base = '/api/v1/agent';
  return {
    checkin: (request, signal) => post(transport, `${base}/checkin`, request, CheckinResponseSchema, signal),
    upload: async (bundles, signal) =>
      (await post(transport, `${base}/evidence`, { bundles }, IngestResponseSchema, signal)).results,
    reportOrder: async (orderId, result, signal) => {
      const path = `${base}/orders/${encodeURIComponent(orderId)}/result`;
      const answer = await transport.send('POST', path, JSON.stringify(result), signal);
      if (answer.status === 404 || answer.status === 409 || answer.status === 422) {
        const fields = { status: answer.status, problem: problemCode(answer.body) };
        throw new HoldfastError('the server refuses the result', { code: 'ERR_AGENT_ORDER', fields });
      }
      requireSuccess(answer);
    },
    renew: async (csrPem, signal) =>
      (await post(transport, `${base}/renew`, { csrPem }, RenewResponseSchema, signal)).certificatePem,
    consistency: async (from, to, signal) => {
      const answer = await transport.send('GET', `${base}/log/consistency?from=${from}&to=${to}`, null, signal);
      return parseAnswer(ConsistencyProofSchema, requireSuccess(answer));
    },
    probe,
  };
}
