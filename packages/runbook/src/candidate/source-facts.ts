/**
 * What one source file says that a runbook may name: environment variables it reads, strings it holds,
 * names it declares. JavaScript and TypeScript by their syntax tree (`javascript-facts.ts`); Go, Rust,
 * Python and shell by text without comments, which is an approximation: a name in dead code counts.
 */
import { readJavaScriptFacts } from './javascript-facts.ts';

export interface SourceFacts {
  /** Variables that are read from the environment. */
  readonly environment: ReadonlySet<string>;
  /** String literals, without quotes; of templates the parts between expressions. */
  readonly strings: ReadonlySet<string>;
  /** JavaScript: what the file exports. Other languages: functions, types and constants it declares. */
  readonly declared: ReadonlySet<string>;
}

interface Language {
  readonly extensions: readonly string[];
  /** Group 1 a comment to drop; otherwise a string literal, whose text is another group. */
  readonly token: RegExp;
  readonly reads: readonly RegExp[];
  readonly declares: RegExp | null;
}

const C_TOKEN = /(\/\/[^\n]*|\/\*[^]*?\*\/)|`([^`]*)`|"((?:[^"\\\n]|\\[^])*)"/g;
const LANGUAGES: readonly Language[] = [
  {
    extensions: ['.go'],
    token: C_TOKEN,
    reads: [/\bos\.(?:Getenv|LookupEnv)\(\s*["`](\w+)["`]/g, /\benv:"(\w+)/g],
    declares: /\b(?:func(?:\s*\([^)\n]*\))?|type|const|var)\s+(\w+)/g,
  },
  {
    extensions: ['.rs'],
    token: /(\/\/[^\n]*|\/\*[^]*?\*\/)|\br#"([^]*?)"#|"((?:[^"\\]|\\[^])*)"/g,
    reads: [/\b(?:env::(?:var|var_os)\(|(?:option_)?env!\()\s*"(\w+)"/g],
    declares: /\b(?:fn|struct|enum|trait|type|const|static|union|mod)\s+(\w+)/g,
  },
  {
    extensions: ['.py'],
    token: /(#[^\n]*)|"""([^]*?)"""|'''([^]*?)'''|"((?:[^"\\\n]|\\[^])*)"|'((?:[^'\\\n]|\\[^])*)'/g,
    reads: [/\b(?:environ\.get\(|environ\[|getenv\()\s*["'](\w+)["']/g],
    declares: /^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)/gm,
  },
  {
    extensions: ['.sh', '.bash'],
    token: /((?:^|(?<=\s))#[^\n]*)|"((?:[^"\\]|\\[^])*)"|'([^']*)'/gm,
    reads: [/\$\{?([A-Za-z_]\w*)/g],
    declares: null,
  },
];

const JAVASCRIPT = /\.[cm]?[jt]sx?$/;
const TEST_FILE =
  /(?:^|\/)(?:tests?|__tests__|specs?|e2e|testdata|fixtures)\/|\.(?:test|spec)\.[^/]+$|_test\.(?:go|py)$|(?:^|\/)(?:test_[^/]*|conftest)\.py$/;

export const isTestFile = (path: string): boolean => TEST_FILE.test(path);
/** Whether there are facts to read in a file of this name. */
export const isSourceFile = (path: string): boolean => JAVASCRIPT.test(path) || languageOf(path) !== undefined;
const languageOf = (path: string): Language | undefined =>
  LANGUAGES.find(({ extensions }) => extensions.some((extension) => path.endsWith(extension)));

/** @returns `null` when the file does not parse: then nothing it says counts */
export function readSourceFacts(path: string, text: string): SourceFacts | null {
  if (JAVASCRIPT.test(path)) {
    try {
      return readJavaScriptFacts(path, text);
    } catch {
      return null; // nested deeper than the stack
    }
  }
  const language = languageOf(path);
  if (language === undefined) return null;
  const strings = new Set<string>();
  const withStrings: string[] = [];
  const bare: string[] = [];
  let last = 0;
  for (const match of text.matchAll(language.token)) {
    const before = text.slice(last, match.index);
    const literal = match.slice(2).find((group) => group !== undefined);
    if (literal !== undefined) strings.add(literal);
    withStrings.push(before, match[1] === undefined ? match[0] : ' ');
    bare.push(before, ' ');
    last = match.index + match[0].length;
  }
  withStrings.push(text.slice(last));
  bare.push(text.slice(last));
  const code = withStrings.join('');
  return {
    strings,
    environment: new Set(language.reads.flatMap((read) => allOf(read, code))),
    declared: new Set(language.declares === null ? [] : allOf(language.declares, bare.join(''))),
  };
}

const allOf = (pattern: RegExp, text: string): string[] => [...text.matchAll(pattern)].map((match) => match[1]!);
