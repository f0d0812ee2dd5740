/**
 * YAML 1.2 from a stranger: one document, core schema, no tags, no anchors, no aliases, no duplicate
 * keys, nothing the parser warns about. What remains means the same to every reader.
 */
import { LineCounter, parseDocument, visit } from 'yaml';

/** What is wrong, and where; never the value itself. */
export interface Problem {
  /** Dotted path, or `line 3, column 5`. */
  readonly path: string;
  readonly message: string;
}

export type StrictYaml =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Never throws. */
export function parseStrictYaml(text: string): StrictYaml {
  const lines = new LineCounter();
  const place = (offset: number | undefined): string => {
    if (offset === undefined) return 'document';
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      strict: true,
      uniqueKeys: true,
      stringKeys: true,
      merge: false,
      customTags: [],
      resolveKnownTags: false,
      prettyErrors: false, // they quote the source
      logLevel: 'error', // 'silent' would also hide that there is a second document
      lineCounter: lines,
    });
    const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
      path: place(error.pos[0]),
      message: `is not strict YAML 1.2 (${error.code})`,
    }));
    if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
      problems.push({ path: 'document', message: 'is not YAML 1.2' });
    }
    visit(document, {
      Alias: (_key, node) => void problems.push({ path: place(node.range?.[0]), message: 'aliases are not allowed' }),
      Node: (_key, node) => {
        if ('anchor' in node && node.anchor !== undefined) {
          problems.push({ path: place(node.range?.[0]), message: 'anchors are not allowed' });
        }
        if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) {
          problems.push({ path: place(node.range?.[0]), message: 'tags are not allowed' });
        }
      },
    });
    if (problems.length > 0) return { ok: false, problems };
    return { ok: true, value: document.toJS({ maxAliasCount: 0 }) };
  } catch {
    // Nesting deep enough to exhaust the stack ends here, too.
    return { ok: false, problems: [{ path: 'document', message: 'cannot be read as YAML' }] };
  }
}
