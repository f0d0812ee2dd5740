/**
 * What one JavaScript or TypeScript module loads, as far as its text says: static imports and
 * re-exports, `import()` and `require()` of a literal. Whatever loads something that the text does not
 * say makes the module `open`. Types are erased and load nothing.
 */
import { parseSync } from 'oxc-parser';
import { readLoaders } from './read-loaders.ts';

export interface ModuleImports {
  readonly specifiers: readonly string[];
  /** Loads, or may load, something that the text does not name. */
  readonly open: boolean;
}

/** Source files that are parsed. */
export const SOURCE_FILE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;
/** What names a loader, leads to one, or could spell one by an escape; a module without needs no walk over its tree. */
const LOADERS =
  /\\[ux]|\b(?:require|createRequire|getBuiltinModule|eval|Function|importScripts|(?:Shared)?Worker|fork|constructor|global|globalThis|process|module|(?:node:)?(?:module|vm|cluster|repl|inspector|worker_threads|child_process))\b|import\s*\.\s*meta|\b_(?:load|compile|extensions|linkedBinding)\b|\b(?:mainModule|dlopen|runIn\w*Context|compileFunction|SourceTextModule|registerHooks|runMain|loadExtension)\b/;

export function readImports(file: string, text: string): ModuleImports {
  if (DECLARATIONS.test(file)) return { specifiers: [], open: false };
  const parsed = parseSync(file, text, isCommonJs(file) ? { sourceType: 'unambiguous' } : {});
  if (parsed.errors.length > 0) return { specifiers: [], open: true };
  const specifiers: string[] = [];
  let open = false;
  for (const { moduleRequest, start, end } of parsed.module.staticImports) {
    if (!/^import\s+type\b(?!\s+from\b)/.test(text.slice(start, end))) specifiers.push(moduleRequest.value);
  }
  for (const { entries } of parsed.module.staticExports) {
    for (const { moduleRequest, isType } of entries) {
      if (moduleRequest !== null && !isType) specifiers.push(moduleRequest.value);
    }
  }
  for (const { moduleRequest } of parsed.module.dynamicImports) {
    const literal = literalText(text.slice(moduleRequest.start, moduleRequest.end));
    if (literal === null) open = true;
    else specifiers.push(literal);
  }
  if (LOADERS.test(text)) {
    const loaded = readLoaders(parsed.program);
    specifiers.push(...loaded.specifiers);
    open ||= loaded.open;
  }
  return { specifiers: [...new Set(specifiers)], open };
}

const isCommonJs = (file: string): boolean => /\.c?js$/.test(file);

/** The value of a string literal without escapes, or of a template without holes. */
function literalText(source: string): string | null {
  const match = /^\s*(?:"([^"\\\n]*)"|'([^'\\\n]*)'|`([^`\\$]*)`)\s*$/.exec(source);
  return match === null ? null : (match[1] ?? match[2] ?? match[3] ?? null);
}
