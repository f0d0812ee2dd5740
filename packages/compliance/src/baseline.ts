/**
 * The baseline: the wanted state of a host as a YAML document (C-03). This file turns its text into
 * a value, or into the whole list of what is wrong with it; signing and loading are in
 * `signed-baseline.ts`. The format is described in `docs/guides/baseline.md`.
 */
import { HoldfastError, ID_PATTERN, type JsonObject } from '@holdfast/core';
import { InstantSchema, SEVERITIES, type Severity } from '@holdfast/evidence';
import { z } from 'zod';
import type { Check } from './check.ts';
import { CHECKS } from './checks.ts';
import { type CustomCheck, CustomCheckSchema, MAX_CUSTOM_CHECKS } from './custom/declaration.ts';
import { parseStrictYaml, type Problem } from './strict-yaml.ts';

/** C-03. */
export const MAX_BASELINE_BYTES = 1024 * 1024;
/** C-05. */
export const MAX_EXCEPTION_DAYS = 90;
const DAY_MS = 86_400_000;
/** Every finding carries them: ten frameworks of twenty controls are 7 KB. */
const MAX_FRAMEWORKS = 10;
/** A document can be wrong in more ways than anyone reads. */
const MAX_PROBLEMS = 100;

/** C-26: what may be done about drift found by a check. */
export const REMEDIATION_POLICIES = ['auto', 'ask', 'window-only', 'never'] as const;
export type RemediationPolicy = (typeof REMEDIATION_POLICIES)[number];

const Common = z.strictObject({
  /** Instead of the severities the check itself gives. */
  severity: z.enum(SEVERITIES).nullable().default(null),
  /** Instead of the default mapping, for each framework that is named. */
  controls: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9.-]{0,31}$/), z.array(z.string().min(1).max(32)).max(20))
    .refine((controls) => Object.keys(controls).length <= MAX_FRAMEWORKS, 'names more than 10 frameworks')
    .default({}),
  remediation: z.enum(REMEDIATION_POLICIES).default('ask'),
});
const COMMON_KEYS: ReadonlySet<string> = new Set(Object.keys(Common.shape));

/** C-05. Turns `fail` into `excepted` for what it names, until it expires. */
const Exception = z.strictObject({
  check: z.string().max(64),
  /** A finding kind such as `port-unexpected`; `null` for all of the check. */
  kind: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,63}$/)
    .nullable()
    .default(null),
  /** The subject of the finding, or `*` for all. */
  subject: z.string().min(1).max(300),
  reason: z.string().min(1).max(500),
  owner: z.string().min(1).max(100),
  risk: z.enum(['low', 'medium', 'high']),
  expires: InstantSchema,
});
export type BaselineException = Readonly<z.infer<typeof Exception>>;

const Document = z.strictObject({
  version: z.literal(1),
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/),
  hostId: z.string().regex(ID_PATTERN).nullable().default(null),
  created: InstantSchema,
  checks: z.record(z.string().max(64), z.record(z.string().max(64), z.unknown())),
  /** C-14. Their severity, controls and exceptions are written as those of the built-in ones. */
  customChecks: z
    .array(CustomCheckSchema.extend({ severity: Common.shape.severity, controls: Common.shape.controls }))
    .max(MAX_CUSTOM_CHECKS)
    .default([]),
  exceptions: z.array(Exception).max(200).default([]),
});

/** What the baseline says about one check. */
export interface BaselineSection {
  readonly severity: Severity | null;
  readonly controls: Readonly<Record<string, readonly string[]>>;
  readonly remediation: RemediationPolicy;
  /** Parsed by the check's own schema. */
  readonly expectation: JsonObject;
}

export interface Baseline {
  readonly version: 1;
  readonly name: string;
  /** The one host it is for, or `null` for any. */
  readonly hostId: string | null;
  readonly created: string;
  readonly sections: ReadonlyMap<string, BaselineSection>;
  readonly customChecks: readonly CustomCheck[];
  readonly exceptions: readonly BaselineException[];
}

export type ParsedBaseline =
  | { readonly ok: true; readonly baseline: Baseline }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Parses the exact bytes of a baseline. Reports every problem by its path, echoes no value, never throws. */
export function parseBaseline(bytes: Uint8Array | string): ParsedBaseline {
  const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
  if (size > MAX_BASELINE_BYTES) return refuse([{ path: 'document', message: 'is larger than 1 MiB' }]);
  let text: string;
  try {
    text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse([{ path: 'document', message: 'is not UTF-8' }]);
  }
  const yaml = parseStrictYaml(text);
  if (!yaml.ok) return refuse(yaml.problems);

  const document = Document.safeParse(yaml.value);
  const problems: Problem[] = document.success ? [] : problemsOf(document.error, []);
  // Sections are looked at even when the rest is wrong, so that one reading shows everything.
  const rawChecks = recordOf(recordOf(yaml.value)?.['checks']);
  const sections = new Map<string, BaselineSection>();
  for (const [name, raw] of Object.entries(rawChecks ?? {})) {
    const section = parseSection(name, raw);
    if (section.ok) sections.set(name, section.section);
    else problems.push(...section.problems);
  }
  if (document.success) {
    const { customChecks, exceptions, created } = document.data;
    if (sections.size + customChecks.length === 0 && problems.length === 0) {
      problems.push({ path: 'checks', message: 'names no check' });
    }
    problems.push(...customCheckProblems(customChecks));
    problems.push(...exceptionProblems(exceptions, created, new Set(customChecks.map((custom) => custom.name))));
  }
  if (!document.success || problems.length > 0) return refuse(problems);
  const { version, name, hostId, created, customChecks, exceptions } = document.data;
  // In the order of CHECKS, whatever the order in the document; those of the baseline's own after them.
  const ordered = new Map([
    ...[...CHECKS.keys()].flatMap((check) => entryOf(sections, check)),
    ...customChecks.map((custom) => [custom.name, customSection(custom)] as const),
  ]);
  return { ok: true, baseline: { version, name, hostId, created, sections: ordered, customChecks, exceptions } };
}

type DeclaredCheck = z.infer<typeof Document>['customChecks'][number];

/** A module asks for no remedy: what it finds needs a person (C-14). */
function customSection({ severity, controls, title, module, inputs, config, limits }: DeclaredCheck): BaselineSection {
  return { severity, controls, remediation: 'never', expectation: { title, module, inputs, config, limits } };
}

function customCheckProblems(customChecks: readonly DeclaredCheck[]): Problem[] {
  const seen = new Set(CHECKS.keys());
  return customChecks.flatMap(({ name }, index) => {
    const isTaken = seen.has(name);
    seen.add(name);
    return isTaken ? [{ path: `customChecks.${index}.name`, message: 'is the name of another check' }] : [];
  });
}

/**
 * The expectation of one check, with its type.
 *
 * @returns `null` when the baseline says nothing about it
 */
export function expectationOf<E extends JsonObject>(baseline: Baseline | null, check: Check<E>): E | null {
  const section = baseline?.sections.get(check.name);
  return section === undefined ? null : check.expectation.parse(section.expectation);
}

/** C-26. What the baseline says nothing about is never remedied. */
export function remediationPolicyOf(baseline: Baseline, check: string): RemediationPolicy {
  return baseline.sections.get(check)?.remediation ?? 'never';
}

/** @throws `ERR_BASELINE_INVALID` with all problems in its message */
export function requireBaseline(parsed: ParsedBaseline): Baseline {
  if (parsed.ok) return parsed.baseline;
  throw new HoldfastError(`the baseline is not valid: ${formatProblems(parsed.problems)}`, {
    code: 'ERR_BASELINE_INVALID',
    fields: { problems: parsed.problems.length },
  });
}

/** `checks.ports.listening.0.port: Invalid input; …` */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
}

type ParsedSection =
  | { readonly ok: true; readonly section: BaselineSection }
  | { readonly ok: false; readonly problems: readonly Problem[] };

function parseSection(name: string, raw: unknown): ParsedSection {
  const check = CHECKS.get(name);
  if (check === undefined) return { ok: false, problems: [{ path: 'checks', message: 'has a section for no check' }] };
  const record = recordOf(raw);
  if (record === null) return { ok: false, problems: [] }; // the document's schema has said so
  const entries = Object.entries(record);
  const common = Common.safeParse(Object.fromEntries(entries.filter(([key]) => COMMON_KEYS.has(key))));
  const expectation = check.expectation.safeParse(Object.fromEntries(entries.filter(([key]) => !COMMON_KEYS.has(key))));
  if (common.success && expectation.success) {
    return { ok: true, section: { ...common.data, expectation: expectation.data } };
  }
  const problems: Problem[] = [];
  if (!common.success) problems.push(...problemsOf(common.error, ['checks', name]));
  if (!expectation.success) problems.push(...problemsOf(expectation.error, ['checks', name]));
  return { ok: false, problems };
}

/** C-05: of a check there is, and at most 90 days, counted from the making of the baseline. */
function exceptionProblems(
  exceptions: readonly BaselineException[],
  created: string,
  customNames: ReadonlySet<string>,
): Problem[] {
  const latestMs = Date.parse(created) + MAX_EXCEPTION_DAYS * DAY_MS;
  return exceptions.flatMap(({ check, expires }, index) => [
    ...(CHECKS.has(check) || customNames.has(check)
      ? []
      : [{ path: `exceptions.${index}.check`, message: 'is no check' }]),
    ...(Date.parse(expires) <= latestMs
      ? []
      : [{ path: `exceptions.${index}.expires`, message: `is more than ${MAX_EXCEPTION_DAYS} days after created` }]),
  ]);
}

function problemsOf(error: z.ZodError, prefix: readonly string[]): Problem[] {
  return error.issues.map((issue) => ({
    path: [...prefix, ...issue.path.map(String)].join('.') || 'document',
    // The messages of zod name types and limits; those for keys would quote the document.
    message: issue.code === 'unrecognized_keys' ? 'has unknown keys' : issue.message,
  }));
}

const refuse = (problems: readonly Problem[]): ParsedBaseline => ({
  ok: false,
  problems: problems.slice(0, MAX_PROBLEMS),
});

function recordOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function entryOf<V>(map: ReadonlyMap<string, V>, key: string): [string, V][] {
  const value = map.get(key);
  return value === undefined ? [] : [[key, value]];
}
