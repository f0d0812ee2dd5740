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
  const paths = isHoldfastError(error) && code === 'ERR_INPUT_INVALID' ? error.fields['paths'] : undefined;
  return reply
    .status(status)
    .type('application/problem+json')
    .send({
      type: `https://holdfast.dev/errors#${code}`,
      code,
      title: ERROR_CODES[code].title + (paths === undefined ? '' : `: ${String(paths)}`),
      requestId: request.id,
    });
}

export function installErrorFunnel(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => sendProblem(logger, request, reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(logger, request, reply, new HoldfastError('no such route', { code: 'ERR_SERVER_NOT_FOUND' })),
  );
}
