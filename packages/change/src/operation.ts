/**
 * What the change engine can run: the contract every privileged thing on a host implements.
 */
import { HoldfastError, type Json, type JsonObject } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import type { ZodType } from 'zod';

/** What a change touches; changes that share one run in order, others side by side (P-14). */
export type Resource = 'packet-filter' | 'journal' | `service:${string}` | `file:${string}` | `account:${string}`;

/** One thing `apply` or `revert` does, as data (P-17). An empty plan changes nothing (P-16). */
export interface Step {
  /** Imperative and specific: `replace the ruleset`, `restart nginx.service`. */
  readonly action: string;
  readonly detail?: JsonObject;
}

export interface Verification {
  readonly ok: boolean;
  /** What was looked at and what was seen; at least one line, safe to show. */
  readonly reasons: readonly string[];
}

/**
 * One privileged thing a host can do. Registered once, found by name, run only by the change engine.
 *
 * - `capture`, `plan`, `verify` MUST NOT change the host.
 * - `apply` MUST be idempotent: it runs again after a crash only if the journal says it did not finish.
 * - `verify` MUST look at the effect, not at exit codes.
 * - `revert` MUST succeed after any part of `apply` ran, none included, and after it ran itself.
 */
export interface Operation<P extends JsonObject = JsonObject, S extends Json = Json> {
  readonly name: string;
  readonly params: ZodType<P>;
  /** Shape of what `capture` returns: parsed again when it comes back from the journal. */
  readonly captured: ZodType<S>;
  /** True: only inside a maintenance window, or with an approval that says so. */
  readonly disruptive: boolean;
  /** Reverts by itself unless confirmed within this time (P-15). Everything that can cut us off sets it. */
  readonly confirmWithinMs?: number;
  resources(params: P): readonly Resource[];
  /** What revert needs, as JSON; journaled sealed before `apply`. */
  capture(params: P, host: Host, signal: AbortSignal): Promise<S>;
  /** What `apply` would do now. Empty when the wanted state is already there. */
  plan(params: P, host: Host, signal: AbortSignal): Promise<readonly Step[]>;
  apply(params: P, host: Host, signal: AbortSignal): Promise<void>;
  verify(params: P, host: Host, signal: AbortSignal): Promise<Verification>;
  revert(captured: S, host: Host, signal: AbortSignal): Promise<void>;
}

/** How a change ended (P-13). `awaiting-confirmation` is not an end. */
export type ChangeOutcome = 'committed' | 'reverted' | 'failed' | 'deferred' | 'alert' | 'frozen';

/** An operation with its types erased: values are parsed by the operation's own schemas on the way in. */
export type AnyOperation = Operation;

/**
 * Makes an operation fit a registry of operations of all kinds.
 *
 * @throws `ERR_INPUT_INVALID` from each method when the parameters or the captured state do not parse
 */
export function eraseTypes<P extends JsonObject, S extends Json>(operation: Operation<P, S>): AnyOperation {
  const params = (value: JsonObject): P => parseWith(operation.params, value, `parameters of ${operation.name}`);
  return {
    name: operation.name,
    params: operation.params,
    captured: operation.captured,
    disruptive: operation.disruptive,
    ...(operation.confirmWithinMs === undefined ? {} : { confirmWithinMs: operation.confirmWithinMs }),
    resources: (value) => operation.resources(params(value)),
    capture: async (value, host, signal) => operation.capture(params(value), host, signal),
    plan: async (value, host, signal) => operation.plan(params(value), host, signal),
    apply: async (value, host, signal) => operation.apply(params(value), host, signal),
    verify: async (value, host, signal) => operation.verify(params(value), host, signal),
    revert: async (value, host, signal) =>
      operation.revert(parseWith(operation.captured, value, `captured state of ${operation.name}`), host, signal),
  };
}

function parseWith<T>(schema: ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HoldfastError(`the ${what} do not parse`, {
    code: 'ERR_INPUT_INVALID',
    fields: { what, paths: parsed.error.issues.map((issue) => issue.path.join('.')).join(' ') },
  });
}
