/**
 * Holds runbooks against the candidate: everything a step names exists there, everybody
 * named can be reached, documents that speak of one switch agree, and nothing a runbook depends on
 * changed since it was drilled. It runs nothing; that is `drill-runbook.ts`.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@holdfast/core';
import type { Candidate } from '../candidate/candidate.ts';
import { type Person, resolvePerson } from '../document/contact.ts';
import { MAX_DOCUMENT_BYTES } from '../document/outline.ts';
import { parseRunbook, parseSwitches, type Runbook } from '../document/parse-runbook.ts';
import { nameStep, type Switch } from '../document/step-schema.ts';
import { type Reference, referencesOf } from './reference.ts';
import { type Resolution, resolveReferences } from './resolve-references.ts';

const DAY_MS = 86_400_000;
const MAX_RUNBOOKS = 500;
/** Other documents may be long; a link or a larger file is told as skipped. */
const MAX_OTHER_BYTES = 8 * 1_024 * 1_024;

/** The newest drill that a runbook passed. */
export interface PassedDrill {
  /** What was drilled: `VerifiedRunbook.digest` at that time. */
  readonly digest: string;
  readonly atMs: number;
  readonly failedSince: boolean;
}

export interface VerifyOptions {
  /** Paths of the runbooks. None is a finding, not a success. */
  readonly runbooks: readonly string[];
  /** Other Markdown documents that describe switches. */
  readonly documents: readonly string[];
  /** Who can be named; `null` when runbooks name people by contact alone. */
  readonly people: readonly Person[] | null;
  /** Programs that commands may start a file of the tree with, such as `node`. */
  readonly tools: readonly string[];
  /** What is on record, by path; whoever is not in it never passed. `null` where none is kept: then `lastDrill` is believed. */
  readonly drilled: ReadonlyMap<string, PassedDrill> | null;
  /** drills age. */
  readonly maxDrillAgeDays: number;
  readonly nowMs: number;
}

export const RUNBOOK_RULES = [
  'runbook-missing',
  'runbook-malformed',
  'runbook-reference',
  'runbook-owner',
  'runbook-severity-route',
  'runbook-switch-conflict',
  'runbook-stale',
  'runbook-drill-overdue',
  'runbook-drill-failed',
] as const;

export interface RunbookFinding {
  readonly rule: (typeof RUNBOOK_RULES)[number];
  readonly path: string;
  readonly line: number;
  /** One sentence: what is wrong, and what to do. */
  readonly message: string;
}

export interface VerifiedRunbook {
  readonly path: string;
  readonly title: string;
  readonly status: Runbook['status'];
  /** Hex SHA-256 over the runbook and all that its steps depend on; `lastDrill` apart, which a drill itself changes. */
  readonly digest: string;
  readonly dependencies: readonly { readonly path: string; readonly digest: string }[];
  readonly steps: number;
  readonly references: number;
  /** Whether something changed since the last drill; `null` when there was none. */
  readonly stale: boolean | null;
}

export interface RunbookReport {
  readonly runbooks: readonly VerifiedRunbook[];
  /** Sorted by path and line. Good means: none. */
  readonly findings: readonly RunbookFinding[];
  /** Source files that were looked at. */
  readonly files: number;
  readonly bytes: number;
  /** Sources and documents that were not, each with why. */
  readonly skipped: Resolution['skipped'];
}

interface Loaded {
  readonly runbook: Runbook;
  readonly text: string;
  readonly references: readonly Reference[];
}
type Report = (rule: RunbookFinding['rule'], path: string, line: number, message: string) => void;

export async function verifyRunbooks(
  deps: { readonly candidate: Candidate },
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<RunbookReport> {
  const findings: RunbookFinding[] = [];
  const report: Report = (rule, path, line, message) => findings.push({ rule, path, line, message });
  const switches: { path: string; known: Switch }[] = [];
  const loaded: Loaded[] = [];
  const tools = new Set(options.tools);

  for (const path of new Set(options.runbooks.slice(0, MAX_RUNBOOKS))) {
    const text = await readText(deps.candidate, path, report);
    if (text === null) continue;
    const { runbook, problems } = parseRunbook(text, path);
    for (const { line, message } of problems) report('runbook-malformed', path, line, message);
    if (runbook === null) continue;
    for (const known of runbook.switches) switches.push({ path, known });
    loaded.push({ runbook, text, references: runbook.status === 'retired' ? [] : referencesOf(runbook, tools) });
  }
  if (options.runbooks.length > MAX_RUNBOOKS) {
    report('runbook-malformed', options.runbooks[MAX_RUNBOOKS]!, 1, `More than ${MAX_RUNBOOKS} runbooks are not read`);
  }
  // An empty set is never a good one.
  if (!loaded.some(({ runbook }) => runbook.status === 'active')) {
    report('runbook-missing', options.runbooks[0] ?? '.', 1, 'There is no valid runbook with status active');
  }
  const unread: { path: string; reason: string }[] = [];
  for (const path of options.documents) {
    const bytes = await deps.candidate.read(path, MAX_OTHER_BYTES);
    if (bytes === null) {
      unread.push({ path, reason: `no regular file of at most ${MAX_OTHER_BYTES} bytes` });
      continue;
    }
    const read = parseSwitches(Buffer.from(bytes).toString());
    for (const { line, message } of read.problems) report('runbook-malformed', path, line, message);
    for (const known of read.switches) switches.push({ path, known });
  }

  const references = loaded.flatMap((one) => one.references);
  const resolution = await resolveReferences(deps.candidate, references, signal);
  const unresolved = new Set(resolution.missing);
  for (const { runbook, references } of loaded) {
    for (const reference of references.filter((one) => unresolved.has(one))) {
      report('runbook-reference', runbook.path, reference.line, describeMissing(reference));
    }
    checkPeople(runbook, options.people, report);
  }
  checkSwitches(switches, report);
  const runbooks = loaded.map((one) => summarize(one, resolution, options, report));
  const { files, bytes } = resolution;
  findings.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
  return { runbooks, findings, files, bytes, skipped: [...unread, ...resolution.skipped] };
}

async function readText(candidate: Candidate, path: string, report: Report): Promise<string | null> {
  const bytes = await candidate.read(path, MAX_DOCUMENT_BYTES);
  if (bytes !== null) return Buffer.from(bytes).toString();
  report(
    'runbook-missing',
    path,
    1,
    `There is no such file in the tree, or it is larger than ${MAX_DOCUMENT_BYTES} bytes`,
  );
  return null;
}

const WHERE: Readonly<Record<Reference['kind'], string>> = {
  route: 'no source file has the route as a string, and no OpenAPI file names it; "route" says how it is registered',
  flag: 'no source file reads it from the environment',
  metric: 'no source file has its name as a string',
  file: 'it is no file of the tree',
  symbol: 'the file does not export or declare it',
  test: 'no test file has a test of that name',
  commit: 'it is no commit of the repository',
};

const describeMissing = ({ kind, name, by }: Reference): string =>
  `${by}: the ${kind} ${JSON.stringify(name)} does not exist: ${WHERE[kind]}`.slice(0, 1_000);

function checkPeople(runbook: Runbook, people: VerifyOptions['people'], report: Report): void {
  if (runbook.status === 'retired') return;
  const resolve = (name: string, line: number, what: string): string | null => {
    const person = resolvePerson(name, people);
    const how = people === null ? 'name a contact' : 'name a person of the list, with a contact';
    if (person === null)
      report('runbook-owner', runbook.path, line, `${what} ${JSON.stringify(name)} cannot be reached: ${how}`);
    return person;
  };
  resolve(runbook.owner, 1, 'The owner');
  for (const { owner, line } of runbook.switches) resolve(owner, line, "The switch's owner");
  for (const { to, line } of runbook.escalation) resolve(to, line, 'The escalation');
  for (const step of runbook.steps) {
    if (step.type === 'owner') resolve(step.owner, step.line, 'The owner');
    if (step.type === 'manual') resolve(step.who, step.line, `${nameStep(step)}: "who"`);
  }
  // somebody else takes over when the first one does not answer.
  for (const { severity, primary, escalation, line } of runbook.severities) {
    const first = resolve(primary, line, `${severity}: the primary`);
    const second = resolve(escalation, line, `${severity}: the escalation`);
    if (first !== null && first === second) {
      report('runbook-severity-route', runbook.path, line, `${severity}: primary and escalation are the same person`);
    }
  }
}

/** default, meaning and owner of one switch are the same wherever they are stated. */
function checkSwitches(all: readonly { path: string; known: Switch }[], report: Report): void {
  const first = new Map<string, { path: string; known: Switch }>();
  for (const statement of all) {
    const { path, known } = statement;
    const reference = first.get(known.switch);
    if (reference === undefined) {
      first.set(known.switch, statement);
      continue;
    }
    for (const part of ['default', 'on', 'off', 'owner'] as const) {
      if (canonicalJson(known[part]) === canonicalJson(reference.known[part])) continue;
      const message = `The switch ${known.switch} has another "${part}" than in ${reference.path}: make them the same`;
      report('runbook-switch-conflict', path, known.line, message);
    }
  }
}

function summarize(
  { runbook, text, references }: Loaded,
  { found, digests }: Resolution,
  options: VerifyOptions,
  report: Report,
): VerifiedRunbook {
  const paths = [...new Set(references.flatMap((reference) => found.get(reference) ?? []))].toSorted();
  const dependencies = paths.map((path) => ({ path, digest: digests.get(path)! }));
  const undated = text.replace(/^lastDrill:.*$/m, '');
  const missing = references.filter((reference) => !found.has(reference)).map(({ kind, name }) => `${kind} ${name}`);
  const digest = createHash('sha256')
    .update(canonicalJson({ format: 'holdfast-runbook/v1', text: undated, dependencies, missing }))
    .digest('hex');
  const drilled = options.drilled?.get(runbook.path);
  if (runbook.status === 'active') checkDrill(runbook, digest, drilled, options, report);
  return {
    path: runbook.path,
    title: runbook.title,
    status: runbook.status,
    digest,
    dependencies,
    steps: runbook.steps.length,
    references: references.length,
    stale: drilled === undefined ? null : drilled.digest !== digest,
  };
}

/** a drill counts for what was drilled, and for a while. */
function checkDrill(
  { path, lastDrill }: Runbook,
  digest: string,
  drilled: PassedDrill | undefined,
  { drilled: onRecord, maxDrillAgeDays, nowMs }: VerifyOptions,
  report: Report,
): void {
  if (drilled !== undefined && drilled.digest !== digest) {
    const changed = 'The runbook or something its steps depend on changed since the last drill: drill it again';
    report('runbook-stale', path, 1, changed);
  }
  if (drilled?.failedSince === true) {
    report(
      'runbook-drill-failed',
      path,
      1,
      'The last drill failed: correct the runbook or the code, and drill it again',
    );
  }
  const said = onRecord === null && lastDrill !== null ? Date.parse(lastDrill) : null;
  const drilledMs = drilled?.atMs ?? said;
  const overdue = (message: string): void => report('runbook-drill-overdue', path, 1, message);
  if (drilledMs === null) {
    overdue(onRecord === null ? 'The runbook was never drilled' : 'No passed drill of the runbook is on record');
  } else if (nowMs - drilledMs > (maxDrillAgeDays + 1) * DAY_MS) {
    overdue(`The last drill is older than ${maxDrillAgeDays} days: drill it again`);
  } else if (drilledMs > nowMs) {
    overdue('The day of the last drill is in the future');
  }
}
