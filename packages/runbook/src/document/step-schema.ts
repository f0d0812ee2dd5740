/**
 * What stands in the fenced blocks of a runbook: steps, switches and the instance that drills start
 * . A block is YAML whose fence says `yaml step`, `yaml switch` or `yaml instance`; a step's type
 * is the one key that names it.
 */
import { z } from 'zod';
import { parseDuration } from './duration.ts';

/** Nothing in a drill may be waited for longer. */
const MAX_WITHIN_MS = 3_600_000;

const Text = z.string().trim().min(1).max(2_000);
const Name = z.string().min(1).max(200);
/** Environment variables: POSIX.1-2024 §8.1, and lower case too. */
const Variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/);
/** Relative to the repository's root (or the instance's directory), with `/`, and never out of it. */
export const PathSchema = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^\0\\]*$/, 'is written with /')
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'stays inside the repository');
/** The path of a URL alone: which host is asked is never the runbook's to say (R-30: loopback). */
const RoutePath = z
  .string()
  .max(500)
  .regex(/^\/(?!\/)[!-~]*$/, 'is a path such as /health, without host');
const Argv = z
  .array(
    z
      .string()
      .min(1)
      .max(1_000)
      .regex(/^[^\0]*$/),
  )
  .min(1)
  .max(64);
const Within = z
  .string()
  .max(40)
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms <= MAX_WITHIN_MS) return ms;
    context.addIssue({ code: 'custom', message: 'is a duration of at most 1 h, such as 30 s or 5 min' });
    return z.NEVER;
  });

/** What every step may cite as proof: tests by name, commits by full id. */
const cited = {
  tests: z.array(z.string().min(1).max(500)).max(50).default([]),
  commits: z
    .array(z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'is a full commit id'))
    .max(50)
    .default([]),
};

const STEP_SCHEMAS = {
  /** Sets a declared switch and starts the instance again. */
  'env-flag': z.strictObject({
    'env-flag': Variable,
    set: z.enum(['on', 'off']),
    within: Within.prefault('1 min'),
    ...cited,
  }),
  /** Asks until the answer is as expected, or the time is over. */
  'http-probe': z.strictObject({
    /** `GET /orders/42`; GET when no method is named. */
    'http-probe': z
      .string()
      .max(520)
      .transform((text, context) => {
        const match = /^(?:(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) )?(.*)$/s.exec(text)!;
        const path = RoutePath.safeParse(match[2]);
        if (path.success) return { method: match[1] ?? 'GET', path: path.data };
        context.addIssue({ code: 'custom', message: 'is a method and a path such as GET /health, without host' });
        return z.NEVER;
      }),
    /** As registered in the source, where the path has parameters or a prefix: `/orders/:id`. */
    route: RoutePath.nullable().default(null),
    status: z.int().min(100).max(599),
    contains: Text.nullable().default(null),
    within: Within,
    ...cited,
  }),
  /** Runs a file of the repository. */
  command: z.strictObject({
    command: Argv,
    exit: z.int().min(0).max(255).default(0),
    within: Within,
    ...cited,
  }),
  /** Reads a sample of the instance's metrics until its value is as expected. */
  'metric-query': z
    .strictObject({
      'metric-query': z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/, 'is the name of a metric'),
      labels: z.record(z.string().max(100), z.string().max(200)).default({}),
      equals: z.number().optional(),
      atLeast: z.number().optional(),
      atMost: z.number().optional(),
      within: Within,
      ...cited,
    })
    .refine(
      (step) => step.equals !== undefined || step.atLeast !== undefined || step.atMost !== undefined,
      'says equals, atLeast or atMost',
    ),
  file: z.strictObject({ file: PathSchema, contains: Text.nullable().default(null), ...cited }),
  symbol: z.strictObject({ symbol: Name, in: PathSchema, ...cited }),
  owner: z.strictObject({ owner: Name, for: Text.nullable().default(null), ...cited }),
  /** Something only a person can do; never counted as drilled. */
  manual: z.strictObject({ manual: Text, who: Name, within: Within.nullable().default(null), ...cited }),
} as const;

export type StepType = keyof typeof STEP_SCHEMAS;
export const STEP_TYPES = Object.keys(STEP_SCHEMAS) as StepType[];
export const stepSchema = (type: StepType): z.ZodType => STEP_SCHEMAS[type];

/** A step in no phase is verified and not drilled. */
export const PHASES = ['enable', 'disable', 'kill-switch', 'rollback', 'probe'] as const;
export type Phase = (typeof PHASES)[number];

interface Placed {
  readonly line: number;
  /** The headings above, from the second level on: `Playbooks / Checkout fails / Resolution`. */
  readonly heading: string;
  readonly phase: Phase | null;
}
type StepBody = { [T in StepType]: { readonly type: T } & z.infer<(typeof STEP_SCHEMAS)[T]> }[StepType];
export type Step = Placed & StepBody;
export type StepOf<T extends StepType> = Extract<Step, { type: T }>;

/** What one switch is; every document that says it says the same. */
export const SwitchSchema = z.strictObject({
  switch: Variable,
  default: z.enum(['on', 'off']),
  on: z.strictObject({ value: z.string().max(1_000), means: Text }),
  off: z.strictObject({ value: z.string().max(1_000), means: Text }),
  owner: Name,
});
export type Switch = z.infer<typeof SwitchSchema> & { readonly line: number };

/** How a drill starts the thing the runbook is about. */
export const InstanceSchema = z.strictObject({
  start: Argv,
  /** Where it runs. */
  directory: PathSchema.default('.'),
  /** The variable through which it is told on which port of 127.0.0.1 to listen. */
  port: Variable.default('PORT'),
  env: z.record(Variable, z.string().max(4_096)).default({}),
  /** Answers 200 once it may be used. */
  ready: RoutePath,
  within: Within.prefault('30 s'),
  /** How long it may take to end after SIGTERM; then it is killed. */
  grace: Within.prefault('5 s'),
  metrics: RoutePath.default('/metrics'),
});
export type Instance = z.infer<typeof InstanceSchema> & { readonly line: number };

/** The same text everywhere a step is named: in findings, drills and records; at most 300 characters. */
// oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, and the compiler says so when it is not
export function nameStep(step: Step): string {
  switch (step.type) {
    case 'env-flag':
      return `env-flag ${step['env-flag']}=${step.set}`;
    case 'http-probe':
      return `http-probe ${step['http-probe'].method} ${step['http-probe'].path}`.slice(0, 300);
    case 'command':
      return `command ${step.command.join(' ')}`.slice(0, 300);
    case 'metric-query':
      return `metric-query ${step['metric-query']}`;
    case 'file':
      return `file ${step.file}`.slice(0, 300);
    case 'symbol':
      return `symbol ${step.symbol}`;
    case 'owner':
      return `owner ${step.owner}`;
    case 'manual':
      return `manual ${step.manual}`.slice(0, 300);
  }
}
