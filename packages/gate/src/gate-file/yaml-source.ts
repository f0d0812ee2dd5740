/**
 * YAML 1.2 from a stranger, with places: one document, core schema, string keys, no tags, no anchors,
 * no aliases, no duplicate keys. What remains means the same to every reader, and takes time and memory
 * in proportion to its length.
 */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import type { GatePath } from './gate-problem.ts';

/** One mistake may be complained about at every character that follows. */
const MAX_PROBLEMS = 100;

export interface YamlProblem {
  readonly line: number;
  readonly message: string;
}

export interface YamlSource {
  /** `undefined` when there are problems. */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** The line on which `path`, or as much of it as there is, begins. */
  lineOf(path: GatePath): number;
}

/** Never throws. */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const lineAt = (offset: number | undefined): number => Math.max(1, lines.linePos(offset ?? 0).line);
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      strict: true,
      uniqueKeys: false, // theirs compares every key with every other; ours is below
      stringKeys: true,
      merge: false,
      customTags: [],
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: 'error', // 'silent' would also hide that there is a second document
      lineCounter: lines,
    });
    const complaints = [...document.errors, ...document.warnings].slice(0, MAX_PROBLEMS);
    const problems: YamlProblem[] = complaints.map(({ pos, code, message }) => ({
      line: lineAt(pos[0]),
      message: code === 'MULTIPLE_DOCS' ? 'has more than one document; keep one' : `is not YAML 1.2: ${message}`,
    }));
    if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
      problems.push({ line: 1, message: 'says that it is another version of YAML than 1.2; remove the %YAML line' });
    }
    for (const { node, message } of refusedNodes(document).slice(0, MAX_PROBLEMS)) {
      problems.push({ line: lineAt(node.range?.[0]), message });
    }
    return {
      value: problems.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 }),
      problems: problems.toSorted((a, b) => a.line - b.line),
      lineOf: (path) => lineAt(offsetOf(document, path)),
    };
  } catch {
    // Nesting deep enough to exhaust the stack ends here.
    return { value: undefined, problems: [{ line: 1, message: 'is nested too deeply' }], lineOf: () => 1 };
  }
}

/** What YAML allows and we do not: all that lets one text mean several things, or a short one a long one. */
function refusedNodes(document: Document.Parsed): { node: Node; message: string }[] {
  const refused: { node: Node; message: string }[] = [];
  visit(document, {
    Alias: (_key, node) => void refused.push({ node, message: 'uses an alias; write the value out' }),
    Value: (_key, node) => {
      if (node.anchor !== undefined) refused.push({ node, message: 'has an anchor; write the value out' });
      if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) {
        refused.push({ node, message: 'has a tag; remove it' });
      }
      if (isMap(node)) refused.push(...duplicateKeys(node));
    },
  });
  return refused;
}

function duplicateKeys(map: YAMLMap): { node: Node; message: string }[] {
  const seen = new Set<unknown>();
  const duplicates: { node: Node; message: string }[] = [];
  for (const { key } of map.items) {
    if (!isScalar(key)) continue; // a parser error already
    if (seen.has(key.value)) duplicates.push({ node: key, message: `has the key \`${String(key.value)}\` twice` });
    seen.add(key.value);
  }
  return duplicates;
}

function offsetOf(document: Document.Parsed, path: GatePath): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0];
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0];
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
