/**
 * What one JavaScript or TypeScript module loads, as far as its text says: static imports and
 * re-exports, `import()` and `require()` of a literal. Whatever loads something that the text does not
 * say makes the module `open`. Types are erased and load nothing.
 */
import { parseSync, Visitor } from 'oxc-parser';

export interface ModuleImports {
  readonly specifiers: readonly string[];
  /** Loads, or may load, something that the text does not name. */
  readonly open: boolean;
}

/** Source files that are parsed. */
export const SOURCE_FILE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;
/** Names that load code by their nature; a module without them needs no walk over its tree. */
const LOADERS = /\brequire\b|\bcreateRequire\b|\b_load\b|\beval\b|\bFunction\b|\bimportScripts\b|\bWorker\b|\bfork\b/;
/** Members of `require` that load nothing. */
const HARMLESS_MEMBERS: ReadonlySet<string> = new Set(['main', 'cache', 'extensions', 'resolve']);

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

type Node = Parameters<NonNullable<ConstructorParameters<typeof Visitor>[0]['CallExpression']>>[0];
type Program = Parameters<Visitor['visit']>[0];

/** `require` is safe where it is called with a literal, asked for a harmless member, or looked at by `typeof`. */
function readLoaders(program: Program): ModuleImports {
  const specifiers: string[] = [];
  let open = false;
  // Counted, because a visitor of identifiers does not know its parent: uses seen must equal uses explained.
  let uses = 0;
  let explained = 0;
  const call = (node: Node): void => {
    const { callee } = node;
    if (callee.type === 'Identifier') {
      if (callee.name === 'require') {
        explained += 1;
        load(node.arguments[0]);
      } else if (['eval', 'Function', 'importScripts', 'fork'].includes(callee.name)) open = true;
    } else if (callee.type === 'MemberExpression' && !callee.computed && callee.property.type === 'Identifier') {
      const { object } = callee;
      const member = callee.property.name;
      if (member === 'resolve' && object.type === 'Identifier' && object.name === 'require') load(node.arguments[0]);
      else if (member === 'require' || member === '_load' || member === 'fork') open = true;
    }
  };
  const load = (argument: Node['arguments'][number] | undefined): void => {
    if (argument?.type === 'Literal' && typeof argument.value === 'string') specifiers.push(argument.value);
    else if (argument?.type === 'TemplateLiteral' && argument.expressions.length === 0) {
      specifiers.push(argument.quasis[0]?.value.cooked ?? '');
    } else open = true;
  };
  new Visitor({
    CallExpression: call,
    NewExpression(node) {
      // A worker starts at a file that is given by a value; `new Function` is code from text.
      if (node.callee.type === 'Identifier' && ['Worker', 'Function'].includes(node.callee.name)) open = true;
    },
    MemberExpression(node) {
      if (node.object.type !== 'Identifier' || node.object.name !== 'require') return;
      if (!node.computed && node.property.type === 'Identifier' && HARMLESS_MEMBERS.has(node.property.name)) {
        explained += 1;
      }
    },
    UnaryExpression(node) {
      if (node.operator === 'typeof' && node.argument.type === 'Identifier' && node.argument.name === 'require') {
        explained += 1;
      }
    },
    VariableDeclarator(node) {
      // `const require = createRequire(import.meta.url)`: the calls below are explained one by one.
      if (node.id.type !== 'Identifier' || node.id.name !== 'require') return;
      if (node.init?.type === 'CallExpression' && node.init.callee.type === 'Identifier') {
        if (node.init.callee.name === 'createRequire') explained += 1;
      }
    },
    Identifier(node) {
      if (node.name === 'require') uses += 1;
    },
  }).visit(program);
  return { specifiers, open: open || uses !== explained };
}
