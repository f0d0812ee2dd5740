/**
 * Where a tree says which version of a toolchain it wants, and whether all places agree (R-26). An
 * exact or shortened version has to fit every other one; a range has to admit the versions.
 */
import { basename } from 'node:path/posix';
import semver from 'semver';
import { makeFinding } from '../packages/make-finding.ts';
import { parseJson, parseToml, tableOf, textOf } from '../packages/parse-document.ts';
import { readText, type SourceFiles } from '../packages/source-files.ts';
import type { ScanFinding } from '../scan-report.ts';

export interface ToolchainPin {
  readonly tool: 'node' | 'go' | 'rust' | 'python';
  readonly file: string;
  readonly line: number | null;
  /** A version (`22`, `1.21.3`), or a range of them. */
  readonly value: string;
}

/** A version with up to three numbers; whatever else (`stable`, `lts/*`, `${{ … }}`) pins nothing. */
const VERSION = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?$/;

const LINES: readonly { file: RegExp; tool: ToolchainPin['tool']; pattern: RegExp }[] = [
  { file: /(^|\/)\.(nvmrc|node-version)$/, tool: 'node', pattern: /^\s*v?(\S+)\s*$/ },
  { file: /(^|\/)\.python-version$/, tool: 'python', pattern: /^\s*(\S+)\s*$/ },
  { file: /(^|\/)rust-toolchain$/, tool: 'rust', pattern: /^\s*(\S+)\s*$/ },
  { file: /(^|\/)go\.mod$/, tool: 'go', pattern: /^toolchain\s+go(\S+)/ },
  ...(['node', 'go', 'python'] as const).map((tool) => ({
    file: /^\.github\/workflows\/[^/]+\.ya?ml$/,
    tool,
    pattern: new RegExp(`^\\s*(?:- )?${tool}-version:\\s*["']?([^"'\\s#]+)["']?\\s*(?:#.*)?$`),
  })),
  ...(
    [
      ['node', 'node'],
      ['golang', 'go'],
      ['rust', 'rust'],
      ['python', 'python'],
    ] as const
  ).map(([image, tool]) => ({
    file: /(^|\/)(Dockerfile|Containerfile)([.-][^/]*)?$/,
    tool,
    pattern: new RegExp(`^\\s*FROM\\s+(?:--\\S+\\s+)?(?:docker\\.io/)?(?:library/)?${image}:(\\d[\\d.]*)`, 'i'),
  })),
];

export async function readToolchainPins(files: SourceFiles, paths: readonly string[]): Promise<ToolchainPin[]> {
  const pins: ToolchainPin[] = [];
  for (const file of paths) {
    const rules = LINES.filter((rule) => rule.file.test(file));
    const isTable = ['package.json', 'rust-toolchain.toml', 'pyproject.toml'].includes(basename(file));
    if (rules.length === 0 && !isTable) continue;
    const text = await readText(files, file);
    if (text === null) continue;
    if (isTable) pins.push(...readTable(text, file));
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      for (const { tool, pattern } of rules) {
        const value = pattern.exec(line)?.[1];
        if (value !== undefined) pins.push({ tool, file, line: index + 1, value });
      }
    }
  }
  return pins;
}

function readTable(text: string, file: string): ToolchainPin[] {
  const pin = (tool: ToolchainPin['tool'], value: unknown): ToolchainPin[] => {
    const given = textOf(value);
    return given === null ? [] : [{ tool, file, line: null, value: given }];
  };
  if (file.endsWith('.json')) return pin('node', tableOf(parseJson(text, file)['engines'])['node']);
  const table = parseToml(text, file);
  if (file.endsWith('rust-toolchain.toml')) return pin('rust', tableOf(table['toolchain'])['channel']);
  return pin('python', tableOf(table['project'])['requires-python']);
}

/** One finding for each place that disagrees with the most exact one of its tool, naming both. */
export function findMisalignedPins(pins: readonly ToolchainPin[]): ScanFinding[] {
  return [...Map.groupBy(pins, ({ tool }) => tool).values()].flatMap((group) => {
    const versions = group.filter(({ value }) => VERSION.test(value));
    // The most numbers win; the first file in order among equals.
    const reference = versions.toSorted((a, b) => b.value.split('.').length - a.value.split('.').length)[0];
    if (reference === undefined) return [];
    return group
      .filter((pin) => pin !== reference && !agrees(reference.value, pin.value))
      .map((pin) =>
        makeFinding({
          rule: 'toolchain-pins-disagree',
          severity: 'P2',
          location: pin.file,
          line: pin.line,
          subject: `${pin.tool} ${reference.file}`,
          message: `${pin.file} wants ${pin.tool} ${pin.value}, ${reference.file} wants ${reference.value}: make them agree.`,
        }),
      );
  });
}

function agrees(exact: string, other: string): boolean {
  const numbers = VERSION.exec(other);
  const wanted = VERSION.exec(exact)?.slice(1) ?? [];
  // Of two versions the shorter one is the beginning of the longer.
  if (numbers !== null) return numbers.slice(1).every((part, index) => part === undefined || part === wanted[index]);
  // PEP 440 separates with commas what npm separates with spaces; `~=` and `==` are close enough to `~` and `=`.
  const range = semver.validRange(other.replaceAll(',', ' ').replaceAll('~=', '~').replaceAll('==', '='));
  if (range === null) return true; // a channel or an expression says no version
  const [major = '0', minor = '0', patch] = wanted;
  return patch === undefined
    ? semver.intersects(`${major}.${minor}.x`, range)
    : semver.satisfies(`${major}.${minor}.${patch}`, range);
}
