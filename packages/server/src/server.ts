/**
 * The control plane (T-20, T-25): two listeners over one PostgreSQL. Hosts come by mutual TLS 1.3,
 * people and their tools over the operator listener. Wiring only; every part is in its own file.
 */
import { type Clock, HoldfastError } from '@holdfast/core';
import { migrate, openStore, startEmbeddedPostgres } from '@holdfast/store';
import type { FastifyInstance } from 'fastify';
import { constants } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { addAgentRoutes } from './agent-routes/agent-routes.ts';
import {
  addEnrollmentRoute,
  addRenewalRoute,
  createEnrollmentToken,
  type EnrollmentTokenOptions,
} from './agent-routes/enrollment.ts';
import { authenticateForRenewal, authenticateHost } from './agent-routes/host-identity.ts';
import { checkpointOrg, runBackground } from './background.ts';
import { parseServerConfig, type ServerConfig, type ServerConfigInput } from './config.ts';
import type { ServerContext } from './context.ts';
import { OWNER_ID, prepareOrg } from './first-start.ts';
import { createApp } from './http/app.ts';
import { SECURITY_HEADERS, serveConsole } from './http/console-files.ts';
import { buildOpenApi } from './http/openapi.ts';
import { RateLimit } from './http/rate-limit.ts';
import { type RegisteredRoute, Router } from './http/route.ts';
import { type IntegrityReport, verifyStoredEvidence } from './integrity-walk.ts';
import { EventHub } from './live/event-hub.ts';
import { attachLiveSocket } from './live/live-socket.ts';
import { logOriginOf } from './log/transparency-log.ts';
import { addEvidenceRoutes } from './operator-routes/evidence-routes.ts';
import { OpenedBundles } from './gates/published-gates.ts';
import { addGateRoutes } from './operator-routes/gate-routes.ts';
import { addHostRoutes } from './operator-routes/host-routes.ts';
import { addOrderRoutes } from './operator-routes/order-routes.ts';
import { addOverviewRoutes } from './operator-routes/overview-routes.ts';
import { addUpkeepRoutes } from './operator-routes/upkeep-routes.ts';
import {
  addSessionRoutes,
  addSignInRoute,
  authenticateOperator,
  createLoginCode,
  identify,
} from './operator-routes/sessions.ts';
import { openCertificateAuthority } from './pki/certificate-authority.ts';
import { openServerKeys } from './server-keys.ts';

export interface ServerDeps {
  readonly clock?: Clock;
  readonly logger?: Logger;
}
export interface RunningServer extends AsyncDisposable {
  readonly consoleUrl: string;
  readonly agentUrl: string;
  /** A code for one sign-in within ten minutes: `<consoleUrl>/login#code=<code>`. */
  loginCode(): Promise<string>;
  createEnrollmentToken(
    options?: Partial<EnrollmentTokenOptions>,
  ): Promise<{ token: string; serverUrl: string; expiresAt: string }>;
  /** Verifies everything stored, now (P-35). */
  verifyStoredEvidence(): Promise<IntegrityReport>;
}

const SYSTEM_CLOCK: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
/** Soon, but one checkpoint for a burst (P-33: proof within 5 s). */
const CHECKPOINT_DELAY_MS = 200;
const RENEW_LISTENER_EVERY_MS = 86_400_000;
const DEFAULT_TOKEN_TTL_S = 3_600;

const urlOf = (scheme: string, host: string, port: number): string =>
  `${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
const portOf = (app: FastifyInstance): number => (app.server.address() as AddressInfo).port; // both listen on TCP

async function openDatabase(
  config: ServerConfig,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<ServerContext['store']> {
  const { stateDir, databaseUrl, databaseUser } = config;
  const place =
    databaseUrl === undefined
      ? stack.use(
          await startEmbeddedPostgres(
            { stateDir, ...(databaseUser === undefined ? {} : { user: databaseUser }) },
            signal,
          ),
        )
      : { ownerUrl: databaseUrl };
  await migrate(place.ownerUrl);
  return stack.use(await openStore(place));
}

/** Refuses a state directory whose keys belong to another org. */
function claimStateDirectory({ stateDir, orgId }: ServerConfig): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o711 });
  // Passable for the database user, listable for nobody else; what is secret in it is 0600.
  chmodSync(stateDir, 0o711);
  const path = join(stateDir, 'org');
  if (!existsSync(path)) writeFileSync(path, orgId, { mode: 0o600 });
  if (readFileSync(path, 'utf8') !== orgId)
    throw new HoldfastError('the state directory belongs to another org', { code: 'ERR_SERVER_CONFIG' });
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new HoldfastError('the server cannot listen', {
      code: 'ERR_SERVER_LISTEN',
      fields: { host, port, reason },
      cause,
    });
  }
}

async function createAgentApp(
  context: ServerContext,
  config: ServerConfig,
  routes: RegisteredRoute[],
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<FastifyInstance> {
  const names = [...new Set([...config.agents.names, 'localhost', '127.0.0.1'])];
  const certify = () => context.authority.certifyListener(names, context.clock.wallMs());
  const certificate = await certify();
  const tls = {
    ca: context.authority.pem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  } as const;
  const app = createApp(logger, (handler) => {
    // Enrolment has no certificate yet: without one, or with a foreign one, every other route answers 401.
    // No resumption: a resumed session would bring a certificate that was checked some other time.
    const server = createHttpsServer({ ...tls, ...certificate, secureOptions: constants.SSL_OP_NO_TICKET }, handler);
    const timer = setInterval(() => {
      certify()
        .then((fresh) => server.setSecureContext({ ...tls, ...fresh }))
        .catch((error: unknown) => logger.error({ err: error }, 'the listener certificate could not be renewed'));
    }, RENEW_LISTENER_EVERY_MS);
    stack.defer(() => clearInterval(timer));
    return server; // an HTTPS server is one with other sockets
  });
  stack.defer(() => app.close());
  addEnrollmentRoute(new Router(app, 'public', () => Promise.resolve(null), routes), context);
  const hosts = new Router(app, 'host', (request) => authenticateHost(context, request), routes);
  addRenewalRoute(new Router(app, 'host', (request) => authenticateForRenewal(context, request), routes), context);
  addAgentRoutes(hosts, context);
  await listen(app, config.agents.host, config.agents.port);
  return app;
}

async function createOperatorApp(
  context: ServerContext,
  config: ServerConfig,
  routes: RegisteredRoute[],
  logger: Logger,
  stack: AsyncDisposableStack,
  verifyStored: (orgId: string) => Promise<IntegrityReport>,
  opened: OpenedBundles,
): Promise<FastifyInstance> {
  const { tls, directory, host, port } = config.console;
  const app = createApp(logger, (handler) =>
    tls === undefined ? createHttpServer(handler) : createHttpsServer({ ...tls, minVersion: 'TLSv1.3' }, handler),
  );
  stack.defer(() => app.close());
  const requests = new RateLimit(config.requestsPerMinute, () => context.clock.monotonicMs());
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (tls !== undefined) reply.header('strict-transport-security', 'max-age=31536000');
    requests.check(request.ip); // T-12
    requests.hit(request.ip);
  });
  const anyone = new Router(app, 'public', () => Promise.resolve(null), routes);
  const operators = new Router(app, 'operator', (request) => authenticateOperator(context, request), routes);
  addSignInRoute(anyone, context);
  addSessionRoutes(operators, context);
  addOverviewRoutes(operators, context, opened);
  addGateRoutes(operators, context, opened);
  addHostRoutes(operators, context);
  addEvidenceRoutes(operators, context);
  addOrderRoutes(operators, context);
  addUpkeepRoutes(operators, context, verifyStored);
  anyone.add({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    handle: async ({ reply }) => void (await reply.send(buildOpenApi(routes))),
  });
  serveConsole(app, directory);
  await listen(app, host, port);
  const live = attachLiveSocket(app.server, context, {
    authorise: (request) => identify(context.store, request.headers, new Date(context.clock.wallMs())),
  });
  stack.use(live);
  return app;
}

/**
 * Starts a control plane. Ends when disposed of or when `signal` aborts; listeners first, the
 * database last.
 *
 * @throws `ERR_CONFIG_INVALID`, `ERR_SERVER_CONFIG`, `ERR_STORE_*`, `ERR_KEY_INVALID`
 */
export async function startServer(
  input: ServerConfigInput,
  deps: ServerDeps,
  signal: AbortSignal,
): Promise<RunningServer> {
  const config = parseServerConfig(input);
  signal.throwIfAborted();
  const clock = deps.clock ?? SYSTEM_CLOCK;
  const logger = deps.logger ?? pino({ level: 'warn' });
  claimStateDirectory(config);
  await using stack = new AsyncDisposableStack();
  // Our own end, in order, also when `signal` aborts: the database must outlive the listeners.
  const stopping = new AbortController();
  const store = await openDatabase(config, stack, stopping.signal);
  const now = new Date(clock.wallMs());
  await prepareOrg(store, config, now);
  const keys = openServerKeys(config.stateDir);
  const hub = new EventHub(store);
  const validity = { validFrom: '2020-01-01T00:00:00.000Z', validTo: null };
  const pin = (signer: typeof keys.log, purposes: ServerContext['pinnedKeys'][number]['purposes']) => ({
    keyId: signer.keyId,
    publicKey: Buffer.from(signer.publicKey).toString('base64'),
    purposes,
    ...validity,
  });
  let agentUrl = '';
  const growing = new Map<string, ReturnType<typeof setTimeout>>();
  stack.defer(() => growing.forEach((timer) => clearTimeout(timer)));
  const context: ServerContext = {
    store,
    clock,
    keys,
    hub,
    pinnedKeys: [pin(keys.order, ['order', 'baseline']), pin(keys.log, ['log'])],
    authority: await openCertificateAuthority(config.stateDir, clock.wallMs()),
    orgId: config.orgId,
    orgName: config.orgName,
    agentUrl: () => agentUrl,
    logOrigin: (orgId) => logOriginOf(config.logName, orgId),
    checkinIntervalMs: config.checkinIntervalMs,
    logGrew: (orgId) => {
      if (growing.has(orgId)) return;
      const sign = (): void => {
        growing.delete(orgId);
        checkpointOrg(context, orgId).catch(() => undefined); // the background job signs it within a second
      };
      growing.set(orgId, setTimeout(sign, CHECKPOINT_DELAY_MS));
    },
    failedLogins: new RateLimit(config.failedLoginsPerMinute, () => clock.monotonicMs()),
    secureCookies: config.console.tls !== undefined,
  };
  const opened = new OpenedBundles();
  const integrity = { store, logPublicKey: keys.log.publicKey, logOrigin: context.logOrigin };
  const background = Promise.all([
    hub.run(stopping.signal),
    runBackground(
      context,
      { integrity, opened, gateSweepIntervalMs: config.gateSweepIntervalMs },
      logger,
      stopping.signal,
    ),
  ]);
  stack.defer(async () => {
    stopping.abort();
    await background;
  });
  const routes: RegisteredRoute[] = [];
  const agentApp = await createAgentApp(context, config, routes, logger, stack);
  agentUrl = urlOf('https', config.agents.names[0] ?? config.agents.host, portOf(agentApp));
  const verifyStored = (orgId: string) => verifyStoredEvidence(integrity, orgId);
  const operatorApp = await createOperatorApp(context, config, routes, logger, stack, verifyStored, opened);
  const consoleUrl = urlOf(
    config.console.tls === undefined ? 'http' : 'https',
    config.console.host,
    portOf(operatorApp),
  );

  const resources = stack.move();
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => (ended ??= resources.disposeAsync());
  signal.addEventListener('abort', () => void end(), { once: true });
  return {
    consoleUrl,
    agentUrl,
    loginCode: () => createLoginCode(context, OWNER_ID),
    createEnrollmentToken: async (options = {}) => {
      const settings = { ttlS: DEFAULT_TOKEN_TTL_S, labels: {}, ...options };
      const { token, expiresAt } = await createEnrollmentToken(context, config.orgId, OWNER_ID, settings);
      return { token, serverUrl: agentUrl, expiresAt: expiresAt.toISOString() };
    },
    verifyStoredEvidence: () => verifyStored(config.orgId),
    [Symbol.asyncDispose]: end,
  };
}
