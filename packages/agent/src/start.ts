/**
 * The agent as a library: opens its state, binds its parts, and runs the loop until the signal
 * aborts. Everything it starts ends with it (C-27).
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type HostPaths, type Trust, TrustSchema } from '@holdfast/api';
import { type Clock, HoldfastError, parseMaintenanceWindow } from '@holdfast/core';
import { createAgentLog, loggable } from './agent-log.ts';
import { type AgentConfig, parseAgentConfig } from './config.ts';
import { Cycle } from './cycle.ts';
import { FileHints } from './file-hints.ts';
import { Healer } from './healer.ts';
import { HealthRegistry } from './health.ts';
import { runLoop, Wake } from './loop.ts';
import { openMemory } from './memory.ts';
import type { AgentLog, Checks, GuardPort, RandomBytes, ServerPort, Sleep } from './ports.ts';
import { openQueue } from './queue.ts';
import { RemediationBook } from './remediation-book.ts';
import { loadIdentity } from './renewal.ts';
import { withRetry } from './retry.ts';
import { connectServer } from './server-client.ts';
import { ServerLink } from './server-link.ts';
import { sleep as systemSleep } from './sleep.ts';
import { lockStateDirectory } from './state-lock.ts';
import { type Identity, openTlsTransport } from './transport.ts';

/** C-27: the end may take 5 s; this much of it is given to what is under way. */
const STOP_MS = 4_000;

export interface AgentStart {
  readonly config: AgentConfig;
  readonly paths: HostPaths;
  /** Release of this agent, as check-ins say it. */
  readonly version: string;
}

export interface AgentDeps {
  readonly guard: GuardPort;
  readonly checks: Checks;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly bootId: string;
  /** The rest has a default; tests bind their own. */
  readonly server?: ServerPort;
  readonly sleep?: Sleep;
  readonly random?: RandomBytes;
  readonly log?: AgentLog;
}

export interface RunningAgent extends AsyncDisposable {
  /** Begins the next cycle now: somebody saw something change. */
  wake(): void;
  /** Settles when the loop has ended; rejects only for a fault of our own. */
  readonly ended: Promise<void>;
}

/** @throws `ERR_CONFIG_INVALID` */
export function loadAgentConfig(
  paths: HostPaths,
  environment: Readonly<Record<string, string | undefined>>,
): AgentConfig {
  let text = '';
  try {
    text = readFileSync(paths.agentConfig, 'utf8');
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (!isMissing) throw new HoldfastError('agent.toml cannot be read', { code: 'ERR_CONFIG_INVALID', cause });
  }
  return parseAgentConfig(text, environment);
}

/** @throws `ERR_AGENT_NOT_ENROLLED` */
export function loadTrust(paths: HostPaths): Trust {
  try {
    return TrustSchema.parse(JSON.parse(readFileSync(paths.trust, 'utf8')));
  } catch (cause) {
    throw new HoldfastError('trust.json is missing or not valid', { code: 'ERR_AGENT_NOT_ENROLLED', cause });
  }
}

/** A fraction in [0, 1) from random bytes. */
const fraction = (random: RandomBytes): number => Buffer.from(random(4)).readUInt32BE() / 2 ** 32;

interface BoundServer {
  readonly server: ServerPort;
  readonly useIdentity: (identity: Identity) => void;
  readonly close: () => void;
}

function bindServer({ config, paths }: AgentStart, trust: Trust, sleep: Sleep): BoundServer {
  const transport = openTlsTransport({
    serverUrl: trust.serverUrl,
    caPem: trust.caPem,
    identity: loadIdentity(paths),
    timeoutMs: config.requestTimeoutS * 1_000,
  });
  return {
    server: connectServer(withRetry(transport, sleep), (signal) => transport.probe(signal)),
    useIdentity: (identity) => transport.useIdentity(identity),
    close: () => transport.close(),
  };
}

/**
 * Starts the agent. Resolves once its state is open and the loop runs; the guard and the server may
 * both be away.
 *
 * @throws `ERR_AGENT_ALREADY_RUNNING`, `ERR_AGENT_NOT_ENROLLED`
 */
export async function startAgent(start: AgentStart, deps: AgentDeps, signal: AbortSignal): Promise<RunningAgent> {
  const { config, paths, version } = start;
  const { guard, checks, trust, clock, bootId } = deps;
  const sleep = deps.sleep ?? systemSleep;
  const random = deps.random ?? randomBytes;
  const log = deps.log ?? createAgentLog(config);
  mkdirSync(paths.agentState, { recursive: true, mode: 0o700 });
  await using stack = new AsyncDisposableStack();
  stack.use(lockStateDirectory(paths.agentState));
  const bound: BoundServer =
    deps.server === undefined
      ? bindServer(start, trust, sleep)
      : { server: deps.server, useIdentity: () => undefined, close: () => undefined };
  stack.defer(() => bound.close());
  const memory = openMemory(join(paths.agentState, 'memory.sqlite'));
  stack.defer(() => memory.close());
  const queue = openQueue(join(paths.agentState, 'queue.sqlite'), {
    wallMs: () => clock.wallMs(),
    random: () => fraction(random),
  });
  stack.defer(() => queue.close());

  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const { server, useIdentity } = bound;
  const health = new HealthRegistry(clock);
  const link = new ServerLink(
    { server, memory, queue, health, trust, clock, log },
    { bootId, agentVersion: version },
    until,
  );
  const book = new RemediationBook({ memory, clock, bootId, random, health, link });
  const common = { guard, server, checks, memory, health, link, book, clock, bootId, sleep, random, log };
  const healer = new Healer(common, {
    coolDownMs: config.coolDownS * 1_000,
    flapLimit: config.flapLimit,
    healLimit: config.healLimit,
    breaker: {
      failures: config.breakerFailures,
      openMs: config.breakerOpenS * 1_000,
      successes: config.breakerSuccesses,
    },
    recheckMs: config.healthCheckTimeoutS * 1_000,
    window: parseMaintenanceWindow(config.maintenanceWindow),
  });
  const wake = new Wake();
  const hints = stack.use(new FileHints(() => wake.call()));
  const cycle = new Cycle({ ...common, hints, healer, queue, trust, paths, config, useIdentity }, until);
  const ended = runLoop(
    { cycle, guard, wake, sleep, random: () => fraction(random) },
    config.pollIntervalS * 1_000,
    until,
  ).catch((error: unknown) => {
    if (until.aborted) return;
    log.error(loggable(error), 'the agent failed');
    throw error;
  });
  stack.defer(async () => {
    stop.abort(new DOMException('the agent is stopping', 'AbortError'));
    // What does not heed its signal is left behind: everything durable was durable when it was done.
    const { promise: tooLong, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, STOP_MS);
    await Promise.race([Promise.allSettled([ended, cycle.settled(), link.settled()]), tooLong]);
    clearTimeout(timer); // a timer left running would keep the process alive
  });
  log.info({ hostId: trust.hostId, version }, 'the agent has started');
  const resources = stack.move();
  return { wake: () => wake.call(), ended, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
