/**
 * The shape of a policy file (G-09) after TOML: everything a policy may say, with unknown keys
 * refused. What the parts mean together (references, shadowing, grants of everything) is `lint.ts`.
 */
import { z } from 'zod';
import { SandboxProfileSchema } from './sandbox-profile.ts';

/** Names of principals, groups, rules and windows: short, ASCII, safe in logs. */
const Name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/);
const ParamName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/);
/** `area.name`, or `area.*` for all of an area. `*` alone parses so that lint can name it for what it is. */
const OperationPattern = z.string().regex(/^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_-]*)*\.(\*|[a-z][a-z0-9_-]*))$/);
const AbsolutePath = z
  .string()
  .max(1_024)
  .regex(/^\/(?!.*\/\/)(?!.*(^|\/)\.{1,2}(\/|$))[^\0]*$/, 'an absolute path without //, . and ..');

/** Everything that is not a mutation and still has to be granted (G-02). `status` is never listed: it is always answered. */
export const READS = [
  'observe.packet-filter',
  'observe.accounts',
  'observe.files',
  'plan',
  'seal',
  'outbox',
  'changes',
  'audit.tail',
] as const;
export type ReadName = (typeof READS)[number];

const PrincipalSchema = z.union([
  z.strictObject({ name: Name, user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}\$?$/) }),
  z.strictObject({ name: Name, uid: z.int().min(0).max(4_294_967_294) }),
  /** Whoever signs orders with a pinned key (G-03). */
  z.strictObject({ name: Name, kind: z.literal('control-plane') }),
]);

/** One condition on one parameter; of an array, on each element. */
export const ConstraintSchema = z.union([
  z.strictObject({
    enum: z
      .array(z.union([z.string(), z.number(), z.boolean()]))
      .min(1)
      .max(1_000),
  }),
  /** Matches the whole value. */
  z.strictObject({ pattern: z.string().min(1).max(500) }),
  z.strictObject({ pathPrefix: AbsolutePath }),
  z.strictObject({ min: z.int(), max: z.int() }),
]);
export type Constraint = z.infer<typeof ConstraintSchema>;

export const EFFECTS = ['allow', 'deny', 'needs-approval'] as const;
export type Effect = (typeof EFFECTS)[number];

const RuleSchema = z.strictObject({
  name: Name,
  principals: z.array(Name).min(1).max(200),
  operations: z.array(OperationPattern).min(1).max(200),
  effect: z.enum(EFFECTS),
  params: z.record(ParamName, ConstraintSchema).default({}),
});
export type Rule = z.infer<typeof RuleSchema>;

const ReadGrantSchema = z.strictObject({
  name: Name,
  principals: z.array(Name).min(1).max(200),
  allow: z.array(z.enum(READS)).min(1),
});

const CommandParamSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('string'),
    pattern: z.string().min(1).max(500),
    maxChars: z.int().min(1).max(4_096).default(256),
  }),
  z.strictObject({ type: z.literal('integer'), min: z.int(), max: z.int() }),
  z.strictObject({ type: z.literal('enum'), values: z.array(z.string().min(1).max(256)).min(1).max(200) }),
  z.strictObject({ type: z.literal('path'), prefix: AbsolutePath }),
]);
export type CommandParam = z.infer<typeof CommandParamSchema>;

const CommandSchema = z.strictObject({
  name: z.string().regex(/^exec\.[a-z][a-z0-9_-]{0,63}$/),
  path: AbsolutePath,
  /** Elements after the path. An element that is exactly `{name}` is filled by that parameter, whole (G-10). */
  argv: z.array(z.string().max(4_096)).max(100).default([]),
  params: z.record(ParamName, CommandParamSchema).default({}),
  /** Names that may pass from the guard's own environment. */
  env: z
    .array(z.string().regex(/^[A-Z_][A-Z0-9_]{0,63}$/))
    .max(50)
    .default([]),
  cwd: AbsolutePath.default('/'),
  /** One of `profiles`, or `default`. */
  profile: Name.default('default'),
  timeoutMs: z.int().min(100).max(3_600_000).default(60_000),
  maxOutputBytes: z
    .int()
    .min(1_024)
    .max(64 * 1024 * 1024)
    .default(1024 * 1024),
});
export type Command = z.infer<typeof CommandSchema>;

const BucketSchema = z.strictObject({
  burst: z.int().min(1).max(100_000),
  perMinute: z.int().min(1).max(100_000),
});
export type Bucket = z.infer<typeof BucketSchema>;

/** Mutations are rare and dear, sealing a report is routine: a cycle of all checks seals a dozen. */
export const DEFAULT_MUTATION_BUCKET: Bucket = { burst: 20, perMinute: 10 };
export const DEFAULT_SEAL_BUCKET: Bucket = { burst: 2_000, perMinute: 6_000 };

const RateLimitSchema = z.strictObject({
  name: Name,
  principals: z.array(Name).min(1).max(200),
  mutations: BucketSchema.default(DEFAULT_MUTATION_BUCKET),
  seal: BucketSchema.default(DEFAULT_SEAL_BUCKET),
});

/** Parsed and hashed with the rest; what they switch on is enforced where it exists, and denies until then. */
const ApprovalSchema = z.strictObject({
  name: Name,
  operations: z.array(OperationPattern).min(1),
  approvers: z.array(Name).min(1),
  required: z.int().min(1).max(10),
});
const DecoySchema = z.strictObject({ name: Name, operation: z.string().max(100) });
const ResponseSchema = z.strictObject({ freezeOnFailedRevert: z.literal(true).default(true) });

const WindowSchema = z.strictObject({
  name: Name,
  /** As `parseMaintenanceWindow` reads it. */
  schedule: z.string().min(1).max(200),
  /** Operations it opens; all disruptive ones when left out. */
  operations: z.array(OperationPattern).min(1).optional(),
});

export const PolicySchema = z.strictObject({
  version: z.literal(1),
  principals: z.array(PrincipalSchema).max(1_000).default([]),
  groups: z.record(Name, z.array(Name).max(1_000)).default({}),
  rules: z.array(RuleSchema).max(5_000).default([]),
  reads: z.array(ReadGrantSchema).max(1_000).default([]),
  commands: z.array(CommandSchema).max(500).default([]),
  profiles: z.array(SandboxProfileSchema).max(100).default([]),
  rateLimits: z.array(RateLimitSchema).max(200).default([]),
  windows: z.array(WindowSchema).max(50).default([]),
  approvals: z.array(ApprovalSchema).max(100).default([]),
  decoys: z.array(DecoySchema).max(100).default([]),
  response: ResponseSchema.default({ freezeOnFailedRevert: true }),
});
/** What one effective policy says, before it is compiled. */
export type PolicyDocument = z.infer<typeof PolicySchema>;
