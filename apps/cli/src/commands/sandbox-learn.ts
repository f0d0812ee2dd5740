/**
 * `holdfast sandbox learn`: a profile proposed from what a command did. The command runs in a lab
 * host made for it and removed afterwards, however this ends; the host's directory is copied there,
 * never shared. What happens inside is `learn-main.ts` of `@holdfast/sandbox`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { HoldfastError } from '@holdfast/core';
import { CHECKOUT_IN_HOST, createLab, type Lab } from '@holdfast/lab';
import {
  formatProposal,
  LEARN_DIRECTORY,
  LEARN_SOURCE,
  LEARN_STDIN,
  type LearnReport,
  type LearnRequest,
  moveObservations,
  type Proposal,
  proposeProfile,
} from '@holdfast/sandbox';
import type { CommandResult } from '../output.ts';
import { narrate } from '../progress.ts';
import { REPOSITORY } from '../repository.ts';

export interface LearnOptions {
  readonly name: string;
  readonly runs: number;
  /** Seconds, of each run. */
  readonly timeout: number;
  readonly dir?: string | undefined;
  readonly stdin?: string | undefined;
}

const STRACE = '/usr/bin/strace';
const TAR = '/usr/bin/tar';
const MAX_RUNS = 20;
/** A lab host's disk is in memory, and holds the copy twice. */
const MAX_DIRECTORY_BYTES = 128 * 1_024 ** 2;
const DISK_BYTES = 1_024 ** 3;
/** Starting Node, the spawner and two slots; copying. */
const OVERHEAD_MS = 60_000;
/** In a unit of its own the process may make control groups. */
const AS_UNIT = ['/usr/bin/systemd-run', '--quiet', '--wait', '--pipe', '--collect', '--property=Delegate=yes', '--'];
const LEARN_MAIN = `${CHECKOUT_IN_HOST}/packages/sandbox/src/learn/learn-main.ts`;
const NODE = `${CHECKOUT_IN_HOST}/node_modules/.bin/node`;

export async function learn(
  argv: readonly string[],
  options: LearnOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const request = parseRequest(argv, options);
  const base = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-learn-'));
  const lab = createLab({ directory: join(base, 'lab'), hosts: 1, repositoryRoot: REPOSITORY, diskBytes: DISK_BYTES });
  const [host = ''] = lab.hosts;
  let report: LearnReport;
  try {
    narrate('building a lab host');
    await lab.up(signal);
    await copyInput(lab, host, options, signal);
    narrate(`running ${request.argv[0]} ${request.runs} times traced and twice confined`);
    report = await learnInHost(lab, host, request, signal);
  } finally {
    await lab.down();
    rmSync(base, { recursive: true, force: true });
  }
  const wasExecuted = Object.values(report.observations.files).some((uses) => uses.includes('execute'));
  if (!wasExecuted) throw learnError('the program could not be executed in the lab host', 'program', 'not executable');
  const { observations, facts } = movedToHost(report, options.dir);
  const proposal = proposeProfile(request.name, observations, facts);
  return describe(proposal, request, report);
}

/** What was done in the copy, as if it had been done in the directory itself. */
function movedToHost({ observations, facts }: LearnReport, dir: string | undefined): Omit<LearnReport, 'verification'> {
  const { workingDirectory } = facts;
  if (dir === undefined || workingDirectory === null) return { observations, facts };
  const directory = realpathSync(dir);
  return {
    observations: moveObservations(observations, workingDirectory, directory),
    facts: { ...facts, workingDirectory: directory },
  };
}

function parseRequest(argv: readonly string[], options: LearnOptions): LearnRequest {
  const { name, runs, timeout, dir, stdin } = options;
  const [program = '', ...args] = argv;
  if (!existsSync(STRACE)) throw learnError('strace is not installed', 'missing', 'strace');
  if (!program.startsWith('/')) throw learnError('a program is given by its absolute path', 'program', 'relative');
  if (!Number.isInteger(runs) || runs < 1 || runs > MAX_RUNS)
    throw learnError(`--runs is 1 to ${MAX_RUNS}`, 'option', 'runs');
  if (!(timeout > 0 && timeout <= 3_600)) throw learnError('--timeout is up to 3,600 seconds', 'option', 'timeout');
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name))
    throw learnError('--name is lower-case letters, digits, - and _', 'option', 'name');
  if (dir !== undefined && statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw learnError('--dir is no directory', 'option', 'dir');
  }
  if (stdin !== undefined && statSync(stdin, { throwIfNoEntry: false })?.isFile() !== true) {
    throw learnError('--stdin is no file', 'option', 'stdin');
  }
  return { name, argv: [program, ...args], runs, timeoutMs: timeout * 1_000 };
}

async function copyInput(lab: Lab, host: string, { dir, stdin }: LearnOptions, signal: AbortSignal): Promise<void> {
  await inHost(lab, host, ['/usr/bin/mkdir', '--mode=0755', '--', LEARN_DIRECTORY], signal);
  if (stdin !== undefined) {
    const content = { bytes: readFileSync(stdin), mode: '0600', uid: 0, gid: 0 };
    await lab.writeFile(host, LEARN_STDIN, content, signal);
  }
  if (dir === undefined) return;
  const archive = await packDirectory(dir, signal);
  await inHost(lab, host, ['/usr/bin/mkdir', '--mode=0700', '--', LEARN_SOURCE], signal);
  await inHost(lab, host, [TAR, '--extract', '--no-same-owner', `--directory=${LEARN_SOURCE}`], signal, archive);
}

/** Symlinks as symlinks: what they lead to outside of the directory is not copied. */
async function packDirectory(directory: string, signal: AbortSignal): Promise<Uint8Array> {
  const child = spawn(TAR, ['--create', `--directory=${directory}`, '.'], {
    signal,
    env: {},
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_DIRECTORY_BYTES) child.kill('SIGKILL');
  });
  const [archive, [exitCode]] = await Promise.all([buffer(child.stdout), ended]);
  if (bytes > MAX_DIRECTORY_BYTES) throw learnError('the directory is larger than 128 MiB', 'directory', 'too large');
  if (exitCode !== 0) throw learnError('the directory could not be read', 'directory', 'unreadable');
  return archive;
}

async function learnInHost(lab: Lab, host: string, request: LearnRequest, signal: AbortSignal): Promise<LearnReport> {
  const timeoutMs = (request.runs + 2) * request.timeoutMs + OVERHEAD_MS;
  const argv = [...AS_UNIT, NODE, '--disable-warning=ExperimentalWarning', LEARN_MAIN, JSON.stringify(request)];
  const stdout = await inHost(lab, host, argv, signal, undefined, timeoutMs);
  return JSON.parse(Buffer.from(stdout).toString('utf8')) as LearnReport; // written by `learn-main.ts`
}

async function inHost(
  lab: Lab,
  host: string,
  [program = '', ...args]: readonly string[],
  signal: AbortSignal,
  stdin?: Uint8Array,
  timeoutMs = OVERHEAD_MS,
): Promise<Uint8Array> {
  const options = { timeoutMs, ...(stdin === undefined ? {} : { stdin }) };
  const result = await lab.exec(host, [program, ...args], signal, options);
  if (result.exitCode === 0) return result.stdout;
  signal.throwIfAborted(); // Ctrl-C reaches what runs there as well
  throw new HoldfastError('observing the command failed in the lab host', {
    code: 'ERR_SANDBOX_LEARN',
    fields: { program, exitCode: result.exitCode ?? -1 },
    cause: new Error(Buffer.from(result.stderr).toString('utf8').trim()),
  });
}

function learnError(message: string, field: string, value: string): HoldfastError {
  return new HoldfastError(message, { code: 'ERR_SANDBOX_LEARN', fields: { [field]: value } });
}

/** The exit code is 1 when the proposal does not suffice: it is then no profile for this command. */
function describe(proposal: Proposal, { argv, runs }: LearnRequest, report: LearnReport): CommandResult {
  const { verification, observations } = report;
  const { suffices, confined, refusals } = verification;
  const lines = suffices
    ? [`# Verified: under this profile the command ended as before (${describeEnding(confined.ending)}).`]
    : [
        '# THIS PROFILE DOES NOT SUFFICE for the command.',
        `# Without it: ${observations.endings.map(describeEnding).join(', ')}. Under it: ${describeEnding(confined.ending)}.`,
        ...(confined.endedBy === null || confined.endedBy === 'itself' ? [] : [`# Ended by: ${confined.endedBy}.`]),
        ...refusals.map((what) => `# Refused: ${printable(what)}`),
        ...confined.lastWords
          .split('\n')
          .filter(Boolean)
          .map((line) => `# It wrote: ${printable(line)}`),
      ];
  return {
    data: {
      profile: proposal.profile,
      reasons: Object.fromEntries(
        Object.entries(proposal.reasons).map(([place, why]) => [place, Object.fromEntries(why)]),
      ),
      unmet: proposal.unmet,
      secrets: proposal.secrets,
      notes: proposal.notes,
      endings: observations.endings,
      verification,
    },
    text: `${formatProposal(proposal, { argv, runs })}${lines.join('\n')}\n`,
    exitCode: suffices ? 0 : 1,
  };
}

function describeEnding(ending: LearnReport['verification']['confined']['ending']): string {
  if ('exitCode' in ending) return `exit code ${ending.exitCode}`;
  if ('signal' in ending) return ending.signal;
  if ('refused' in ending) return `nothing was run: ${printable(ending.refused)}`;
  return ending.unknown === 'timeout' ? 'ended by its time-out' : 'unknown';
}

/** The command's own words go to a terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
