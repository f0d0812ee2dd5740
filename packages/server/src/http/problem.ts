/** The one place where an error becomes an answer: problem+json with a code and no particulars. */
import { ERROR_CODES, type ErrorCode, HoldfastError, isHoldfastError } from '@holdfast/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

const STATUS: Partial<Record<ErrorCode, number>> = {
  ERR_INPUT_INVALID: 400,
  ERR_SERVER_UNAUTHENTICATED: 401,
  ERR_SERVER_FORBIDDEN: 403,
  ERR_SERVER_ENROLLMENT_REFUSED: 403,
  ERR_SERVER_NOT_FOUND: 404,
  ERR_SERVER_TOO_LARGE: 413,
  ERR_GATE_BUNDLE: 422,
  ERR_GATE_KEY: 422,
  ERR_GATE_LOG_INVALID: 422,
  ERR_GATE_OBJECT_MISSING: 422,
  ERR_SERVER_RATE_LIMITED: 429,
  ERR_STORE_UNAVAILABLE: 503,
};

/** Seconds until a caller who was told to slow down, or that the database is away, may try again. */
const RETRY_AFTER_S: Partial<Record<number, number>> = { 429: 60, 503: 2 };

/** Fastify's own refusals, by their status. */
function codeOf(error: unknown): ErrorCode {
  if (isHoldfastError(error)) return STATUS[error.code] === undefined ? 'ERR_SERVER_INTERNAL' : error.code;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) return 'ERR_SERVER_TOO_LARGE';
  if (status === 404) return 'ERR_SERVER_NOT_FOUND';
  return typeof status === 'number' && status >= 400 && status < 500 ? 'ERR_INPUT_INVALID' : 'ERR_SERVER_INTERNAL';
}

function sendProblem(logger: Logger, request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const code = codeOf(error);
  const status = STATUS[code] ?? 500;
  if (status === 503) logger.warn({ requestId: request.id, code }, 'the database is away');
  else if (status >= 500) logger.error({ err: error, requestId: request.id }, 'a request failed');
  const retryAfterS = RETRY_AFTER_S[status];
  if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS);
  const detail = detailOf(error);
  return reply
    .status(status)
    .type('application/problem+json')
    .send({
      type: `https://holdfast.dev/errors#${code}`,
      code,
      title: ERROR_CODES[code].title + (detail === undefined ? '' : `: ${detail}`),
      requestId: request.id,
    });
}

/** What a person who may send the request needs to correct it. Of everything else nobody learns more than the code. */
function detailOf(error: unknown): string | undefined {
  if (!isHoldfastError(error)) return undefined;
  if (error.code === 'ERR_INPUT_INVALID') return error.fields['paths']?.toString();
  return STATUS[error.code] === 422 ? error.fields['reason']?.toString() : undefined;
}

export function installErrorFunnel(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => sendProblem(logger, request, reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(logger, request, reply, new HoldfastError('no such route', { code: 'ERR_SERVER_NOT_FOUND' })),
  );
}
