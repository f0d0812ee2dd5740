/**
 * Finds secrets in the bytes of one file. Pure and bounded: literals first, then, only where one is,
 * the patterns of its rules. Says what kind and where, and keeps the secret itself for the caller to
 * make a digest of; nothing here prints.
 */
import { CREDENTIAL_RULES } from './credential-rules.ts';
import { LiteralIndex } from './literal-index.ts';
import { PROVIDER_RULES } from './provider-rules.ts';
import type { SecretRule } from './secret-rule.ts';
import { expandText, firstAfter, type TextView } from './text-views.ts';

export interface FoundSecret {
  readonly rule: Pick<SecretRule, 'id' | 'title' | 'chosen'>;
  readonly severity: 'P0' | 'P1';
  readonly secret: string;
  readonly how: string;
  /** `null` where the file has no lines. */
  readonly line: number | null;
}

export interface FoundSecrets {
  readonly found: readonly FoundSecret[];
  /** Why parts of it could not be looked at. */
  readonly skipped: readonly string[];
  /** Where a literal was, with what is around it: worth a second engine's time. */
  readonly windows: readonly TextWindow[];
}

/** A piece of a file's text that is short enough for patterns that are not bounded. */
export interface TextWindow {
  readonly text: string;
  readonly firstLine: number;
}

/** Around a literal: a token before, a private key after. */
const WINDOW_BEFORE_CHARS = 256;
const WINDOW_AFTER_CHARS = 2_048;
/** A pattern that takes the square of its input's length takes a tenth of a second on this much. */
const MAX_WINDOW_CHARS = 16_384;

export const SECRET_RULES: readonly SecretRule[] = [...PROVIDER_RULES, ...CREDENTIAL_RULES];

const TRIES = SECRET_RULES.flatMap((rule) => rule.literals.map((literal) => ({ rule, literal })));
const INDEX = new LiteralIndex(TRIES.map(({ literal }) => literal));

interface Span {
  readonly rule: SecretRule;
  readonly severity: 'P0' | 'P1';
  readonly secret: string;
  readonly from: number;
  readonly to: number;
}

/** @param path where the file is, for rules of certain files */
export function findSecrets(bytes: Buffer, path: string): FoundSecrets {
  const { views, skipped } = expandText(bytes);
  const lines = new LineCounter(bytes);
  const found = new Map<string, FoundSecret>();
  const windows: TextWindow[] = [];
  for (const view of views) {
    const { spans, text, hits } = searchView(view, path);
    if (view === views[0] && !view.binary && text !== null) {
      for (const [from, to] of windowsAround(hits, text.length)) {
        windows.push({ text: text.slice(from, to), firstLine: lines.at(view.sourceOffset?.(from) ?? 0) });
      }
    }
    for (const { rule, severity, secret, from } of spans) {
      const key = `${rule.id}\0${secret}`;
      if (found.has(key)) continue;
      const line = view.sourceOffset === null ? null : lines.at(view.sourceOffset(from));
      found.set(key, { rule, severity, secret, how: view.how, line });
    }
  }
  return { found: [...found.values()], skipped, windows };
}

function searchView(
  view: TextView,
  path: string,
): { spans: readonly Span[]; text: string | null; hits: readonly number[] } {
  let text: string | null = null;
  const spans: Span[] = [];
  const hits: number[] = [];
  INDEX.find(view.bytes, (index, start) => {
    const { rule } = TRIES[index]!;
    if ((rule.textOnly && (view.binary || view.seams !== null)) || (rule.path !== null && !rule.path.test(path)))
      return;
    const all = (text ??= view.bytes.toString('latin1'));
    if (!rule.textOnly) hits.push(start);
    for (let from = start; from >= Math.max(0, start - rule.back); from--) {
      rule.pattern.lastIndex = from;
      const match = rule.pattern.exec(all);
      if (match === null) continue;
      const secret = match.groups?.['secret'] ?? match[1] ?? match[0];
      const severity = rule.judge(secret, match);
      if (severity === null) continue;
      const at = match.index + match[0].lastIndexOf(secret);
      spans.push({ rule, severity, secret, from: at, to: at + secret.length });
      return;
    }
  });
  const { seams } = view;
  const news =
    seams === null ? spans : spans.filter(({ from, to }) => firstAfter(seams, from) < firstAfter(seams, to - 1));
  return { spans: withoutOverlaps(news), text, hits };
}

function* windowsAround(hits: readonly number[], length: number): Generator<readonly [number, number]> {
  let from = 0;
  let to = 0;
  for (const hit of hits) {
    const start = Math.max(to, hit - WINDOW_BEFORE_CHARS);
    const end = Math.min(length, hit + WINDOW_AFTER_CHARS);
    if (end <= to) continue;
    if (start > to || end - from > MAX_WINDOW_CHARS) {
      if (to > from) yield [from, to];
      // A token over the border of two windows is in the second one as a whole.
      from = Math.max(0, hit - WINDOW_BEFORE_CHARS);
    }
    to = end;
  }
  if (to > from) yield [from, to];
}

const RANK = new Map(SECRET_RULES.map((rule, index) => [rule.id, index]));

/** One place, one finding: the rule that knows most (first in the table) wins. */
function withoutOverlaps(spans: readonly Span[]): readonly Span[] {
  const kept: Span[] = [];
  let lastTo = -1;
  for (const span of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const before = kept.at(-1);
    if (before !== undefined && span.from < lastTo) {
      if (RANK.get(span.rule.id)! < RANK.get(before.rule.id)!) kept[kept.length - 1] = span;
    } else kept.push(span);
    lastTo = Math.max(lastTo, span.to);
  }
  return kept;
}

/** Line of an offset, counted from 1; asked in any order. */
class LineCounter {
  readonly #bytes: Buffer;
  #at = 0;
  #line = 1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  at(offset: number): number {
    if (offset < this.#at) {
      this.#at = 0;
      this.#line = 1;
    }
    for (
      let end = this.#bytes.indexOf(0x0a, this.#at);
      end >= 0 && end < offset;
      end = this.#bytes.indexOf(0x0a, this.#at)
    ) {
      this.#line += 1;
      this.#at = end + 1;
    }
    return this.#line;
  }
}
