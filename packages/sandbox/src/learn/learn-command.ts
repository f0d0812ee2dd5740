/**
 * Learning, inside the lab host: traced runs, a first proposal, a confined run that measures it,
 * the proposal with its limits, and the confined run that verifies it. Every run has a fresh copy of the
 * working directory. What comes out is data; the proposal itself is made of it by `proposeProfile`.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SandboxProfileSchema } from '@holdfast/policy';
import type { Sandbox } from '../sandbox.ts';
import { type ConfinedResult, type ConfinedRun, runConfined } from './confined-run.ts';
import { type Observations, uniteObservations } from './observations.ts';
import { type LearnFacts, proposeProfile } from './propose-profile.ts';
import { readTrace, runTraced, STRACE } from './traced-run.ts';
import { RefusalObserver } from './list-refusals.ts';
import { STRACE_OPTIONS } from './trace-text.ts';

/** In the lab host, for its root alone but the working copy. */
export const LEARN_DIRECTORY = '/srv/holdfast-learn';
/** What `--dir` gave: copied from for each run. */
export const LEARN_SOURCE = `${LEARN_DIRECTORY}/source`;
export const LEARN_STDIN = `${LEARN_DIRECTORY}/stdin`;
const WORK = `${LEARN_DIRECTORY}/work`;

export interface LearnRequest {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly runs: number;
  /** Of each run. */
  readonly timeoutMs: number;
}

export interface LearnReport {
  readonly observations: Observations;
  readonly facts: LearnFacts;
  readonly verification: Verification;
}

export interface Verification {
  /** Whether the command ended under the proposal as it had ended without. */
  readonly suffices: boolean;
  readonly confined: ConfinedResult;
  /** What the command was refused, when the proposal does not suffice. */
  readonly refusals: readonly string[];
}

/** For the run that measures: more than any lab host has, so that it is the host that limits. */
const MEASURING = { memoryBytes: 16 * 1_024 ** 3, outputBytes: 64 * 1_024 ** 2 };
const MAX_CPU_SECONDS = 86_400;
const SET_ID_BITS = 0o6000;
const CONFINE_MAIN = fileURLToPath(new URL('confine-main.ts', import.meta.url));
/** Node and a spawner under strace. */
const TRACED_SANDBOX_MS = 30_000;
const execFileAsync = promisify(execFile);

export async function learnCommand(sandbox: Sandbox, request: LearnRequest, signal: AbortSignal): Promise<LearnReport> {
  const { name, argv, runs, timeoutMs } = request;
  const { user, env } = SandboxProfileSchema.parse({ name });
  const { uid, gid } = idsOf(user);
  const workingDirectory = existsSync(LEARN_SOURCE) ? WORK : null;
  const directory = workingDirectory ?? '/';
  const stdinPath = existsSync(LEARN_STDIN) ? LEARN_STDIN : null;
  const seen: Observations[] = [];
  let outputBytes = 0;
  for (let run = 0; run < runs; run++) {
    signal.throwIfAborted();
    makeWorkingCopy(uid, gid);
    const tracePath = join(LEARN_DIRECTORY, 'trace');
    const traced = await runTraced({ argv, user, uid, env, directory, stdinPath, timeoutMs, tracePath });
    seen.push(traced.observations);
    outputBytes = Math.max(outputBytes, traced.outputBytes);
    rmSync(tracePath);
  }
  const observations = uniteObservations(seen);
  const unmeasured: LearnFacts = {
    workingDirectory,
    setIdPrograms: listSetIdPrograms(observations),
    hosts: parseHosts(readFileSync('/etc/hosts', 'utf8')),
    cpuMs: null,
    peakMemoryBytes: null,
    outputBytes,
  };
  const confine = async (facts: LearnFacts, limits: object = {}): Promise<ConfinedResult> => {
    const { profile } = proposeProfile(name, observations, facts);
    makeWorkingCopy(uid, gid);
    const run = { argv, directory, stdinPath, timeoutMs };
    return runConfined(sandbox, { ...run, profile: { ...profile, limits: { ...profile.limits, ...limits } } }, signal);
  };
  const cpuSeconds = Math.min(MAX_CPU_SECONDS, Math.ceil(timeoutMs / 1_000) * 64);
  const { cpuMs, peakMemoryBytes } = await confine(unmeasured, { ...MEASURING, cpuSeconds });
  const facts = { ...unmeasured, cpuMs, peakMemoryBytes };
  const confined = await confine(facts);
  const suffices = observations.endings.some((ending) => JSON.stringify(ending) === JSON.stringify(confined.ending));
  const { profile } = proposeProfile(name, observations, facts);
  const run: ConfinedRun = { profile, argv, directory, stdinPath, timeoutMs };
  if (!suffices) makeWorkingCopy(uid, gid);
  const refusals = suffices ? [] : await listRefusals(run, observations);
  return { observations, facts, verification: { suffices, confined, refusals } };
}

/** Once more, with everything traced: spawner, bubblewrap, launcher and the command. */
async function listRefusals(run: ConfinedRun, observations: Observations): Promise<readonly string[]> {
  const tracePath = join(LEARN_DIRECTORY, 'trace');
  const options = [...STRACE_OPTIONS, '-o', tracePath, '--', process.execPath];
  const timeout = run.timeoutMs + TRACED_SANDBOX_MS;
  try {
    await execFileAsync(STRACE, [...options, CONFINE_MAIN, JSON.stringify(run)], { timeout, env: {} });
  } catch {
    // slower than its time-out, or a sandbox that did not come about: what there is of the trace still tells
  }
  const observer = new RefusalObserver(run.argv[0], observations);
  for await (const event of readTrace(tracePath)) observer.observe(event);
  return observer.list();
}

function makeWorkingCopy(uid: number, gid: number): void {
  if (!existsSync(LEARN_SOURCE)) return;
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(WORK, { recursive: true, mode: 0o755 });
  execFileSync('/usr/bin/cp', ['--archive', '--', `${LEARN_SOURCE}/.`, WORK]);
  execFileSync('/usr/bin/chown', ['--recursive', '--no-dereference', `${uid}:${gid}`, '--', WORK]);
}

function idsOf(user: string): { uid: number; gid: number } {
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user);
  if (entry === undefined) throw new TypeError(`a lab host has the user ${user}`);
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

function listSetIdPrograms({ files }: Observations): readonly string[] {
  return Object.entries(files)
    .filter(([, uses]) => uses.includes('execute'))
    .map(([path]) => path)
    .filter((path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & SET_ID_BITS) !== 0);
}

/** hosts(5). */
function parseHosts(text: string): LearnFacts['hosts'] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .filter((words) => words.length > 1)
    .map(([address = '', ...names]) => ({ address, names }));
}
