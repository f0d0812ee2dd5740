/**
 * Everything a runbook names that has to exist at the candidate, and how one tells from the
 * facts of a source file that it does. Pure.
 */
import { isTestFile, type SourceFacts } from '../candidate/source-facts.ts';
import type { Runbook } from '../document/parse-runbook.ts';
import { nameStep, type Step } from '../document/step-schema.ts';

export interface Reference {
  readonly kind: 'route' | 'flag' | 'metric' | 'file' | 'symbol' | 'test' | 'commit';
  readonly name: string;
  /** Where a symbol is. */
  readonly file: string | null;
  readonly line: number;
  /** The step, switch or link that names it. */
  readonly by: string;
}

/** A command starts a file of the tree, or one of the tools with a file of the tree as its first argument. */
export function fileOfCommand(argv: readonly string[], directory: string, tools: ReadonlySet<string>): string | null {
  const named = tools.has(argv[0]!) ? argv[1] : argv[0];
  if (named === undefined || named.startsWith('-') || named.includes('\\')) return null;
  return joinPath(directory, named);
}

/** `null` when the path leaves the tree. */
export function joinPath(directory: string, path: string): string | null {
  const parts: string[] = [];
  if (path.startsWith('/')) return null;
  for (const part of `${directory}/${path}`.split('/')) {
    if (part === '..' && parts.pop() === undefined) return null;
    if (part !== '..' && part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

// oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, and the compiler says so when it is not
function referencesOfStep(step: Step, directory: string, tools: ReadonlySet<string>): Omit<Reference, 'line' | 'by'>[] {
  switch (step.type) {
    case 'env-flag':
      return [{ kind: 'flag', name: step['env-flag'], file: null }];
    case 'http-probe':
      return [{ kind: 'route', name: step.route ?? step['http-probe'].path.replace(/[?#].*$/s, ''), file: null }];
    case 'metric-query':
      return [{ kind: 'metric', name: step['metric-query'], file: null }];
    case 'file':
      return [{ kind: 'file', name: step.file, file: null }];
    case 'symbol':
      return [
        { kind: 'file', name: step.in, file: null },
        { kind: 'symbol', name: step.symbol, file: step.in },
      ];
    case 'command': {
      const file = fileOfCommand(step.command, directory, tools);
      return [{ kind: 'file', name: file ?? step.command[0]!, file: null }];
    }
    case 'owner':
    case 'manual':
      return []; // people, not things
  }
}

/** @param tools programs by name that commands may start a file of the tree with */
export function referencesOf(runbook: Runbook, tools: ReadonlySet<string>): Reference[] {
  const directory = runbook.instance?.directory ?? '.';
  const references: Reference[] = [];
  for (const step of runbook.steps) {
    const by = nameStep(step);
    for (const reference of referencesOfStep(step, directory, tools))
      references.push({ ...reference, line: step.line, by });
    for (const name of step.tests) references.push({ kind: 'test', name, file: null, line: step.line, by });
    for (const name of step.commits) references.push({ kind: 'commit', name, file: null, line: step.line, by });
  }
  for (const known of runbook.switches) {
    references.push({ kind: 'flag', name: known.switch, file: null, line: known.line, by: `switch ${known.switch}` });
  }
  if (runbook.instance !== null) {
    const { start, ready, line } = runbook.instance;
    const file = fileOfCommand(start, directory, tools) ?? start[0]!;
    references.push({ kind: 'file', name: file, file: null, line, by: 'instance' });
    references.push({ kind: 'route', name: ready, file: null, line, by: 'instance' });
  }
  for (const { target, line } of runbook.links) {
    const path = joinPath(runbook.path.split('/').slice(0, -1).join('/'), decode(target.replace(/[?#].*$/s, '')));
    references.push({ kind: 'file', name: path ?? target, file: null, line, by: `link to ${target}` });
  }
  return references;
}

function decode(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target; // no valid escape: taken as it stands, and not found
  }
}

/** Whether this file shows that `reference` exists. Files and commits are not found in sources. */
// oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, and the compiler says so when it is not
export function isFoundIn(reference: Reference, path: string, facts: SourceFacts): boolean {
  // What only tests or fixtures say does not run in production.
  if (isTestFile(path) !== (reference.kind === 'test') && !(reference.kind === 'test' && path.endsWith('.rs')))
    return false;
  switch (reference.kind) {
    case 'flag':
      return facts.environment.has(reference.name);
    case 'route':
      return some(facts.strings, (literal) => isRoute(literal, reference.name));
    case 'metric':
      return some(facts.strings, (literal) => hasMetric(literal, reference.name));
    case 'symbol':
      return path === reference.file && facts.declared.has(reference.name);
    case 'test':
      return namesOfTest(reference.name).some((name) => facts.strings.has(name) || facts.declared.has(name));
    case 'file':
    case 'commit':
      return false;
  }
}

const some = (values: ReadonlySet<string>, test: (value: string) => boolean): boolean => values.values().some(test);

/** The whole id, and the test alone of `suite > test` (node:test, vitest), `file::test` (pytest) and `mod::test` (Rust). */
const namesOfTest = (id: string): string[] => [id, id.split(' > ').at(-1)!, id.split('::').at(-1)!];

/** Parameters of a route: `:id` (Express), `{id}` (OpenAPI, Go, axum), `<id>` (Flask), `[id]` (files), `*`. */
const PARAMETER = /^(?::\w+|\{[^}]*\}|<[^>]*>|\[[^\]]*\]|\*)$/;

/** Whether a literal such as `/orders/:id` or `GET /orders/{id}` is what `path` arrives at. */
export function isRoute(literal: string, path: string): boolean {
  const route = literal.replace(/^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /, '');
  if (!route.startsWith('/')) return false;
  if (route === path) return true;
  const wanted = path.split('/');
  const parts = route.split('/');
  // A route of parameters alone would match everything.
  if (!parts.some((part) => part !== '' && !PARAMETER.test(part))) return false;
  return parts.length === wanted.length && parts.every((part, at) => part === wanted[at] || PARAMETER.test(part));
}

/** Samples of histograms and summaries have these behind the metric's name; OpenMetrics adds `_total`. */
const SAMPLE_SUFFIX = /_(?:bucket|sum|count|total|created)$/;

function hasMetric(literal: string, name: string): boolean {
  if (!literal.includes(name.replace(SAMPLE_SUFFIX, ''))) return false;
  const words = literal.split(/[^a-zA-Z0-9_:]+/);
  return words.includes(name) || words.includes(name.replace(SAMPLE_SUFFIX, ''));
}
