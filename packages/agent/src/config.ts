/**
 * The agent's options: `/etc/holdfast/agent.toml`, each overridden by `HOLDFAST_AGENT_<OPTION>` in
 * the environment. Strict: an unknown key or variable is a problem, and all problems are told at
 * once, by path and never with their value (C-28). Ids, server address and keys are not options:
 * they come from `trust.json`, which enrolment writes.
 */
import { HoldfastError, parseMaintenanceWindow } from '@holdfast/core';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';

const ENVIRONMENT_PREFIX = 'HOLDFAST_AGENT_';

function isWindow(text: string): boolean {
  try {
    parseMaintenanceWindow(text);
    return true;
  } catch {
    return false; // any refusal is the same answer here: the path is reported, not the reason
  }
}

/** C-28. `describe` is the documentation: `docs` and `agent.toml` are written from it. */
const AgentConfigSchema = z.strictObject({
  pollIntervalS: z
    .int()
    .min(10)
    .max(3_600)
    .default(60)
    .describe('Seconds between two cycles, 10 to 3600; each is moved by up to 10 % at random.'),
  maintenanceWindow: z
    .string()
    .max(200)
    .refine(isWindow, 'not a maintenance window')
    .default('02:00-04:00 UTC')
    .describe('When what the baseline marks window-only is mended, and what the guard deferred is asked for again.'),
  ntpMaxSkewMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(5_000)
    .describe('A clock further off than this many milliseconds is not sane: no disruptive work.'),
  healthCheckTimeoutS: z
    .int()
    .min(10)
    .max(300)
    .default(60)
    .describe('How long a check is repeated after its remediation, in seconds, before it counts as not fixed.'),
  coolDownS: z
    .int()
    .min(0)
    .max(3_600)
    .default(300)
    .describe('Seconds between two attempts of the same action; after 3 attempts in vain it grows.'),
  flapLimit: z
    .int()
    .min(1)
    .max(10_000)
    .default(3)
    .describe(
      'More drifts than this of one check within 30 minutes stop its healing for an hour; 64 and more turn this off.',
    ),
  healLimit: z
    .int()
    .min(1)
    .max(10_000)
    .default(5)
    .describe(
      'So many remediations of this host within 10 minutes stop all its healing for 30 minutes; more than 64 turn this off.',
    ),
  breakerFailures: z
    .int()
    .min(1)
    .max(10_000)
    .default(5)
    .describe('So many failed remediations in a row open the circuit breaker: nothing is healed while it is open.'),
  breakerOpenS: z
    .int()
    .min(1)
    .max(3_600)
    .default(60)
    .describe('Seconds for which the circuit breaker stays open; then one remediation at a time is tried.'),
  breakerSuccesses: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe('So many remediations that succeed one after the other close the circuit breaker again.'),
  requestTimeoutS: z.int().min(1).max(300).default(30).describe('Time-out of one request to the server, in seconds.'),
  uploadedRetentionDays: z
    .int()
    .min(1)
    .max(365)
    .default(7)
    .describe('Days for which the receipt of an uploaded bundle is kept.'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severe log lines that are written.'),
});

/** Validated once; nothing past it reads the environment. */
export type AgentConfig = Readonly<z.infer<typeof AgentConfigSchema>>;

/** Each option with its documentation and default, in order. */
export const AGENT_OPTIONS: readonly {
  readonly name: keyof AgentConfig;
  readonly environment: string;
  readonly text: string;
  readonly fallback: string | number;
}[] = Object.entries(AgentConfigSchema.shape).map(([name, schema]) => ({
  name: name as keyof AgentConfig,
  environment: environmentName(name),
  text: schema.description ?? '',
  fallback: schema.parse(undefined),
}));

function environmentName(option: string): string {
  return ENVIRONMENT_PREFIX + option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** `"60"` is a number in the environment; anything else stays text and is judged by the schema. */
const environmentValue = (text: string): string | number => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);

/**
 * @param toml text of `agent.toml`, empty when there is none: every option has a default
 * @throws `ERR_CONFIG_INVALID` with every problem by its path
 */
export function parseAgentConfig(toml: string, environment: Readonly<Record<string, string | undefined>>): AgentConfig {
  const problems: string[] = [];
  let values: Record<string, unknown> = {};
  try {
    values = { ...parseToml(toml) };
  } catch (cause) {
    // The parser's message quotes the file: only where it stopped is told.
    const line = typeof cause === 'object' && cause !== null && 'line' in cause ? Number(cause.line) : 0;
    problems.push(`agent.toml: line ${line} is not TOML`);
  }
  const known = new Map(AGENT_OPTIONS.map((option) => [option.environment, option.name]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue;
    const name = known.get(variable);
    if (name === undefined) problems.push(`${variable}: no such option`);
    else values[name] = environmentValue(text);
  }
  const parsed = AgentConfigSchema.safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const paths = issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.join('.')];
      for (const path of paths)
        problems.push(`${path}: ${issue.code === 'unrecognized_keys' ? 'no such option' : issue.message}`);
    }
  }
  if (!parsed.success || problems.length > 0) {
    throw new HoldfastError(`the agent's configuration is not valid: ${problems.join('; ')}`, {
      code: 'ERR_CONFIG_INVALID',
      fields: { problems: problems.join('; ') },
    });
  }
  return Object.freeze(parsed.data);
}

/** Text of an `agent.toml` in which every option stands, explained and commented out. */
export function formatAgentConfig(): string {
  const entries = AGENT_OPTIONS.map(
    ({ name, environment, text, fallback }) =>
      `# ${text} (${environment})\n# ${name} = ${typeof fallback === 'string' ? JSON.stringify(fallback) : fallback}\n`,
  );
  return `# Options of the Holdfast agent. What is commented out has the value shown.\n\n${entries.join('\n')}`;
}
