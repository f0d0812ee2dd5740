/**
 * Redaction of JSON values before they are signed (P-31): every string, member names included, and
 * what was taken out is counted by class. Redacting twice changes nothing more.
 */
import { HoldfastError, type Json } from '@holdfast/core';
import { z } from 'zod';
import { isLabelledSecret, markerFor, REDACTION_CLASSES, type RedactionClass } from './redaction-classes.ts';
import { MAX_EXCERPT_CHARS, type Predicate } from './statement.ts';

const MAX_DEPTH = 200;

/** Character sets of tokens; a set instead of a pattern, so that no configuration makes redaction slow. */
const CHARACTER_SETS = {
  digits: '0-9',
  hex: '0-9A-Fa-f',
  alphanumeric: '0-9A-Za-z',
  base64: '0-9A-Za-z+/=',
  base64url: '0-9A-Za-z_=-',
};

const ClassName = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const RedactionConfigSchema = z.strictObject({
  /** Built-in classes that stay in. */
  disabled: z.array(z.enum(REDACTION_CLASSES.map(({ name }) => name))).default([]),
  /** Tokens of one's own: a fixed prefix, then at least so many characters of a set. */
  tokens: z
    .array(
      z.strictObject({
        class: ClassName,
        prefix: z.string().min(2).max(64),
        characters: z.enum(['digits', 'hex', 'alphanumeric', 'base64', 'base64url']),
        minLength: z.int().min(1).max(256),
      }),
    )
    .max(100)
    .default([]),
  /** Member names whose values are always taken out, in any case. */
  labels: z
    .array(z.strictObject({ class: ClassName, label: z.string().min(1).max(64) }))
    .max(100)
    .default([]),
});

/** Classes in the order in which they run. Made by `parseRedactionRules`. */
export type RedactionRules = readonly RedactionClass[];

export const DEFAULT_REDACTION_RULES: RedactionRules = REDACTION_CLASSES;

/**
 * Rules from configuration.
 *
 * @throws `ERR_CONFIG_INVALID` with the path of the first problem
 */
export function parseRedactionRules(config: unknown): RedactionRules {
  const parsed = RedactionConfigSchema.safeParse(config);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? '';
    throw new HoldfastError(`redaction rules refused at ${path}`, { code: 'ERR_CONFIG_INVALID', fields: { path } });
  }
  const { disabled, tokens, labels } = parsed.data;
  return [
    ...REDACTION_CLASSES.filter(({ name }) => !disabled.includes(name)),
    ...tokens.map(({ class: name, prefix, characters, minLength }) => {
      const regex = new RegExp(`${RegExp.escape(prefix)}[${CHARACTER_SETS[characters]}]{${minLength},}`, 'g');
      return { name, redact: (text: string, redacted: () => string) => text.replace(regex, redacted) };
    }),
    ...labels.map(({ class: name, label }) => ({
      name,
      redact: (text: string) => text,
      label: new RegExp(`^${RegExp.escape(label)}$`, 'i'),
    })),
  ];
}

/** How many passages of which class were taken out. */
export type RedactionCounts = Readonly<Record<string, number>>;

/**
 * `value` with every passage of a class in `rules` replaced by `[redacted:<class>]`.
 *
 * @throws `ERR_NOT_CANONICAL` when `value` is nested deeper than 200
 */
export function redact(
  value: Json,
  rules: RedactionRules = DEFAULT_REDACTION_RULES,
): { value: Json; counts: RedactionCounts } {
  const redaction = new Redaction(rules);
  return { value: redaction.value(value, 0), counts: redaction.counts };
}

/**
 * The predicate with everything redacted that was read from the host or written by a stranger: messages,
 * states, diffs, excerpts. Ids, digests, times and what a remediation needs stay as they are. Counts
 * are added to those already in `redactions`, and texts that grew are cut to their limits.
 */
export function redactPredicate(predicate: Predicate, rules: RedactionRules = DEFAULT_REDACTION_RULES): Predicate {
  const redaction = new Redaction(rules, predicate.redactions);
  const text = (value: string, maxChars: number): string => redaction.text(value).slice(0, maxChars).toWellFormed();
  const excerpt = (value: string | null): string | null => (value === null ? null : text(value, MAX_EXCERPT_CHARS));
  const { decision, error } = predicate;
  const redacted = {
    ...predicate,
    decision: decision === null ? null : { ...decision, reasons: decision.reasons.map((reason) => text(reason, 300)) },
    findings: predicate.findings.map((finding) => ({
      ...finding,
      message: text(finding.message, 1_000),
      observed: redaction.value(finding.observed, 0),
      expected: redaction.value(finding.expected, 0),
      diff: excerpt(finding.diff),
    })),
    preState: redaction.value(predicate.preState, 0),
    postState: redaction.value(predicate.postState, 0),
    actions: predicate.actions.map((action) => ({
      ...action,
      action: text(action.action, 300),
      excerpt: excerpt(action.excerpt),
    })),
    error: error === null ? null : { ...error, message: text(error.message, 1_000) },
  };
  return { ...redacted, redactions: redaction.counts };
}

/** One pass over one value, counting as it goes. */
class Redaction {
  readonly counts: Record<string, number>;
  readonly #rules: RedactionRules;

  constructor(rules: RedactionRules, counts: RedactionCounts = {}) {
    this.#rules = rules;
    this.counts = { ...counts };
  }

  value(value: Json, depth: number): Json {
    if (depth > MAX_DEPTH) throw new HoldfastError('nested too deeply', { code: 'ERR_NOT_CANONICAL' });
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (isArray(value)) return value.map((item) => this.value(item, depth + 1));
    const members = new Map<string, Json>();
    const taken = new Map<string, number>();
    for (const [key, member] of Object.entries(value)) {
      const name = this.text(key);
      const number = (taken.get(name) ?? 0) + 1;
      taken.set(name, number);
      // Two names that differ only in what was redacted must not become one.
      members.set(number === 1 ? name : `${name}#${number}`, this.#member(key, member, depth));
    }
    return Object.fromEntries(members);
  }

  text(text: string): string {
    let rest = text;
    for (const { name, redact } of this.#rules) rest = redact(rest, () => this.#count(name));
    // Cutting text where it was read may have left half of a surrogate pair; canonical JSON has no form for that.
    return rest.toWellFormed();
  }

  #member(key: string, member: Json, depth: number): Json {
    if (typeof member === 'string' || typeof member === 'number') {
      const label = this.#rules.find((rule) => rule.label?.test(key));
      if (label !== undefined && isLabelledSecret(String(member))) return this.#count(label.name);
    }
    return this.value(member, depth + 1);
  }

  #count(name: string): string {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    return markerFor(name);
  }
}

/** Array.isArray does not narrow readonly arrays. */
function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
