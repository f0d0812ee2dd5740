/**
 * The gate file: one YAML document that says what a release needs. This is its schema alone;
 * what no schema can say (unknown ids, cycles, a milestone that is too small) is `lint-gate.ts`.
 */
import { z } from 'zod';

/** Also names directories and stands in reports, so it has one spelling. */
export const GATE_ID_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const Id = z
  .string()
  .regex(GATE_ID_PATTERN, 'an id has 1 to 64 lower-case letters, digits, `.`, `_` or `-`, the first a letter or digit');
const Text = z.string().trim().min(1).max(2_000);
/** Calendar date, UTC: the whole day belongs to it. */
export const DateSchema = z.iso.date();
const Argv = z.array(z.string().min(1).max(4_096)).min(1).max(256);
/** Relative to the repository's root; `**`, `*` and `?` as in .gitignore. */
const PathPattern = z
  .string()
  .min(1)
  .max(500)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'stays inside the repository');

/** R-11, lowest first. */
export const TIERS = [
  'test-proof',
  'local-rehearsal',
  'managed-runtime-exercise',
  'real-external-e2e',
  'production-observed',
] as const;
export type Tier = (typeof TIERS)[number];

/** What a command is, and with that the highest tier its evidence may claim. */
export const COMMAND_KINDS = [
  'build',
  'search',
  'scan',
  'test',
  'drill',
  'exercise',
  'external-test',
  'observation',
] as const;
export type CommandKind = (typeof COMMAND_KINDS)[number];
export const TIER_CAP: Readonly<Record<CommandKind, Tier>> = {
  build: 'test-proof',
  search: 'test-proof',
  scan: 'test-proof',
  test: 'test-proof',
  drill: 'local-rehearsal',
  exercise: 'managed-runtime-exercise',
  'external-test': 'real-external-e2e',
  observation: 'production-observed',
};

export const GATE_SEVERITIES = ['P0', 'P1', 'P2'] as const;
export type GateSeverity = (typeof GATE_SEVERITIES)[number];

/** The report formats that are read; `scan` is the report of `holdfast gate scan …`. */
export const REPORT_FORMATS = [
  'tap',
  'junit',
  'go-test-json',
  'node-test',
  'vitest-json',
  'pytest-junit',
  'libtest',
  'sarif',
  'scan',
] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

const SurfaceSchema = z.strictObject({
  id: Id,
  title: Text,
  /** The code of this surface. */
  paths: z.array(PathPattern).min(1).max(100),
  /** Ids of the tests that exercise it; `*` stands for any characters. */
  tests: z.array(z.string().min(1).max(500)).min(1).max(1_000),
  /** whether a P0 can arise here. Cautious when unsaid. */
  p0: z.boolean().default(true),
  /** the lowest tier that counts for it. */
  minTier: z.enum(TIERS).default('test-proof'),
});
export type Surface = z.infer<typeof SurfaceSchema>;

/** A test that was written to close a gap: it must appear by name, and fail without what it protects. */
const GapTestSchema = z.strictObject({
  test: z.string().min(1).max(500),
  /** How the protection is removed, in a copy of the tree. */
  mutation: z.union([
    z.strictObject({ patch: PathPattern }),
    z.strictObject({ file: PathPattern, replace: z.string().min(1).max(10_000), with: z.string().max(10_000) }),
  ]),
});
export type GapTest = z.infer<typeof GapTestSchema>;

const CommandSchema = z.strictObject({
  id: Id,
  kind: z.enum(COMMAND_KINDS),
  argv: Argv,
  /** Working directory, relative to the root. */
  cwd: PathPattern.default('.'),
  timeoutSeconds: z.int().min(1).max(86_400).default(600),
  /** exit codes that count as passing, declared before the run. */
  exit: z.array(z.int().min(0).max(255)).min(1).max(16).default([0]),
  /** what other exit codes mean, declared before the run. Anything else fails. */
  triage: z
    .array(z.strictObject({ exit: z.int().min(0).max(255), outcome: z.enum(['fail', 'inconclusive']), means: Text }))
    .max(32)
    .default([]),
  /** Where the machine-readable result is: on `stdout`, or a file that the command writes (deleted before each run). */
  report: z
    .strictObject({ format: z.enum(REPORT_FORMATS), from: z.union([z.literal('stdout'), PathPattern]) })
    .nullable()
    .default(null),
  /** fewer executed tests than this fail, whatever the exit code. */
  floor: z.int().min(1).max(1_000_000).nullable().default(null),
  gapTests: z.array(GapTestSchema).max(200).default([]),
  /** R-09, `search` only: how many lines each file must match; a file that is not named must match none. */
  expect: z.record(z.string().max(500), z.int().min(0)).nullable().default(null),
  tier: z.enum(TIERS).default('test-proof'),
  /** Name of a sandbox profile to run behind, or none. It names a file as well. */
  sandbox: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'is the name of a profile: lower-case letters, digits, `-` and `_`')
    .nullable()
    .default(null),
  /** evidence older than this is expired. */
  maxAgeHours: z.int().min(1).max(8_760).nullable().default(null),
});
export type GateCommand = z.infer<typeof CommandSchema>;

const PacketSchema = z.strictObject({
  id: Id,
  title: Text,
  checklist: z.array(Text).min(1).max(200),
  /** Packets that are DONE and APPROVED before this one starts; `00` goes without saying. */
  needs: z.array(Id).max(1_000).default([]),
  commands: z.array(Id).max(1_000).default([]),
  implementer: Id,
  reviewer: Id,
  /** needed once a P0 was found or accepted in it. */
  secondReviewer: Id.nullable().default(null),
});
export type Packet = z.infer<typeof PacketSchema>;

export const ROLES = ['implementer', 'reviewer', 'approver', 'issuer', 'machine'] as const;
const PersonSchema = z.strictObject({
  id: Id,
  name: Text,
  /** how to reach them: an e-mail address, a URL or a telephone number. */
  contact: z.union(
    [z.email(), z.url(), z.string().regex(/^\+[0-9 ]{6,20}$/)],
    'is an e-mail address, a URL or a telephone number such as +41 44 000 00 00',
  ),
  roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length),
  /** SPKI PEM or base64 of the raw Ed25519 public key. More than one while a key is being replaced. */
  keys: z.array(z.string().min(1).max(1_000)).max(10).default([]),
  /** E-mail addresses under which this person commits (R-13: authors do not review their own). */
  git: z.array(z.string().min(1).max(320)).max(20).default([]),
});
export type Person = z.infer<typeof PersonSchema>;

const ToolSchema = z.strictObject({
  name: Id,
  argv: Argv,
  /** what the release build uses; a run under anything else is invalid. Compared with the first line printed. */
  release: z.string().min(1).max(300),
});

const PoliciesSchema = z.strictObject({
  /** evidence older than this is expired, unless its command says otherwise. */
  maxEvidenceAgeHours: z.int().min(1).max(8_760).default(168),
  /** the longest a P1 may be accepted. */
  maxP1AcceptanceDays: z.int().min(1).max(365).default(90),
  /** a thing waived more often than this in a row needs two approvers. */
  maxConsecutiveWaivers: z.int().min(0).max(100).default(2),
  /** the severity of a flake finding. */
  flakeSeverity: z.enum(GATE_SEVERITIES).default('P1'),
  /** a scan that covers less than this share of the last one's bytes, files or commits is a finding. */
  minScanCoverage: z.number().min(0).max(1).default(0.9),
  /** an older vulnerability database is stale. */
  maxDatabaseAgeDays: z.int().min(1).max(365).default(7),
  /** whether GO_WITH_CONDITIONS gives a PASSED verification summary. */
  conditionsPass: z.boolean().default(false),
});
export type Policies = z.infer<typeof PoliciesSchema>;

const ClauseSchema = z.strictObject({ id: Id, text: Text });

export const GateSchema = z.strictObject({
  version: z.literal(1),
  /** One gate is one release of one thing: acceptances are for it alone. */
  id: Id,
  title: Text,
  release: z.string().min(1).max(100),
  /** What VSA and SLSA call the resource: `pkg:npm/thing`, `https://example.com/thing`. */
  resource: z.string().min(1).max(500),
  /** Directory of the records, committed with the code. */
  records: PathPattern.default('.gate'),
  /** The last released tag or commit: whoever committed since is an author. `null` for a first release. */
  base: z.string().min(1).max(200).nullable().default(null),
  scope: z.strictObject({
    surfaces: z.array(SurfaceSchema).min(1).max(1_000),
    outOfScope: z
      .array(z.strictObject({ what: Text, reason: Text }))
      .max(200)
      .default([]),
  }),
  /** What each severity means, clause by clause; a finding cites one. */
  rubric: z.strictObject({
    P0: z.array(ClauseSchema).min(1).max(50),
    P1: z.array(ClauseSchema).min(1).max(50),
    P2: z.array(ClauseSchema).min(1).max(50),
  }),
  toolchain: z.array(ToolSchema).min(1).max(50),
  environment: z
    .strictObject({
      /** Variables that commands inherit. They get no others. */
      pass: z
        .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
        .max(200)
        .default(['PATH', 'HOME', 'LANG', 'TMPDIR']),
      set: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4_096)).default({}),
    })
    .prefault({}),
  commands: z.array(CommandSchema).min(1).max(1_000),
  packets: z.array(PacketSchema).min(1).max(10_000),
  /** run again for the verdict, on the candidate. */
  milestone: z.array(Id).min(1).max(1_000),
  policies: PoliciesSchema.prefault({}),
  people: z.array(PersonSchema).min(1).max(1_000),
  /** when to roll back, in words that a person on call can check. */
  rollbackTriggers: z.array(Text).max(50).default([]),
  /** what whoever deploys does, in order. */
  operatorList: z.array(Text).max(100).default([]),
  /** Files whose digests the verdict names, such as the built archive. */
  artifacts: z.array(PathPattern).max(100).default([]),
});
/** A gate file as parsed: every default filled in. */
export type Gate = z.infer<typeof GateSchema>;

/** The packet that freezes scope, rubric, order and commands. */
export const FREEZE_PACKET = '00';
