/** A fastify app as both listeners use it: limits, request ids, one error funnel, declared access. */
import fastify, { type FastifyInstance } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { RequestListener } from 'node:http';
import type { Logger } from 'pino';
import { installErrorFunnel } from './problem.ts';
import { DEFAULT_BODY_LIMIT, requireDeclaredAccess } from './route.ts';

const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTION_TIMEOUT_MS = 120_000;
const MAX_PARAM_CHARS = 300;

/** @param createServer makes the HTTP or HTTPS server around the app's handler */
export function createApp(logger: Logger, createServer: (handler: RequestListener) => Server): FastifyInstance {
  const app = fastify({
    serverFactory: createServer,
    bodyLimit: DEFAULT_BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    genReqId: () => randomUUID(),
    exposeHeadRoutes: false,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
  });
  requireDeclaredAccess(app);
  installErrorFunnel(app, logger);
  // The request id is ours: one of the caller's could be anything.
  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  return app;
}
