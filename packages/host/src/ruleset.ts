/**
 * The one spelling of a packet filter ruleset (C-11). Works on the text that `nft -s list ruleset`
 * prints; it is not a parser of the nft language: it knows braces, quotes, comments and lists, and
 * leaves every other word as it is. Rules keep their order, because their order is their meaning.
 *
 * Dropped: comments (handles among them), the values of counters and quotas, the remaining life of
 * set elements, and the elements of sets that packets fill (`flags dynamic`): they are traffic, not
 * configuration. Sorted: the elements of sets and maps, named and anonymous.
 */
import { HoldfastError } from '@holdfast/core';

/** Larger than any ruleset met in practice: 10,000 set elements make about 0.3 MB. */
export const MAX_RULESET_BYTES = 8 * 1024 * 1024;
/** table > chain > anonymous set > an element's own braces; deeper nesting is no ruleset. */
const MAX_DEPTH = 8;

type Token = { readonly kind: 'word' | 'quoted' | 'open' | 'close' | 'comma' | 'end'; readonly text: string };
/** A list is a set literal inside a statement; a block holds statements. */
type Part = string | { readonly list: readonly string[] };
type Node =
  | { readonly kind: 'statement'; readonly parts: readonly Part[] }
  | { readonly kind: 'block'; readonly head: string; readonly body: readonly Node[] };

function refuse(reason: string): never {
  throw new HoldfastError(`not a ruleset: ${reason}`, { code: 'ERR_HOST_PACKET_FILTER_REFUSED', fields: { reason } });
}

const TOKEN =
  /[ \t\r]+|#[^\n]*|(?<end>[\n;])|(?<open>\{)|(?<close>\})|(?<comma>,)|(?<quoted>"[^"\n]*")|(?<word>[^\s{};,"#]+)/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) refuse('a quote is not closed');
    for (const kind of ['end', 'open', 'close', 'comma', 'quoted', 'word'] as const) {
      const found = match.groups?.[kind];
      if (found !== undefined) tokens.push({ kind, text: found });
    }
  }
  return tokens;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Statements and blocks up to the closing brace, or to the end at depth 0. */
  body(depth: number): Node[] {
    if (depth > MAX_DEPTH) refuse('braces are nested too deeply');
    const nodes: Node[] = [];
    let parts: Part[] = [];
    const flush = (): void => {
      if (parts.length > 0) nodes.push({ kind: 'statement', parts });
      parts = [];
    };
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      this.#at += 1;
      if (token.kind === 'end') {
        flush();
      } else if (token.kind === 'close') {
        if (depth === 0) refuse('a brace closes nothing');
        flush();
        return nodes;
      } else if (token.kind === 'open') {
        // `head {` + line end opens a block; anything else after the brace is a list in a statement.
        if (this.#tokens[this.#at]?.kind === 'end' || (depth < 2 && !isStatement(parts))) {
          nodes.push({ kind: 'block', head: parts.map(String).join(' '), body: this.body(depth + 1) });
          parts = [];
        } else {
          parts.push({ list: this.#list(depth + 1) });
        }
      } else {
        parts.push(token.text);
      }
    }
    if (depth > 0) refuse('a brace is not closed');
    flush();
    return nodes;
  }

  /** The elements of a set literal, each as its own text. */
  #list(depth: number): string[] {
    if (depth > MAX_DEPTH) refuse('braces are nested too deeply');
    const elements: string[] = [];
    let words: string[] = [];
    const flush = (): void => {
      if (words.length > 0) elements.push(words.join(' '));
      words = [];
    };
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      this.#at += 1;
      if (token.kind === 'close') {
        flush();
        return elements;
      }
      if (token.kind === 'comma') flush();
      else if (token.kind === 'open') words.push(`{ ${sortedList(this.#list(depth + 1))} }`);
      // Line breaks inside a list only wrap it.
      else if (token.kind !== 'end') words.push(token.text);
    }
    return refuse('a brace is not closed');
  }
}

/** Words that only ever stand before a block when they open a line of a table (nft(8), "TABLES"). */
const BLOCK_WORDS = new Set([
  'table',
  'chain',
  'set',
  'map',
  'counter',
  'quota',
  'limit',
  'flowtable',
  'ct',
  'secmark',
  'synproxy',
]);

function isStatement(parts: readonly Part[]): boolean {
  return typeof parts[0] !== 'string' || !BLOCK_WORDS.has(parts[0]);
}

const BARE_COUNTERS = / packets \d+ bytes \d+/g;
const QUOTA_USED = / used \d+ [a-z]*bytes/g;
const EXPIRES = / expires (?:\d+(?:ms|[dhms]))+/g;

/** Applies `change` to what stands outside quotes. */
function outsideQuotes(text: string, change: (plain: string) => string): string {
  return text
    .split(/("[^"]*")/)
    .map((piece, index) => (index % 2 === 0 ? change(piece) : piece))
    .join('');
}

const withoutValues = (text: string): string =>
  outsideQuotes(text, (plain) =>
    ` ${plain}`.replace(BARE_COUNTERS, '').replace(QUOTA_USED, '').replace(EXPIRES, '').slice(1),
  );

function sortedList(elements: readonly string[]): string {
  return [...new Set(elements.map(withoutValues))].toSorted().join(', ');
}

function formatStatement(parts: readonly Part[]): string {
  let text = '';
  let before = '';
  for (const part of parts) {
    if (part === ',') {
      // Outside a list a comma joins flags: `flags interval,timeout`, `ct state established,related`.
      text += ',';
    } else {
      const next = typeof part === 'string' ? part : `{ ${sortedList(part.list)} }`;
      text += text === '' || before === ',' ? next : ` ${next}`;
    }
    before = typeof part === 'string' ? part : '';
  }
  return withoutValues(text);
}

const isDynamicSet = (head: string, body: readonly Node[]): boolean =>
  /^(?:set|map) /.test(head) &&
  body.some((node) => node.kind === 'statement' && node.parts[0] === 'flags' && node.parts.includes('dynamic'));

function format(nodes: readonly Node[], indent: string, out: string[]): void {
  for (const node of nodes) {
    if (node.kind === 'statement') {
      const line = formatStatement(node.parts);
      // A counter's own block holds nothing but its value.
      if (line !== '' && !/^packets \d+ bytes \d+$/.test(line)) out.push(indent + line);
    } else {
      const dynamic = isDynamicSet(node.head, node.body);
      const body = dynamic
        ? node.body.filter((child) => child.kind !== 'statement' || child.parts[0] !== 'elements')
        : node.body;
      out.push(`${indent}${node.head} {`);
      format(body, `${indent}\t`, out);
      out.push(`${indent}}`);
    }
  }
}

/** Families of nft(8), "ADDRESS FAMILIES". */
const TABLE_HEAD = /^table (?:ip|ip6|inet|arp|bridge|netdev) [A-Za-z_][A-Za-z0-9_./-]*$/;

/**
 * Gives the ruleset its one spelling. Idempotent. Only tables may stand at the top: a ruleset that
 * includes files, defines variables or flushes is refused, because its text is not its meaning.
 *
 * @returns lines ending in `\n`, or the empty string
 * @throws `ERR_HOST_PACKET_FILTER_REFUSED`
 */
export function normalizeRuleset(text: string): string {
  if (text.length > MAX_RULESET_BYTES) refuse('it is too large');
  if (text.includes('\0')) refuse('it holds a NUL');
  const nodes = new Reader(tokenize(text)).body(0);
  for (const node of nodes) {
    if (node.kind !== 'block' || !TABLE_HEAD.test(node.head)) refuse('something else than a table stands at the top');
    if (hasInclude(node.body)) refuse('it includes a file');
  }
  const out: string[] = [];
  format(nodes, '', out);
  return out.length === 0 ? '' : `${out.join('\n')}\n`;
}

function hasInclude(nodes: readonly Node[]): boolean {
  return nodes.some((node) => (node.kind === 'block' ? hasInclude(node.body) : node.parts[0] === 'include'));
}
