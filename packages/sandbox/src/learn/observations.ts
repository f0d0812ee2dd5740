/** What one or more runs of a command did, as far as a profile can say anything about it. Data; see `observe-trace.ts`. */
import type { Ending } from './read-trace.ts';

/**
 * `read`, `write`: opened for it; `change`: see `NamedUse`; `list`: a directory was read; `execute`: as
 * a program; `map`: its pages as code; `look`: its attributes.
 */
export type FileUse = 'read' | 'write' | 'change' | 'list' | 'execute' | 'map' | 'look';

/** A system call, once for each set of arguments that a filter tells apart. */
export interface ObservedCall {
  readonly name: string;
  /** By position; `null` where a number is not known or does not matter. As text, since JSON has no 64-bit numbers. */
  readonly args: readonly (string | null)[];
  /** Made about a TCP socket: of no use without one. */
  readonly on?: 'tcp';
}

export interface TcpPeer {
  readonly address: string;
  readonly port: number;
  readonly isConnected: boolean;
}

export interface Observations {
  readonly calls: readonly ObservedCall[];
  /** By absolute path, as text; in the order in which they were first used. */
  readonly files: Readonly<Record<string, readonly FileUse[]>>;
  readonly peers: readonly TcpPeer[];
  /** In words: sockets that were used and that only the host's own network has. */
  readonly otherSockets: readonly string[];
  /** Of each run. */
  readonly endings: readonly Ending[];
  /** Processes and threads at once. */
  readonly tasks: number;
  /** Highest descriptor in use, plus one. */
  readonly descriptors: number;
  /** Bytes written to one file: those that were written twice count twice. */
  readonly largestFileBytes: number;
  /** Bytes written below `/tmp`. */
  readonly tmpBytes: number;
  /** Lines that were not understood: what they said is missing here. */
  readonly damagedLines: number;
}

/** What all of the runs did, taken together. */
export function uniteObservations(runs: readonly Observations[]): Observations {
  const files: Record<string, readonly FileUse[]> = {};
  for (const run of runs) {
    for (const [path, uses] of Object.entries(run.files)) files[path] = [...new Set([...(files[path] ?? []), ...uses])];
  }
  const largest = (of: (run: Observations) => number): number => Math.max(0, ...runs.map(of));
  return {
    calls: distinct(runs.flatMap(({ calls }) => calls)),
    files,
    peers: distinct(runs.flatMap(({ peers }) => peers)),
    otherSockets: [...new Set(runs.flatMap(({ otherSockets }) => otherSockets))],
    endings: runs.flatMap(({ endings }) => endings),
    tasks: largest(({ tasks }) => tasks),
    descriptors: largest(({ descriptors }) => descriptors),
    largestFileBytes: largest(({ largestFileBytes }) => largestFileBytes),
    tmpBytes: largest(({ tmpBytes }) => tmpBytes),
    damagedLines: runs.reduce((sum, { damagedLines }) => sum + damagedLines, 0),
  };
}

/** The same with one directory at another place: what was seen in a copy, as seen where the original is. */
export function moveObservations(observations: Observations, from: string, to: string): Observations {
  const files: Record<string, readonly FileUse[]> = {};
  for (const [path, uses] of Object.entries(observations.files)) {
    const moved = path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
    files[moved] = [...new Set([...(files[moved] ?? []), ...uses])];
  }
  return { ...observations, files };
}

/** Each once, by content. */
export function distinct<T extends object>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
