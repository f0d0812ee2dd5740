/** `holdfast gate init|lint|schema`: the gate file, before anything is frozen. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { type Gate, gateJsonSchema, type GateProblem, initGate, openSourceTree } from '@holdfast/gate';
import { SpawnCommandRunner } from '@holdfast/host-linux';
import { type CommandResult, formatTable } from '../../output.ts';
import { findProgram } from './find-program.ts';
import { type GateOptions, readGateFile } from './opened-gate.ts';

/** sysexits(3): the input has errors. */
const EXIT_DATA = 65;

export async function init(options: GateOptions, signal: AbortSignal): Promise<CommandResult> {
  const directory = resolve(options.directory);
  const path = resolve(directory, options.file);
  const versions = await toolVersions(signal);
  const yaml = initGate({ name: basename(directory), files: manifestsIn(directory), versions });
  try {
    writeFileSync(path, yaml, { flag: 'wx' });
  } catch (cause) {
    throw new HoldfastError('a gate file is never overwritten: move the one that is there away first', {
      code: 'ERR_INPUT_INVALID',
      fields: { file: path },
      cause,
    });
  }
  const text = [
    `${path} is written. Next:`,
    '  1. read it, and say what your surfaces, tests and people are; it is commented line by line',
    '     (reports that commands write to a file belong into .gitignore, or they make the tree dirty)',
    '  2. `holdfast gate key` makes a key for each person, on their own machine',
    '  3. `holdfast gate lint` until it has nothing to say; then commit it and `holdfast gate freeze`',
  ].join('\n');
  return { data: { written: path }, text };
}

const MANIFESTS = [
  'package.json',
  'go.mod',
  'Cargo.toml',
  'pyproject.toml',
  'setup.cfg',
  'setup.py',
  'requirements.txt',
] as const;

function manifestsIn(directory: string): ReadonlyMap<string, string> {
  return new Map(
    MANIFESTS.flatMap((name): [string, string][] => {
      const path = join(directory, name);
      return existsSync(path) ? [[name, readFileSync(path, 'utf8')]] : [];
    }),
  );
}

/** How each tool that `initGate` may name is asked for its version. */
const TOOLS: readonly (readonly [string, string, string])[] = [
  ['node', 'node', '--version'],
  ['go', 'go', 'version'],
  ['rustc', 'rustc', '--version'],
  ['python', 'python3', '--version'],
];
const VERSION_TIMEOUT_MS = 20_000;
const GIT_TIMEOUT_MS = 20_000;

/** First lines, as the runner will compare them; without those that are not installed. */
async function toolVersions(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const asked = await Promise.all(
    TOOLS.map(async ([name, program, argument]): Promise<[string, string] | null> => {
      const path = findProgram(program, null);
      if (path === null) return null;
      const options = { timeoutMs: VERSION_TIMEOUT_MS, maxOutputBytes: 10_000, env: toolEnvironment() };
      const { stdout } = await new SpawnCommandRunner().run([path, argument], options, signal);
      const [line = ''] = stdout.toString().split('\n');
      return line.trim() === '' ? null : [name, line.trim()];
    }),
  );
  return new Map(asked.filter((answer) => answer !== null));
}

/** `go version` asks for a home directory; nothing else of this process is theirs to see. */
const toolEnvironment = (): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '/nonexistent',
});

export async function lint(options: GateOptions, signal: AbortSignal): Promise<CommandResult> {
  const { path, parsed } = readGateFile(options);
  const seen = parsed.gate === null ? [] : await reportsGitSees(parsed.gate, resolve(options.directory), signal);
  const problems = [...parsed.problems, ...seen];
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const data = { file: path, digest: parsed.digest, valid: parsed.gate !== null, problems };
  if (problems.length === 0) return { data, text: `${options.file}: nothing to say against it (${parsed.digest})` };
  const rows = problems.map((problem) => [String(problem.line ?? ''), problem.severity, problem.rule, told(problem)]);
  const table = formatTable(['line', '', 'rule', 'what'], rows);
  const text = `${table}\n\n${options.file}: ${errors} errors, ${problems.length - errors} warnings`;
  return { data, text, exitCode: errors > 0 ? EXIT_DATA : 0 };
}

/** a report that git does not ignore makes the tree dirty, and with it all evidence of the run that wrote it. */
async function reportsGitSees(gate: Gate, directory: string, signal: AbortSignal): Promise<readonly GateProblem[]> {
  const git = findProgram('git', null);
  const root = (await openSourceTree(directory).catch(() => null))?.root; // without git, others complain
  if (git === null || root === undefined) return [];
  const asked = gate.commands.map(async ({ report }, index): Promise<GateProblem[]> => {
    if (report === null || report.from === 'stdout') return [];
    const argv = [git, '-C', root, 'check-ignore', '--quiet', '--', report.from] as const;
    const options = { timeoutMs: GIT_TIMEOUT_MS, maxOutputBytes: 10_000, env: { ...toolEnvironment(), LC_ALL: 'C' } };
    const { exitCode } = await new SpawnCommandRunner().run(argv, options, signal);
    // 0 is ignored, 1 is not, also where a pattern would; anything else is a failure of git's own.
    if (exitCode !== 1) return [];
    const message = `git does not ignore ${report.from}, so a run that writes it makes the tree dirty: add it to .gitignore, and commit it nowhere`;
    return [{ path: `commands[${index}].report.from`, line: null, rule: 'R-08', severity: 'warning', message }];
  });
  return (await Promise.all(asked)).flat();
}

const told = ({ path, message }: GateProblem): string => (path === '' ? message : `${path}: ${message}`);

export function schema(): CommandResult {
  const data = gateJsonSchema();
  return { data, text: JSON.stringify(data, undefined, 2) };
}
