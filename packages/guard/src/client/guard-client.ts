/**
 * The guard as its callers on the host see it: typed methods over the socket, every answer checked
 * against the protocol's own schemas before it is believed.
 */
import { randomBytes } from 'node:crypto';
import {
  type ChangeReport,
  ChangeReportSchema,
  type CheckReport,
  type CommandReport,
  CommandReportSchema,
  type GuardRequest,
  type GuardStatus,
  GuardStatusSchema,
  MAX_GUARD_REQUEST_BYTES,
  type ObservationName,
  type OrderReport,
  OrderReportSchema,
} from '@holdfast/api';
import { BundleIdSchema } from '@holdfast/evidence';
import { HoldfastError, type Json, type JsonObject } from '@holdfast/core';
import { z } from 'zod';
import { systemClock } from '../system-clock.ts';
import { GuardConnection } from './guard-connection.ts';

const READ_TIMEOUT_MS = 60_000;
/** A change may wait for others that touch the same resource, and each may take minutes. */
const MUTATION_TIMEOUT_MS = 900_000;

/** A command may take an hour by itself, and waits for others before. */
const COMMAND_TIMEOUT_MS = 4 * 3_600_000;

/** One operation to be run, and why. */
export interface OperationRequest {
  readonly operation: string;
  readonly params: JsonObject;
  readonly remediationId?: string | null;
  readonly check?: string | null;
  readonly reason?: string | null;
  /** Wall time before which it is not to run: until then it is recorded as `deferred`, with evidence. */
  readonly notBeforeMs?: number | null;
}

const JsonRecord = z.record(z.string(), z.json());
const PlanSchema = z.strictObject({
  steps: z.array(z.strictObject({ action: z.string(), detail: JsonRecord.optional() })),
  decision: z.strictObject({
    effect: z.enum(['allow', 'deny', 'needs-approval']),
    rule: z.string().nullable(),
    reasons: z.array(z.string()),
  }),
});
export type PlanReport = z.infer<typeof PlanSchema>;
const SealedSchema = z.strictObject({ bundleId: BundleIdSchema, digest: z.string(), seq: z.int() });
export type SealedReport = z.infer<typeof SealedSchema>;
const OutboxSchema = z.strictObject({
  items: z.array(z.strictObject({ seq: z.int(), bundleId: BundleIdSchema, path: z.string() })),
  nextSeq: z.int(),
});
const UnfrozenSchema = z.strictObject({ changes: z.array(z.string()), bundleId: BundleIdSchema });
export type UnfreezeReport = z.infer<typeof UnfrozenSchema>;
export type OutboxPage = z.infer<typeof OutboxSchema>;

/**
 * Every method throws the guard's code for a refusal (its correlation id in `fields`), and
 * `ERR_GUARD_UNREACHABLE` when no answer came: of a mutation the outcome is unknown then.
 */
export interface GuardClient extends Disposable, AsyncDisposable {
  status(signal?: AbortSignal): Promise<GuardStatus>;
  /** The port's answer as JSON. */
  observe(name: ObservationName, signal?: AbortSignal): Promise<Json>;
  plan(operation: string, params: JsonObject, signal?: AbortSignal): Promise<PlanReport>;
  /** Nonce and issue time are drawn here. Resolves when the change ended or awaits confirmation. */
  request(request: OperationRequest, signal?: AbortSignal): Promise<ChangeReport>;
  /** Runs a declared command, once. Resolves when it ended, however that was. Nonce and issue time are drawn here. */
  exec(command: Pick<OperationRequest, 'operation' | 'params'>, signal?: AbortSignal): Promise<CommandReport>;
  order(envelope: string, signal?: AbortSignal): Promise<OrderReport>;
  confirm(changeId: string, signal?: AbortSignal): Promise<ChangeReport>;
  revert(changeId: string, signal?: AbortSignal): Promise<ChangeReport>;
  /** Frees a frozen host; for its root. @param reason at least 20 characters, kept in evidence (G-21) */
  unfreeze(reason: string, signal?: AbortSignal): Promise<UnfreezeReport>;
  seal(report: CheckReport, signal?: AbortSignal): Promise<SealedReport>;
  outbox(afterSeq: number, limit: number, signal?: AbortSignal): Promise<OutboxPage>;
  /** The newest audit records as JSON, oldest of them first. */
  auditTail(limit: number, signal?: AbortSignal): Promise<JsonObject[]>;
  /** Audit records from a sequence number on. */
  auditRead(from: number, limit: number, signal?: AbortSignal): Promise<JsonObject[]>;
  changes(limit: number, signal?: AbortSignal): Promise<ChangeReport[]>;
}

/** A request without what the connection adds. */
type Body = GuardRequest extends infer R ? (R extends GuardRequest ? Omit<R, 'v' | 'id'> : never) : never;

/** An order is the same order however often it comes (C-35), and so is a report; these are not. */
const SENT_ONCE: ReadonlySet<GuardRequest['kind']> = new Set(['request', 'exec', 'confirm', 'revert', 'unfreeze']);

/** Connects when first used. @param signal aborted: every call ends with its reason */
export function connectGuard(socketPath: string, signal: AbortSignal): GuardClient {
  const connection = new GuardConnection(socketPath);
  const ask = async <T extends z.ZodType>(
    body: Body,
    schema: T,
    own: AbortSignal | undefined,
    timeoutMs = READ_TIMEOUT_MS,
  ): Promise<z.infer<T>> => {
    if (JSON.stringify(body).length > MAX_GUARD_REQUEST_BYTES) {
      throw new HoldfastError('the request is too large', { code: 'ERR_GUARD_REQUEST_TOO_LARGE' });
    }
    const result = await connection.ask(
      body,
      { timeoutMs, isRepeatable: !SENT_ONCE.has(body.kind) },
      own === undefined ? signal : AbortSignal.any([signal, own]),
    );
    const parsed = schema.safeParse(result);
    if (parsed.success) return parsed.data;
    const paths = parsed.error.issues.map((issue) => issue.path.join('.')).join(' ');
    throw new HoldfastError('the answer is not one of a guard', {
      code: 'ERR_GUARD_PROTOCOL',
      fields: { kind: body.kind, paths },
    });
  };
  return {
    status: async (own) => ask({ kind: 'status' }, GuardStatusSchema, own),
    observe: async (name, own) =>
      (await ask({ kind: 'observe', name }, z.strictObject({ value: z.json() }), own)).value,
    plan: async (operation, params, own) => ask({ kind: 'plan', operation, params: params as never }, PlanSchema, own),
    request: async (
      { operation, params, remediationId = null, check = null, reason = null, notBeforeMs = null },
      own,
    ) =>
      ask(
        {
          kind: 'request',
          operation,
          params: params as never, // JSON either way; zod's type of it is mutable
          nonce: randomBytes(18).toString('base64url'),
          issuedAtMs: Math.floor(systemClock.monotonicMs()),
          cause: { kind: remediationId === null ? 'operator' : 'drift', remediationId, check, reason },
          ...(notBeforeMs === null ? {} : { notBeforeMs }),
        },
        ChangeReportSchema,
        own,
        MUTATION_TIMEOUT_MS,
      ),
    exec: async ({ operation, params }, own) =>
      ask(
        {
          kind: 'exec',
          operation,
          params: params as never, // JSON either way; zod's type of it is mutable
          nonce: randomBytes(18).toString('base64url'),
          issuedAtMs: Math.floor(systemClock.monotonicMs()),
        },
        CommandReportSchema,
        own,
        COMMAND_TIMEOUT_MS,
      ),
    order: async (envelope, own) => ask({ kind: 'order', envelope }, OrderReportSchema, own, MUTATION_TIMEOUT_MS),
    confirm: async (changeId, own) => ask({ kind: 'confirm', changeId }, ChangeReportSchema, own, MUTATION_TIMEOUT_MS),
    revert: async (changeId, own) => ask({ kind: 'revert', changeId }, ChangeReportSchema, own, MUTATION_TIMEOUT_MS),
    unfreeze: async (reason, own) => ask({ kind: 'unfreeze', reason }, UnfrozenSchema, own),
    seal: async (report, own) => ask({ kind: 'seal', report }, SealedSchema, own),
    outbox: async (afterSeq, limit, own) => ask({ kind: 'outbox', afterSeq, limit }, OutboxSchema, own),
    auditTail: async (limit, own) =>
      (await ask({ kind: 'audit.tail', limit }, z.strictObject({ records: z.array(JsonRecord) }), own)).records,
    auditRead: async (from, limit, own) =>
      (await ask({ kind: 'audit.tail', from, limit }, z.strictObject({ records: z.array(JsonRecord) }), own)).records,
    changes: async (limit, own) =>
      (await ask({ kind: 'changes', limit }, z.strictObject({ changes: z.array(ChangeReportSchema) }), own)).changes,
    [Symbol.dispose]: () => connection[Symbol.dispose](),
    [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
  };
}
