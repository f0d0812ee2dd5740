/** YAML of front matter and blocks: 1.2 core schema, no aliases, no tags, no duplicate keys, bounded. */
import { isAlias, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';

const MAX_BLOCK_CHARS = 16_384;
/** Blocks are flat; collections nested deeper mean nothing here. */
const MAX_DEPTH = 6;

export interface BlockProblem {
  /** 1 is the first line of the block's text. */
  readonly line: number;
  readonly message: string;
}

/** Reads the YAML alone, so that its keys can say which schema applies. Never throws. */
export function readYaml(text: string): { value: unknown; problems: BlockProblem[] } {
  if (text.length > MAX_BLOCK_CHARS) {
    return { value: null, problems: [{ line: 1, message: `The block is longer than ${MAX_BLOCK_CHARS} characters` }] };
  }
  const lines = new LineCounter();
  const problems: BlockProblem[] = [];
  let document: ReturnType<typeof parseDocument>;
  try {
    document = parseDocument(text, { lineCounter: lines, version: '1.2', schema: 'core', stringKeys: true });
  } catch {
    // The parser recurses; 16 kB of brackets are deeper than its stack may be.
    return { value: null, problems: [{ line: 1, message: 'The block nests too deeply' }] };
  }
  for (const { pos, code } of [...document.errors, ...document.warnings]) {
    problems.push({ line: lines.linePos(pos[0]).line, message: `The block is not valid YAML (${code})` });
  }
  visit(document, (_key, node, path) => {
    const deep = path.length > MAX_DEPTH * 2 ? 'The block nests too deeply' : null;
    const refused = isAlias(node) ? 'Aliases are not allowed' : deep;
    if (refused === null) return undefined;
    problems.push({ line: 1, message: refused });
    return visit.BREAK;
  });
  return problems.length > 0 ? { value: null, problems } : { value: document.toJS({ maxAliasCount: 0 }), problems };
}

/** One sentence per issue; values are not echoed. */
export function describeIssues(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => {
    const where = path.length === 0 ? '' : `${path.join('.')}: `;
    return `${where}${message}`.slice(0, 300);
  });
}
