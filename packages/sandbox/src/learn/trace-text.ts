/**
 * The text of strace(1) as values: one call with its arguments and its result, as printed under
 * `STRACE_OPTIONS`. A recursive-descent parser, since names of files may hold anything; what it does
 * not understand is no call, and is counted by its caller. Text comes in as latin1, one character a byte.
 */

/**
 * Forks are followed; descriptors carry what they are (`3</etc/hosts>`); constants are numbers, as the
 * filter's rules have them; contents of buffers are left out, names of files never are.
 */
export const STRACE_OPTIONS = ['-f', '-yy', '-X', 'raw', '-s', '0'] as const;

export type TraceValue =
  /** A number, `NULL`, or a name that strace gives in spite of `-X raw`. */
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  /** `{…}` and `[…]`. */
  | { readonly kind: 'group'; readonly items: readonly TraceArgument[] };

export type TraceArgument = TraceValue & {
  /** As in `flags=0x11`. */
  readonly name?: string;
  /** What a descriptor is: the part in `<…>`. */
  readonly of?: string;
};

export interface TraceCall {
  readonly name: string;
  readonly args: readonly TraceArgument[];
  /** `null` when the process ended in the call. */
  readonly result: bigint | null;
  /** Of a returned descriptor. */
  readonly resultOf?: string;
  /** Such as `ENOENT`, when it failed. */
  readonly error?: string;
}

/** @returns `undefined` when it is no whole call. Never throws. */
export function parseTraceCall(text: string): TraceCall | undefined {
  try {
    return new Scanner(text).call();
  } catch (error) {
    if (error instanceof NoTrace) return undefined;
    throw error;
  }
}

/** The number of a word: alternatives are joined by `|`, a leading 0 means octal. */
export function numberOf(argument: TraceArgument | undefined): bigint | undefined {
  if (argument?.kind === 'group') return 1n; // the address of something: not null, and no rule asks for more
  if (argument?.kind !== 'word') return undefined;
  if (argument.text === 'NULL') return 0n;
  let sum = 0n;
  for (const part of argument.text.split('|')) {
    const digits = /^(-?)(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/.exec(part);
    if (digits === null) return undefined;
    const [, minus, text = ''] = digits;
    const value = BigInt(/^0[0-7]+$/.test(text) ? `0o${text.slice(1)}` : text);
    sum |= minus === '-' ? BigInt.asUintN(64, -value) : value;
  }
  return sum;
}

/** A name of a file as text; bytes that are no UTF-8 become U+FFFD, which no profile can name. */
export function textOf(argument: TraceArgument | undefined): string | undefined {
  return argument?.kind === 'string' ? decode(argument.text) : undefined;
}

/** The path that a descriptor is, without what strace adds for devices; `undefined` for sockets, pipes and the like. */
export function pathOf(of: string | undefined): string | undefined {
  if (of === undefined || !of.startsWith('/')) return undefined;
  const device = /<(?:char|block) [^<>]*>$/.exec(of);
  return decode(unescape(device === null ? of : of.slice(0, device.index)));
}

/** Depth of nested groups: real ones have three or four. */
const MAX_DEPTH = 32;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f', a: '\u0007', b: '\b' };

class NoTrace extends Error {}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  call(): TraceCall {
    const name = this.#match(/[a-z_][a-z0-9_]*/y);
    this.#expect('(');
    const args = this.#list(')', 0);
    this.#match(/ *= /y);
    const returned = this.#match(/\?|-?(?:0x[\da-f]+|\d+)/y);
    const resultOf = this.#peek() === '<' ? this.#annotation() : undefined;
    const error = /^ (E[A-Z0-9]+)\b/.exec(this.#text.slice(this.#at))?.[1];
    return {
      name,
      args,
      result: returned === '?' ? null : BigInt.asIntN(64, signed(returned)),
      ...(resultOf === undefined ? {} : { resultOf }),
      ...(error === undefined ? {} : { error }),
    };
  }

  #list(end: ')' | '}' | ']', depth: number): readonly TraceArgument[] {
    if (depth > MAX_DEPTH) throw new NoTrace();
    const items: TraceArgument[] = [];
    for (;;) {
      this.#match(/(?:[ ,]|\/\*[^*]*\*\/|\.\.\.)*/y);
      if (this.#peek() === end) break;
      items.push(this.#argument(depth));
      this.#skipRemarks(depth);
    }
    this.#expect(end);
    return items;
  }

  #argument(depth: number): TraceArgument {
    const name = this.#tryMatch(/([A-Za-z_][A-Za-z0-9_.]*)=/y)?.slice(0, -1);
    const value = this.#value(depth);
    const of = value.kind === 'word' && this.#peek() === '<' ? this.#annotation() : undefined;
    return { ...value, ...(name === undefined ? {} : { name }), ...(of === undefined ? {} : { of }) };
  }

  #value(depth: number): TraceValue {
    this.#tryMatch(/[~&@](?=[[{"])/y); // a complement, an address, an abstract socket
    const first = this.#peek();
    if (first === '"') return { kind: 'string', text: this.#string() };
    if (first === '{' || first === '[') {
      this.#at++;
      return { kind: 'group', items: this.#list(first === '{' ? '}' : ']', depth + 1) };
    }
    return {
      kind: 'word',
      text: this.#match(/[^\s,(){}[\]"<>]+(?: (?:\*|&&|==|<<) ?[^\s,(){}[\]"<>]+)*(?:\([^()"]*\))*/y),
    };
  }

  /** What may stand behind a value: `/* 35 vars *\/`, ` => [16]`, `(deleted)`, ` && WEXITSTATUS(s) == 0`. */
  #skipRemarks(depth: number): void {
    for (;;) {
      if (this.#tryMatch(/\.\.\.|\/\*[^*]*\*\/|\(deleted\)| +(?=[^,])|=>|->|[&|=*<>-]+/y) !== undefined) continue;
      const next = this.#peek();
      if (next === ',' || next === ')' || next === '}' || next === ']') return;
      this.#argument(depth + 1);
    }
  }

  #string(): string {
    this.#expect('"');
    const body = this.#match(/(?:[^"\\]|\\[^])*/y);
    this.#expect('"');
    return unescape(body);
  }

  /** `<…>`: angle brackets of file names are escaped; sockets have arrows, devices nested brackets. */
  #annotation(): string {
    const start = this.#at + 1;
    this.#expect('<');
    for (let open = 1; open > 0;) {
      const token = this.#match(/->|\\[^]|[<>]|[^<>\\-]+|-/y);
      if (token === '<') open++;
      if (token === '>') open--;
    }
    const text = this.#text.slice(start, this.#at - 1);
    this.#tryMatch(/\(deleted\)/y);
    return text;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #expect(character: string): void {
    if (this.#text[this.#at++] !== character) throw new NoTrace();
  }

  #tryMatch(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #match(pattern: RegExp): string {
    const found = this.#tryMatch(pattern);
    if (found === undefined) throw new NoTrace();
    return found;
  }
}

function signed(text: string): bigint {
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
}

/** The escapes of C, as strace writes them. */
function unescape(text: string): string {
  return text.replace(/\\(?:x([\da-f]{2})|([0-7]{1,3})|([^]))/g, (_, hex?: string, octal?: string, other = '') => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    return ESCAPES[other as string] ?? (other as string);
  });
}

function decode(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
