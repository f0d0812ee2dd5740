/**
 * Lines of a trace as events of processes, in the order in which they ended. A call that another
 * process interrupted is printed in two parts, which are put together here. strace(1), "Trace output".
 */
import { parseTraceCall, type TraceCall } from './trace-text.ts';

/** How a command ended. */
export type Ending =
  | { readonly exitCode: number }
  | { readonly signal: string }
  /** It was ended from outside, or its trace has no end. */
  | { readonly unknown: 'timeout' | 'truncated' };

export type TraceEvent =
  | { readonly kind: 'call'; readonly pid: number; readonly call: TraceCall }
  /** A call that has begun and will end: so a child may be seen before the call that made it. */
  | { readonly kind: 'begun'; readonly pid: number; readonly name: string }
  | { readonly kind: 'ended'; readonly pid: number; readonly ending: Ending }
  /** A line that is none of strace's, or half of one. */
  | { readonly kind: 'damaged' };

/** A real line is a few hundred characters; a path may have 4,096 bytes, each written as four. */
const MAX_LINE_CHARS = 100_000;
const UNFINISHED = ' <unfinished ...>';

export class TraceReader {
  readonly #unfinished = new Map<number, string>();

  /** Takes one line without its end. @returns what it says, or nothing for one that changes nothing */
  read(line: string): TraceEvent | undefined {
    if (line === '') return undefined;
    const [prefix, digits = ''] = /^(\d{1,10}) +/.exec(line) ?? [];
    if (prefix === undefined || line.length > MAX_LINE_CHARS) return { kind: 'damaged' };
    const pid = Number(digits);
    const text = line.slice(prefix.length);
    if (text.startsWith('+++')) return this.#readEnd(pid, text);
    if (text.startsWith('---')) return undefined; // a signal was delivered, or the process stopped
    if (text.endsWith(UNFINISHED)) {
      const begun = text.slice(0, -UNFINISHED.length);
      const name = /^[a-z_][a-z0-9_]*(?=\()/.exec(begun)?.[0];
      if (name === undefined) return { kind: 'damaged' };
      this.#unfinished.set(pid, begun);
      return { kind: 'begun', pid, name };
    }
    const resumed = /^<\.\.\. ([a-z_][a-z0-9_]*) resumed>/.exec(text);
    if (resumed === null) return toCall(pid, text);
    const begun = this.#unfinished.get(pid);
    this.#unfinished.delete(pid);
    if (begun === undefined || !begun.startsWith(`${resumed[1]}(`)) return { kind: 'damaged' };
    return toCall(pid, begun + text.slice(resumed[0].length));
  }

  #readEnd(pid: number, text: string): TraceEvent | undefined {
    this.#unfinished.delete(pid);
    const [, code, signal] =
      /^\+\+\+ (?:exited with (\d+)|killed by (SIG[A-Z0-9_+]+)(?: \(core dumped\))?) \+\+\+$/.exec(text) ?? [];
    if (code !== undefined) return { kind: 'ended', pid, ending: { exitCode: Number(code) } };
    if (signal !== undefined) return { kind: 'ended', pid, ending: { signal } };
    return text.startsWith('+++ superseded by execve') ? undefined : { kind: 'damaged' };
  }
}

function toCall(pid: number, text: string): TraceEvent {
  const call = parseTraceCall(text);
  return call === undefined ? { kind: 'damaged' } : { kind: 'call', pid, call };
}
