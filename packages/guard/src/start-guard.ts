/** The guard as a daemon: everything open and recovered first, the socket last; closed the other way round. */
import { randomBytes } from 'node:crypto';
import type { GuardStatus } from '@holdfast/api';
import { hasCode, type Json } from '@holdfast/core';
import { TokenBuckets } from '@holdfast/policy';
import { Guard } from './guard.ts';
import { type GuardConfig, limitsOf } from './guard-config.ts';
import { type GuardCore, type GuardStartDeps, openGuardCore } from './guard-core.ts';
import { describeLayers, requiredLayersOf } from './guard-status.ts';
import { GUARD_ACTOR } from './sealing/evidence-sealer.ts';
import { serveSocket } from './socket/socket-server.ts';
import { UserNames } from './socket/user-names.ts';

/** Lines in the daemon's log about one user's malformed requests. */
const TROUBLE_BUCKET = { burst: 20, perMinute: 20 };
/** How often what a full or failing disk left undone is tried again. */
const MEND_INTERVAL_MS = 15_000;

/**
 * Starts the guard. When it resolves the socket answers and no change of an earlier run is half done.
 *
 * @param signal aborted: running changes stop and revert; dispose what is returned to end the guard
 * @throws what `openGuardCore` throws, `ERR_GUARD_SOCKET`, `ERR_GUARD_PEER_CREDENTIALS`
 */
export async function startGuard(
  config: GuardConfig,
  deps: GuardStartDeps,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const core = stack.use(await openGuardCore(config, deps, signal));
  const { audit, policy, clock } = core;
  const { onEvent = () => undefined } = deps;
  const troubles = new TokenBuckets();
  const startedAt = new Date(clock.wallMs()).toISOString();

  const guard = new Guard({
    ...core,
    host: deps.host,
    status: async () => toStatus(config, deps, core, startedAt),
    monotonicMs: () => clock.monotonicMs(),
    signal,
  });
  policy.current();
  await audit.append({
    actor: GUARD_ACTOR,
    action: 'guard.started',
    subject: 'guard',
    outcome: 'ok',
    detail: { version: config.version },
  });
  stack.defer(async () => {
    try {
      await audit.append({ actor: GUARD_ACTOR, action: 'guard.stopped', subject: 'guard', outcome: 'ok', detail: {} });
    } catch (error) {
      if (!hasCode(error, 'ERR_AUDIT_UNWRITABLE')) throw error; // a full disk does not keep the guard from stopping
    }
  });
  const mending = setInterval(() => {
    core.mend().catch((error: unknown) => {
      onEvent({ severity: 'warning', message: 'what failed before still fails', fields: {}, error });
    });
  }, MEND_INTERVAL_MS);
  mending.unref();
  stack.defer(() => clearInterval(mending));
  stack.use(
    await serveSocket(
      {
        answer: async (request, peer, correlationId) => guard.answer(request, peer, correlationId),
        newCorrelationId: () => randomBytes(12).toString('base64url'),
        onTrouble: ({ peer, correlationId, code, error }) => {
          // A hostile client does not fill the daemon's own log either.
          if (!troubles.take(String(peer.uid), TROUBLE_BUCKET, clock.monotonicMs())) return;
          onEvent({
            severity: code === 'ERR_GUARD_INTERNAL' ? 'error' : 'warning',
            message: 'a request was not answered',
            fields: { uid: peer.uid, pid: peer.pid, correlationId, code },
            error,
          });
        },
        userNames: new UserNames(),
      },
      { path: config.paths.socket, gid: config.socketGid, limits: limitsOf(config) },
    ),
  );
  const owned = stack.move();
  return { [Symbol.asyncDispose]: async () => owned.disposeAsync() };
}

async function toStatus(
  config: GuardConfig,
  { host }: GuardStartDeps,
  core: GuardCore,
  startedAt: string,
): Promise<Json> {
  const { audit, engine, policy, baseline, database } = core;
  const { orgId, siteId, hostId, hostName } = config.trust;
  const policyHash = policy.current()?.hash ?? null;
  const pinned = await baseline.current();
  const { seq, hash } = audit.head();
  const pending = (await engine.list(1)).filter(({ state }) => state !== 'ended');
  const status: GuardStatus = {
    version: config.version,
    orgId,
    siteId,
    hostId,
    hostName,
    simulated: host.platform.simulated,
    frozen: engine.frozen,
    policyHash,
    baselineHash: 'value' in pinned.hash ? pinned.hash.value : null,
    audit: { seq, head: hash, writable: audit.writable },
    pendingChanges: pending.length,
    startedAt,
    layers: describeLayers({
      policy: policy.state,
      baseline: pinned,
      isAuditWritable: audit.writable,
      isFrozen: engine.frozen,
      isMemoryLost: database.lost !== null,
      isSimulated: host.platform.simulated,
      sandbox: await core.sandbox.state(),
      requiredLayers: requiredLayersOf(policy.current()),
    }),
  };
  return status;
}
