/**
 * What kinds of projects a repository's manifests say it holds, and how each runs its tests with a
 * report that a gate can read. Pure: the caller read the files.
 */
import type { CommandKind, ReportFormat } from './gate-schema.ts';

/** What there is to start from. */
export interface Repository {
  /** Name of the directory. */
  readonly name: string;
  /** Content of the manifests at the root by file name: `package.json`, `go.mod`, `Cargo.toml`, `pyproject.toml`, … */
  readonly files: ReadonlyMap<string, string>;
  /** First line that each tool prints when asked its version, by tool name, where the caller asked. */
  readonly versions?: ReadonlyMap<string, string>;
}

export interface Project {
  readonly id: 'node' | 'go' | 'rust' | 'python' | 'whole';
  /** As package URLs call the resource. */
  readonly resource: string;
  readonly version: string | null;
  readonly paths: readonly string[];
  readonly tool: { readonly name: string; readonly argv: readonly string[] };
  readonly test: {
    readonly kind: CommandKind;
    readonly argv: readonly string[];
    readonly report: { readonly format: ReportFormat; readonly from: string };
    /** What a person must know about it. */
    readonly note: string;
  };
}

/** Where test runners that cannot write to standard output leave their report. */
const PYTEST_REPORT = 'gate-reports/pytest.xml';
const PYTHON_MANIFESTS = ['pyproject.toml', 'setup.cfg', 'setup.py', 'requirements.txt'] as const;

/** Never throws: a manifest that does not parse is one that says nothing. */
export function detectProjects({ name, files }: Repository): readonly Project[] {
  const projects: Project[] = [];
  const manifest = files.get('package.json');
  if (manifest !== undefined) projects.push(nodeProject(name, manifest));
  const go = files.get('go.mod');
  if (go !== undefined) {
    projects.push({
      id: 'go',
      resource: `pkg:golang/${/^module\s+"?([^\s"]+)/m.exec(go)?.[1] ?? name}`,
      version: null,
      paths: ['**/*.go', 'go.mod', 'go.sum'],
      tool: { name: 'go', argv: ['go', 'version'] },
      test: {
        kind: 'test',
        argv: ['go', 'test', '-json', '-count=1', './...'],
        report: { format: 'go-test-json', from: 'stdout' },
        note: '-count=1 keeps go from answering out of its cache.',
      },
    });
  }
  const cargo = files.get('Cargo.toml');
  if (cargo !== undefined) {
    projects.push({
      id: 'rust',
      resource: `pkg:cargo/${tomlText(cargo, 'name') ?? name}`,
      version: tomlText(cargo, 'version'),
      paths: ['src/**', 'tests/**', 'Cargo.toml', 'Cargo.lock'],
      tool: { name: 'rustc', argv: ['rustc', '--version'] },
      test: {
        kind: 'test',
        argv: ['cargo', 'test', '--no-fail-fast'],
        report: { format: 'libtest', from: 'stdout' },
        note: 'What cargo test prints is read; keep it free of --nocapture. Add --locked once Cargo.lock is committed.',
      },
    });
  }
  const python = PYTHON_MANIFESTS.map((file) => files.get(file)).find((text) => text !== undefined);
  if (python !== undefined) {
    projects.push({
      id: 'python',
      resource: `pkg:pypi/${tomlText(python, 'name') ?? name}`,
      version: tomlText(python, 'version'),
      paths: ['**/*.py', ...PYTHON_MANIFESTS.filter((file) => files.has(file))],
      tool: { name: 'python', argv: ['python3', '--version'] },
      test: {
        kind: 'test',
        argv: ['python3', '-B', '-m', 'pytest', '-p', 'no:cacheprovider', `--junitxml=${PYTEST_REPORT}`],
        report: { format: 'pytest-junit', from: PYTEST_REPORT },
        note: 'Add /gate-reports/ to .gitignore: a report that git sees makes the tree dirty.',
      },
    });
  }
  return projects;
}

function nodeProject(name: string, manifest: string): Project {
  const { name: own, version, dependencies, devDependencies } = objectOf(manifest);
  const uses = (packageName: string): boolean =>
    [dependencies, devDependencies].some((list) => typeof list === 'object' && list !== null && packageName in list);
  return {
    id: 'node',
    resource: `pkg:npm/${typeof own === 'string' ? own.replace('@', '%40') : name}`,
    version: typeof version === 'string' ? version : null,
    paths: ['**/*.js', '**/*.mjs', '**/*.cjs', '**/*.ts', '**/*.tsx', 'package.json', 'package-lock.json'],
    tool: { name: 'node', argv: ['node', '--version'] },
    test: { kind: 'test', ...nodeTest(uses) },
  };
}

function nodeTest(uses: (packageName: string) => boolean): Omit<Project['test'], 'kind'> {
  if (uses('vitest')) {
    return {
      argv: ['npx', '--no-install', 'vitest', 'run', '--reporter=json'],
      report: { format: 'vitest-json', from: 'stdout' },
      note: 'vitest itself, without the script of package.json, whose greeting would stand in the report.',
    };
  }
  if (uses('jest')) {
    return {
      argv: ['npx', '--no-install', 'jest', '--ci', '--no-cache', '--json'],
      report: { format: 'vitest-json', from: 'stdout' },
      note: 'jest --json writes the format that vitest took over from it.',
    };
  }
  if (uses('mocha')) {
    return {
      argv: ['npx', '--no-install', 'mocha', '--reporter', 'tap'],
      report: { format: 'tap', from: 'stdout' },
      note: 'mocha itself, without the script of package.json, whose greeting would stand in the report.',
    };
  }
  if (uses('tape')) {
    return {
      argv: ['npx', '--no-install', 'tape', 'test/**/*.js'],
      report: { format: 'tap', from: 'stdout' },
      note: 'tape writes TAP by itself; name your test files where they lie elsewhere.',
    };
  }
  return {
    argv: ['node', '--test', '--test-reporter=tap'],
    report: { format: 'tap', from: 'stdout' },
    note: 'node:test; name your test files where node does not find them by itself.',
  };
}

function objectOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {}; // a person corrects it; the gate starts without its names
  }
}

/** The first `key = "text"` of a TOML or INI file: enough for a name that a person reads over. */
const tomlText = (text: string, key: string): string | null =>
  new RegExp(`^${key}\\s*=\\s*["']?([A-Za-z0-9._+-]{1,100})["']?\\s*$`, 'm').exec(text)?.[1] ?? null;
