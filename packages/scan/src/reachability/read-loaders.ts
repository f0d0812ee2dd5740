/**
 * What a JavaScript or TypeScript module loads other than by `import`. `require` of a literal is
 * followed. Everything else through which code can be loaded (`eval` and `Function`, workers, `fork`,
 * node's `module`, `vm` and the like, however they are named or handed on) makes the module open, and so
 * does what merely could: a loader that is passed around is not followed. What is believed is that a
 * computed name of a member of an object that is none of those below does not spell one of them.
 */
import type { parseSync } from 'oxc-parser';
import type { ModuleImports } from './read-imports.ts';

/** Modules of node that load code; the names of `null` do so by whatever is taken from them. */
const LOADER_MODULES: ReadonlyMap<string, ReadonlySet<string> | null> = new Map([
  ['module', null],
  ['vm', null],
  ['cluster', null],
  ['repl', null],
  ['inspector', null],
  ['inspector/promises', null],
  ['worker_threads', new Set(['Worker'])],
  ['child_process', new Set(['fork'])],
  ['process', new Set()],
]);
/** Of `node:module`. `createRequire` is followed where it makes a `require`. */
const HARMLESS_OF_MODULE: ReadonlySet<string> = new Set(['builtinModules', 'isBuiltin', 'createRequire']);
/** Members that load code, whatever they are members of. */
const LOADING_MEMBERS: ReadonlySet<string> = new Set(
  `require _load _compile _extensions _linkedBinding createRequire getBuiltinModule mainModule dlopen eval Function
  Worker SharedWorker importScripts fork runInThisContext runInNewContext runInContext compileFunction
  SourceTextModule registerHooks runMain loadExtension`.split(/\s+/),
);
/** Names that load code wherever they stand for a value. */
const LOADING_NAMES: ReadonlySet<string> = new Set([
  'eval',
  'importScripts',
  'Worker',
  'SharedWorker',
  'createRequire',
]);
/** Objects that lead to loaders by a name that is computed, or elsewhere than here. */
const HOLDERS: readonly string[] = ['process', 'module', 'globalThis', 'global'];
const HARMLESS_OF_REQUIRE: ReadonlySet<string> = new Set(['main', 'cache']);
const HARMLESS_OF_FUNCTION: ReadonlySet<string> = new Set(['prototype', 'name', 'length']);
const HARMLESS_OF_META: ReadonlySet<string> = new Set(['url', 'filename', 'dirname', 'env', 'main']);
/** They make a function of a text, through a constructor. */
const CALLS: ReadonlySet<string> = new Set(['constructor', 'call', 'apply', 'bind']);
const COMPARISONS: ReadonlySet<unknown> = new Set(['===', '!==', '==', '!=', 'instanceof']);
/** Parts of a node that are types, and load nothing. */
const TYPES: ReadonlySet<string> = new Set(
  'typeAnnotation typeArguments typeParameters returnType implements superTypeArguments'.split(' '),
);
const TYPE_DECLARATIONS: ReadonlySet<string> = new Set(['TSInterfaceDeclaration', 'TSTypeAliasDeclaration']);

/** A node of ESTree, of which no more is known than its type. */
interface Tree {
  readonly type: string;
  readonly [part: string]: unknown;
}
/** Where a node stands: the nodes around it, innermost first. */
interface Place {
  readonly node: Tree;
  /** The part of the node around it that it is. */
  readonly part: string;
  readonly around: Place | null;
}

export function readLoaders(program: ReturnType<typeof parseSync>['program']): ModuleImports {
  const reader = new LoaderReader();
  reader.visit({ node: program as unknown as Tree, part: '', around: null }); // ESTree is plain data
  reader.judgeHolders();
  return { specifiers: reader.specifiers, open: reader.open };
}

class LoaderReader {
  readonly specifiers: string[] = [];
  open = false;
  readonly #holders = new Set(HOLDERS);
  /** Uses of a name as a value that is not looked into. */
  readonly #handedOn = new Set<string>();

  visit(place: Place): void {
    const { node } = place;
    if (TYPE_DECLARATIONS.has(node.type) || node['declare'] === true) return;
    if (node['importKind'] === 'type' || node['exportKind'] === 'type') return;
    this.#judge(place);
    for (const [part, value] of Object.entries(node)) {
      if (TYPES.has(part)) continue;
      for (const child of Array.isArray(value) ? value : [value]) {
        if (isTree(child)) this.visit({ node: child, part, around: place });
      }
    }
  }

  /** Last, because a name can be bound after it is used. */
  judgeHolders(): void {
    this.open ||= [...this.#handedOn].some((name) => this.#holders.has(name));
  }

  #judge(place: Place): void {
    const { node } = place;
    switch (node.type) {
      case 'Identifier':
        if (!isPlainName(place)) this.#judgeName(place, nameOf(node) ?? '');
        break;
      case 'MemberExpression':
        this.#judgeMember(place);
        break;
      case 'Property':
        if (place.around?.node.type === 'ObjectPattern') this.#judgeTaken(keyOf(node), 'constructor');
        break;
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        this.#judgeImport(node);
        break;
      case 'ImportExpression':
        this.open ||= LOADER_MODULES.has(builtinName(textOf(node['source']) ?? ''));
        break;
      case 'TSExternalModuleReference':
        this.#load(place, node['expression']);
        break;
      case 'MetaProperty':
        if (nameOf(node['meta']) === 'import') this.#judgeMeta(place);
        break;
    }
  }

  #judgeName(place: Place, name: string): void {
    const { node, part, around } = place;
    const parent = around?.node ?? node;
    if (isTypeof(place) || (name !== 'require' && isCompared(place))) return;
    if (name === 'require') this.#judgeRequire(place);
    else if (name === 'createRequire') this.open ||= !makesRequire(around);
    else if (LOADING_NAMES.has(name)) this.open = true;
    else if (name === 'Function')
      this.open ||= !(part === 'object' && HARMLESS_OF_FUNCTION.has(memberOf(parent) ?? ''));
    else if (part === 'object' && parent.type === 'MemberExpression') {
      const member = memberOf(parent);
      if (member === null) this.#handedOn.add(name);
      this.open ||= (name === 'process' && member === 'binding') || (name === 'module' && member === 'paths');
    } else if (!isBinding(place)) this.#handedOn.add(name);
  }

  #judgeRequire({ part, around }: Place): void {
    const parent = around?.node;
    if (parent?.type === 'CallExpression' && part === 'callee') this.#load(around, argumentOf(parent));
    else if (parent?.type === 'MemberExpression' && part === 'object') {
      const member = memberOf(parent);
      const outer = around?.around?.node;
      if (member === 'resolve' && outer?.type === 'CallExpression') this.#load(null, argumentOf(outer));
      else this.open ||= !HARMLESS_OF_REQUIRE.has(member ?? '');
    } else {
      const isMade =
        parent?.type === 'VariableDeclarator' && part === 'id' && isCallOf(parent['init'], 'createRequire');
      this.open ||= !isMade || around?.around?.around?.node.type === 'ExportNamedDeclaration';
    }
  }

  #judgeMember(place: Place): void {
    const name = memberOf(place.node);
    if (name === 'constructor') this.open ||= !isHarmlessConstructor(place);
    else this.#judgeTaken(name);
  }

  /** What is taken from an object by its name; `null` for a computed one. */
  #judgeTaken(name: string | null, more?: string): void {
    this.open ||= LOADING_MEMBERS.has(name ?? '') || (more !== undefined && name === more);
  }

  #judgeImport(node: Tree): void {
    const module = builtinName(textOf(node['source']) ?? '');
    const loading = LOADER_MODULES.get(module);
    const specifiers = (node['specifiers'] ?? []) as readonly Tree[];
    for (const specifier of specifiers) {
      const local = nameOf(specifier['local']) ?? '';
      const taken = nameOf(specifier['imported'] ?? specifier['local']) ?? textOf(specifier['imported']) ?? '';
      // What another module of ours hands on under such a name may be the loader itself.
      if (['require', 'createRequire'].includes(local)) this.open ||= !(module === 'module' && taken === local);
      if (loading === undefined) continue;
      if (specifier.type === 'ImportSpecifier' || specifier.type === 'ExportSpecifier') {
        const isRenamed = taken === 'createRequire' && (local !== taken || specifier.type === 'ExportSpecifier');
        this.open ||= loading === null ? !isHarmlessOf(module, taken) || isRenamed : taken === 'default';
        this.#judgeTaken(taken === 'createRequire' ? null : taken);
      } else if (loading === null) this.open = true;
      else this.#holders.add(local);
    }
    if (node.type === 'ExportAllDeclaration' && loading !== undefined) this.open = true;
  }

  #judgeMeta({ part, around }: Place): void {
    const parent = around?.node;
    const member = parent?.type === 'MemberExpression' && part === 'object' ? memberOf(parent) : null;
    const outer = around?.around?.node;
    const isCalled = outer?.type === 'CallExpression' && around?.part === 'callee';
    if (member === 'resolve' && isCalled) this.#load(null, argumentOf(outer));
    else this.open ||= !HARMLESS_OF_META.has(member ?? '');
  }

  /** @param call where the module's value goes, when it is loaded; `null` when only its place is asked for */
  #load(call: Place | null, argument: unknown): void {
    const specifier = textOf(argument);
    if (specifier === null) {
      this.open = true;
      return;
    }
    this.specifiers.push(specifier);
    const module = builtinName(specifier);
    const loading = LOADER_MODULES.get(module);
    if (call === null || loading === undefined) return;
    const { around, part } = call;
    const [parent, isInit] = [around?.node, around?.node.type === 'VariableDeclarator' && part === 'init'];
    const id = isInit && isTree(parent?.['id']) ? parent['id'] : null;
    if (parent?.type === 'MemberExpression' && part === 'object') {
      const member = memberOf(parent);
      this.open ||= member === null || (loading === null && !isHarmlessOf(module, member));
    } else if (id?.type === 'ObjectPattern') {
      const keys = (id['properties'] as readonly Tree[]).map((property) => keyOf(property));
      this.open ||= keys.some((key) => key === null || (loading === null && !isHarmlessOf(module, key)));
    } else if (id !== null && loading !== null) this.#holders.add(nameOf(id) ?? '');
    else this.open = true;
  }
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
const nameOf = (node: unknown): string | null =>
  isTree(node) && (node.type === 'Identifier' || node.type === 'JSXIdentifier') ? String(node['name']) : null;
const builtinName = (specifier: string): string => specifier.replace(/^node:/, '');
const isHarmlessOf = (module: string, name: string): boolean => module === 'module' && HARMLESS_OF_MODULE.has(name);
const argumentOf = (call: Tree): unknown => (call['arguments'] as readonly unknown[])[0];
const isCallOf = (node: unknown, name: string): boolean =>
  isTree(node) && node.type === 'CallExpression' && nameOf(node['callee']) === name;

/** The value of a string literal, or of a template without holes. */
function textOf(node: unknown): string | null {
  if (!isTree(node)) return null;
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : null;
  if (node.type !== 'TemplateLiteral') return null;
  const [only, ...more] = node['quasis'] as readonly { readonly value: { readonly cooked: string | null } }[];
  return more.length === 0 ? (only?.value.cooked ?? null) : null;
}

/** The name of the member, if the text says it. */
function memberOf(node: Tree): string | null {
  if (node['computed'] !== true) return nameOf(node['property']);
  return textOf(node['property']);
}

/** The name of a property; `null` where it is computed, and for the rest of them. */
function keyOf(node: Tree): string | null {
  if (node.type !== 'Property') return null;
  return (node['computed'] === true ? null : nameOf(node['key'])) ?? textOf(node['key']);
}

/** A name of a member, a property or a label, and what an import calls things elsewhere: no value. */
function isPlainName({ part, around }: Place): boolean {
  const parent = around?.node;
  if (parent === undefined) return false;
  const { type } = parent;
  if (type === 'MemberExpression') return part === 'property' && parent['computed'] !== true;
  // The key of `{ require }` is its value as well, which is visited too.
  if (part === 'key') return parent['computed'] !== true;
  if (part === 'label' || type === 'MetaProperty') return true;
  if (type.startsWith('Import') && type !== 'ImportExpression') return true; // `#judgeImport`
  return type === 'ExportSpecifier' && (part === 'exported' || isTree(around?.around?.node['source']));
}

/** A name that is declared here: what it hides is not meant. */
function isBinding({ part, around }: Place): boolean {
  const parent = around?.node;
  if (part === 'params') return true;
  return parent?.type === 'VariableDeclarator' ? part === 'id' : part === 'id' || part === 'param';
}

const isTypeof = ({ around }: Place): boolean =>
  around?.node.type === 'UnaryExpression' && around.node['operator'] === 'typeof';
const isCompared = ({ around }: Place): boolean =>
  around?.node.type === 'BinaryExpression' && COMPARISONS.has(around.node['operator']);

/** `const require = createRequire(…)`, or `createRequire(…)` as what declares the name itself. */
function makesRequire(call: Place | null): boolean {
  const outer = call?.around?.node;
  return (
    call?.node.type === 'CallExpression' &&
    outer?.type === 'VariableDeclarator' &&
    nameOf(outer['id']) === 'require' &&
    nameOf(call.node['callee']) === 'createRequire'
  );
}

/** `x.constructor` where it is compared, or only looked into; `this.constructor` is a class. */
function isHarmlessConstructor(place: Place): boolean {
  const { node, part, around } = place;
  if (isTree(node['object']) && node['object'].type === 'ThisExpression') return true;
  if (isTypeof(place) || isCompared(place)) return true;
  const parent = around?.node;
  if (parent?.type !== 'MemberExpression' || part !== 'object') return false;
  const member = memberOf(parent);
  return member !== null && !CALLS.has(member);
}
