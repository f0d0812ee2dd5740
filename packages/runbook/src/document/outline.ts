/**
 * Markdown as an outline: headings, fenced blocks, tables and prose with their lines. Only CommonMark
 * and GFM tables; what a block means is `parse-runbook.ts`. Hostile text costs bounded time: size,
 * line length and nesting are limited before the parser sees it.
 */
import type { Nodes, Root } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table';
import { toString } from 'mdast-util-to-string';
import { gfmTable } from 'micromark-extension-gfm-table';

/** A runbook is read by a person in an incident. */
export const MAX_DOCUMENT_BYTES = 256 * 1_024;
const MAX_LINE_CHARS = 2_000;
const MAX_LINES = 20_000;
/** Between two blank lines: the parser looks back over all open brackets of a paragraph. */
const MAX_BRACKETS = 200;
/** Quotes and lists in each other; the parser's cost grows with the square of it. */
const MAX_NESTING = 20;

export type OutlineItem = { readonly line: number } & (
  | { readonly kind: 'heading'; readonly depth: number; readonly text: string }
  | { readonly kind: 'block'; readonly info: string; readonly text: string }
  | { readonly kind: 'table'; readonly rows: readonly { readonly line: number; readonly cells: readonly string[] }[] }
  | { readonly kind: 'prose'; readonly text: string; readonly links: readonly string[] }
);

export interface Outline {
  /** The text between the two `---` of the first lines, or `null`. */
  readonly frontMatter: string | null;
  readonly items: readonly OutlineItem[];
}

/** Says why `text` is not parsed at all, or `null`. */
function refuse(text: string): { line: number; message: string } | null {
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) {
    return { line: 1, message: `The document is larger than ${MAX_DOCUMENT_BYTES} bytes` };
  }
  const lines = text.split('\n');
  if (lines.length > MAX_LINES) return { line: 1, message: `The document has more than ${MAX_LINES} lines` };
  let brackets = 0;
  for (const [at, line] of lines.entries()) {
    brackets = line.trim() === '' ? 0 : brackets + line.split('[').length - 1;
    if (brackets > MAX_BRACKETS) {
      return { line: at + 1, message: `The paragraph has more than ${MAX_BRACKETS} opening brackets` };
    }
    if (line.length > MAX_LINE_CHARS) {
      return { line: at + 1, message: `The line is longer than ${MAX_LINE_CHARS} characters` };
    }
    const markers = /^(?:[ \t]|[>*+-](?=[ \t>*+-])|>|[0-9]{1,9}[.)](?=[ \t]))*/.exec(line)![0];
    if (markers.replaceAll(/[ \t]/g, '').length > MAX_NESTING && !/^[ \t]*([-*_])(?:[ \t]*\1)*[ \t]*$/.test(line)) {
      return { line: at + 1, message: `The line nests more than ${MAX_NESTING} quotes and lists` };
    }
    if (/^[ \t]{200}/.test(line)) return { line: at + 1, message: 'The line is indented by more than 200' };
  }
  return null;
}

function linksIn(node: Nodes): string[] {
  if (node.type === 'link' || node.type === 'image' || node.type === 'definition') return [node.url];
  return 'children' in node ? node.children.flatMap((child) => linksIn(child)) : [];
}

function collect(node: Nodes, lineOffset: number, into: OutlineItem[]): void {
  const line = (node.position?.start.line ?? 1) + lineOffset;
  if (node.type === 'heading') {
    into.push({ kind: 'heading', line, depth: node.depth, text: toString(node).trim() });
  } else if (node.type === 'code') {
    into.push({ kind: 'block', line, info: `${node.lang ?? ''} ${node.meta ?? ''}`.trim(), text: node.value });
  } else if (node.type === 'table') {
    const rows = node.children.map((row) => ({
      line: (row.position?.start.line ?? 1) + lineOffset,
      cells: row.children.map((cell) => toString(cell).trim()),
    }));
    into.push({ kind: 'table', line, rows });
  } else if (node.type === 'paragraph' || node.type === 'definition' || node.type === 'html') {
    into.push({ kind: 'prose', line, text: toString(node), links: linksIn(node) });
  } else if ('children' in node) {
    for (const child of node.children) collect(child, lineOffset, into);
  }
}

/** @returns the outline, or the one problem that keeps the text from being parsed. Never throws. */
export function outlineMarkdown(text: string): Outline | { readonly line: number; readonly message: string } {
  const unix = text.replaceAll('\r\n', '\n');
  const refused = refuse(unix);
  if (refused !== null) return refused;
  const front = /^---[ \t]*\n([^]*?)(?:^---[ \t]*$)/m.exec(unix);
  const begins = front?.index === 0;
  const body = begins ? unix.slice(front[0].length) : unix;
  const lineOffset = begins ? front[0].split('\n').length - 1 : 0;
  let tree: Root;
  try {
    tree = fromMarkdown(body, { extensions: [gfmTable()], mdastExtensions: [gfmTableFromMarkdown()] });
  } catch {
    return { line: 1, message: 'The document is not Markdown that can be parsed' };
  }
  const items: OutlineItem[] = [];
  collect(tree, lineOffset, items);
  return { frontMatter: begins ? front[1]! : null, items };
}
