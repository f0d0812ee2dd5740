/**
 * From the text of a gate file to a gate. Everything that is wrong is reported at once: what the
 * schema says, and what the lint rules say about those sections whose shape is right.
 */
import { sha256Hex } from '@holdfast/crypto';
import type { z } from 'zod';
import { type GatePath, type GateProblem, type LintProblem, placeProblem } from './gate-problem.ts';
import { type Gate, GateSchema } from './gate-schema.ts';
import { lintSections } from './lint-gate.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

/** A freeze record holds the file's text whole and takes no more than this. */
const MAX_GATE_CHARS = 4_000_000;
/** Nobody reads more, and each costs a search for its line. */
const MAX_PROBLEMS = 1_000;

export interface ParsedGate {
  /** `null` as soon as there is one error: a gate that may not mean what it says is not used. */
  readonly gate: Gate | null;
  /** SHA-256 of the text's UTF-8, hex. */
  readonly digest: string;
  /** In the order of the file. */
  readonly problems: readonly GateProblem[];
}

const whole = (message: string, line: number | null = null): GateProblem =>
  placeProblem({ path: [], rule: 'R-01', severity: 'error', message }, line);

/**
 * Reading a log, folding its board and judging it ask for the same frozen file, and a large one takes as
 * long as thousands of records. A log has few revisions that are asked for in turn.
 */
const MAX_REMEMBERED = 4;
/** By digest; gates are never changed after parsing. */
const remembered = new Map<string, ParsedGate>();

/** Never throws. */
export function parseGate(text: string): ParsedGate {
  const digest = sha256Hex(text);
  // What is not well-formed has the digest of another text.
  const known = text.isWellFormed() ? remembered.get(digest) : undefined;
  if (known !== undefined) return known;
  const parsed = parseText(text, digest);
  if (parsed.gate === null) return parsed;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(digest, parsed);
  return parsed;
}

function parseText(text: string, digest: string): ParsedGate {
  if (text.length > MAX_GATE_CHARS) {
    return {
      gate: null,
      digest,
      problems: [whole(`the file is longer than ${MAX_GATE_CHARS} characters; split the gate`)],
    };
  }
  if (!text.isWellFormed()) return { gate: null, digest, problems: [whole('the file is not UTF-8; save it as UTF-8')] };
  const source = readYaml(text);
  if (source.problems.length > 0) {
    return { gate: null, digest, problems: source.problems.map(({ message, line }) => whole(message, line)) };
  }
  const parsed = GateSchema.safeParse(source.value);
  const found = parsed.success
    ? lintSections(parsed.data)
    : [...parsed.error.issues.flatMap(problemsOf), ...lintSections(soundSections(source.value))];
  const usable = parsed.success && found.every(({ severity }) => severity !== 'error');
  return { gate: usable ? parsed.data : null, digest, problems: placed(found, source) };
}

/** The sections whose own shape is right: they can be linted although others are broken. */
function soundSections(value: unknown): Partial<Gate> {
  const sections: Record<string, unknown> = {};
  if (typeof value === 'object' && value !== null) {
    for (const [name, schema] of Object.entries(GateSchema.shape)) {
      const parsed = schema.safeParse((value as Record<string, unknown>)[name]);
      if (parsed.success) sections[name] = parsed.data;
    }
  }
  return sections;
}

function problemsOf(issue: z.core.$ZodIssue): LintProblem[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const problem = (message: string, at: GatePath = path): LintProblem => ({
    path: at,
    rule: 'R-01',
    severity: 'error',
    message,
  });
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => problem('is not a known key; correct its spelling or remove it', [...path, key]));
  }
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [problem('is missing')];
  }
  return [problem(issue.message)];
}

function placed(found: readonly LintProblem[], source: YamlSource): GateProblem[] {
  const problems = found
    .slice(0, MAX_PROBLEMS)
    .map((problem) => placeProblem(problem, source.lineOf(problem.path)))
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const rest = found.slice(MAX_PROBLEMS);
  return rest.length === 0 ? problems : [...problems, whole(`there are ${rest.length} more; correct these first`)];
}
