/**
 * What the files of a control group are called and how they read, in version 1
 * (Documentation/admin-guide/cgroup-v1) and version 2 (cgroup-v2.rst). Pure: text in, numbers out.
 */
import type { Controller } from './hierarchies.ts';

/** File name and parser, for each version. What does not parse is `NaN`. */
type Reading<T> = Readonly<Record<1 | 2, readonly [file: string, parse: (text: string) => T]>>;

export interface IoBytes {
  readonly read: number;
  readonly written: number;
}

export const LIMITS = {
  memory: { 1: 'memory.limit_in_bytes', 2: 'memory.max' },
  pids: { 1: 'pids.max', 2: 'pids.max' },
} as const satisfies Partial<Record<Controller, Record<1 | 2, string>>>;

/** Without these files the kernel accounts no swap; then there is none to limit. Version 1 counts both together. */
export const SWAP_LIMIT = {
  1: { file: 'memory.memsw.limit_in_bytes', bytes: (memoryBytes: number) => memoryBytes },
  2: { file: 'memory.swap.max', bytes: () => 0 },
} as const;

export const CPU_MS: Reading<number> = {
  1: ['cpuacct.usage', (text) => number(text) / 1e6],
  2: ['cpu.stat', (text) => field(text, 'usage_usec') / 1e3],
};

export const PEAK_MEMORY_BYTES: Reading<number> = {
  1: ['memory.max_usage_in_bytes', number],
  2: ['memory.peak', number],
};

export const OOM_KILLS: Reading<number> = {
  1: ['memory.oom_control', (text) => field(text, 'oom_kill')],
  2: ['memory.events', (text) => field(text, 'oom_kill')],
};

export const IO_BYTES: Reading<IoBytes> = {
  1: [
    'blkio.throttle.io_service_bytes_recursive',
    (text) => ({ read: sum(text, /^\d+:\d+ Read (\d+)$/gm), written: sum(text, /^\d+:\d+ Write (\d+)$/gm) }),
  ],
  2: ['io.stat', (text) => ({ read: sum(text, /\brbytes=(\d+)/g), written: sum(text, /\bwbytes=(\d+)/g) })],
};

/**
 * Pids in `cgroup.procs`. Version 2 lists processes that our pid namespace does not see as 0, which to
 * kill(2) means something else entirely.
 */
export function parsePids(text: string): readonly number[] {
  return text
    .split('\n')
    .filter((line) => /^[1-9]\d{0,9}$/.test(line))
    .map(Number);
}

function number(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** The number after `name` in a flat keyed file. */
function field(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? Number.NaN : number(line.slice(name.length + 1));
}

function sum(text: string, pattern: RegExp): number {
  let total = 0;
  for (const [, digits] of text.matchAll(pattern)) total += Number(digits);
  return total;
}
