/**
 * From the events of one traced run to what the command did. Calls that failed as the filter would
 * let them fail are left out, and files that were not there; so are calls about sockets that no
 * profile gives, since there will be no such sockets to make them about.
 */
import { posix } from 'node:path';
import { NAMED_PATHS, OPENING } from './call-paths.ts';
import type { FileUse, Observations, ObservedCall, TcpPeer } from './observations.ts';
import type { Ending, TraceEvent } from './read-trace.ts';
import { refusalOf, testedArguments } from './syscall-needs.ts';
import { numberOf, pathOf, textOf, type TraceArgument, type TraceCall } from './trace-text.ts';

/** asm-generic/fcntl.h */
const [O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_DIRECTORY, O_PATH] = [
  0o1n,
  0o2n,
  0o100n,
  0o1000n,
  0o200_000n,
  0o10_000_000n,
];
const PROT_EXEC = 4n;
/** linux/socket.h */
const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1n, 2n, 10n, 16n];
const FAMILIES: ReadonlySet<bigint> = new Set([AF_UNIX, AF_INET, AF_INET6, AF_NETLINK]);
/** linux/net.h: the kind without its flags. */
const [KIND, SOCK_STREAM] = [0xfn, 1n];
const FORKS: ReadonlySet<string> = new Set(['fork', 'vfork', 'clone', 'clone3']);
const WRITES: ReadonlySet<string> = new Set([
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'pwritev2',
  'copy_file_range',
  'sendfile',
]);
/** Argument that sets a length outright. */
const LENGTHS: Readonly<Record<string, number>> = { ftruncate: 1, truncate: 1, fallocate: 3 };
/** Nothing of a name service but DNS and its cache: a program that resolves names goes on without. */
const NAME_SERVICE = /^\/(?:var\/)?run\/(?:nscd\/socket|systemd\/resolve\/)/;

export class TraceObserver {
  readonly #calls = new Map<string, ObservedCall>();
  readonly #files = new Map<string, Set<FileUse>>();
  readonly #peers = new Map<string, TcpPeer>();
  readonly #otherSockets = new Set<string>();
  /** Inodes of Unix sockets that were made by name; the others are pairs or were inherited. */
  readonly #namedSockets = new Set<string>();
  readonly #written = new Map<string, number>();
  readonly #directories = new Map<number, string>();
  readonly #forking = new Set<number>();
  readonly #alive = new Set<number>();
  readonly #start: string;
  #first: number | undefined;
  #ending: Ending | undefined;
  #tasks = 0;
  #descriptors = 3;
  #damaged = 0;

  /** @param directory in which the command was started */
  constructor(directory: string) {
    this.#start = directory;
  }

  observe(event: TraceEvent): void {
    if (event.kind === 'damaged') {
      this.#damaged++;
      return;
    }
    const { pid } = event;
    this.#first ??= pid;
    if (event.kind === 'ended') {
      this.#alive.delete(pid);
      if (pid === this.#first) this.#ending = event.ending;
      return;
    }
    this.#meet(pid);
    if (event.kind === 'begun') {
      if (FORKS.has(event.name)) this.#forking.add(pid);
      return;
    }
    this.#forking.delete(pid);
    this.#take(pid, event.call);
  }

  /** @param isTimedOut when it was ended from outside */
  end(isTimedOut = false): Observations {
    const unknown = { unknown: isTimedOut ? 'timeout' : 'truncated' } as const;
    const written = [...this.#written];
    return {
      calls: [...this.#calls.values()],
      files: Object.fromEntries([...this.#files].map(([path, uses]) => [path, [...uses]])),
      peers: [...this.#peers.values()],
      otherSockets: [...this.#otherSockets],
      endings: [isTimedOut ? unknown : (this.#ending ?? unknown)],
      tasks: this.#tasks,
      descriptors: this.#descriptors,
      largestFileBytes: Math.max(0, ...written.map(([, bytes]) => bytes)),
      tmpBytes: written.reduce((sum, [path, bytes]) => sum + (path.startsWith('/tmp/') ? bytes : 0), 0),
      damagedLines: this.#damaged,
    };
  }

  /** A process that was not seen before is in the directory of the one that is making it. */
  #meet(pid: number): void {
    this.#alive.add(pid);
    this.#tasks = Math.max(this.#tasks, this.#alive.size);
    if (this.#directories.has(pid)) return;
    const [parent = this.#first ?? pid] = this.#forking;
    this.#directories.set(pid, this.#directories.get(parent) ?? this.#start);
  }

  #take(pid: number, call: TraceCall): void {
    const hasFailed = call.error !== undefined && call.error !== 'EINPROGRESS';
    if (call.resultOf !== undefined) this.#descriptors = Math.max(this.#descriptors, Number(call.result ?? 0n) + 1);
    if (FORKS.has(call.name) && call.result !== null && call.result > 0n) this.#inherit(pid, Number(call.result));
    this.#followDirectory(pid, call);
    const on = this.#takeSocket(call, hasFailed);
    if (on === 'unreachable') return;
    this.#takeCall(call, on);
    if (!hasFailed) this.#takeFiles(pid, call);
  }

  #inherit(parent: number, child: number): void {
    if (!this.#directories.has(child)) this.#directories.set(child, this.#directories.get(parent) ?? this.#start);
  }

  #followDirectory(pid: number, { name, args, error }: TraceCall): void {
    // AT_FDCWD carries the working directory of the moment.
    const current = args.find((argument) => argument.kind === 'word' && argument.text === '-100');
    const now = pathOf(current?.of);
    if (now !== undefined) this.#directories.set(pid, now);
    if (error !== undefined) return;
    const next = name === 'chdir' ? this.#absolute(pid, args[0]) : name === 'fchdir' ? pathOf(args[0]?.of) : undefined;
    if (next !== undefined) this.#directories.set(pid, next);
  }

  #absolute(pid: number, path: TraceArgument | undefined, directory?: TraceArgument): string | undefined {
    const text = textOf(path);
    if (text === undefined || text === '') return undefined;
    const base = pathOf(directory?.of) ?? this.#directories.get(pid) ?? this.#start;
    return tidy(posix.resolve(base, text));
  }

  /** Errors that the filter would give as well make a call that is not needed. */
  #takeCall({ name, args, error }: TraceCall, on: 'tcp' | 'other'): void {
    if (error !== undefined && error === refusalOf(name)) return;
    const flags = name === 'clone' || name === 'clone3' ? flagsOfClone(args) : undefined;
    const numbers = flags === undefined ? args.map(numberOf) : [flags];
    const tested = testedArguments(name);
    const kept = Array.from({ length: Math.max(0, ...[...tested].map((index) => index + 1)) }, (_, index) => {
      const value = tested.has(index) ? numbers[index] : undefined;
      return value === undefined ? null : String(value);
    });
    const observed = { name, args: kept, ...(on === 'tcp' ? { on } : {}) };
    this.#calls.set(JSON.stringify(observed), observed);
  }

  /** @returns whether the call is about a socket that a profile can give, one that it cannot, or none */
  #takeSocket({ name, args, result, resultOf }: TraceCall, hasFailed: boolean): 'tcp' | 'unreachable' | 'other' {
    if (name === 'socket') {
      const [family, kind = 0n] = [numberOf(args[0]), numberOf(args[1])];
      if (family === AF_UNIX && resultOf !== undefined) this.#namedSockets.add(inodeOf(resultOf) ?? '');
      const isKnown = family !== undefined && FAMILIES.has(family);
      if (!hasFailed && result !== null && !isKnown)
        this.#otherSockets.add(`a socket of family ${family ?? 'unknown'}`);
      const isTcp = (family === AF_INET || family === AF_INET6) && (kind & KIND) === SOCK_STREAM;
      return isTcp ? 'tcp' : 'unreachable';
    }
    const of = args[0]?.of ?? '';
    const type = /^(?:TCP|UDP|RAW|PING|NETLINK|UNIX|SCTP|DCCP|PACKET|socket:)/.exec(of)?.[0];
    if (type === undefined) return 'other';
    if (type === 'TCP') {
      if (name === 'connect') this.#takePeer(args[1], !hasFailed);
      if (name === 'listen' && !hasFailed) this.#otherSockets.add('a TCP socket on which it listens');
      return /^(?:bind|listen|accept)/.test(name) ? 'unreachable' : 'tcp';
    }
    if (type === 'UNIX') {
      if (!this.#namedSockets.has(inodeOf(of) ?? '')) return 'other';
      if (name === 'connect' && !hasFailed) this.#takeUnixPeer(args[1]);
      if (name === 'bind' && !hasFailed) this.#otherSockets.add('a Unix socket with a name of its own');
      return 'unreachable';
    }
    // Asking for a route or the addresses of the host, as every resolver does, is not using them.
    if (name.startsWith('send') && !hasFailed && type !== 'NETLINK') {
      this.#otherSockets.add(`a ${type.replace(':', '')} socket on which it sends`);
    }
    return 'unreachable';
  }

  #takePeer(address: TraceArgument | undefined, isConnected: boolean): void {
    if (address?.kind !== 'group') return;
    const field = (name: string): string | undefined => {
      const found = address.items.find((item) => item.name === name);
      return found?.kind === 'string' ? found.text : undefined;
    };
    const port = Buffer.from(field('sin_port') ?? field('sin6_port') ?? '', 'latin1');
    const bytes = Buffer.from(field('sin_addr') ?? field('sin6_addr') ?? '', 'latin1');
    const text = formatAddress(bytes);
    if (port.length !== 2 || text === undefined || port.readUInt16BE() === 0) return;
    const peer = { address: text, port: port.readUInt16BE(), isConnected };
    this.#peers.set(JSON.stringify(peer), peer);
  }

  #takeUnixPeer(address: TraceArgument | undefined): void {
    if (address?.kind !== 'group') return;
    const path = textOf(address.items.find((item) => item.name === 'sun_path')) ?? 'unknown';
    if (!NAME_SERVICE.test(path)) this.#otherSockets.add(`the Unix socket ${path}`);
  }

  #takeFiles(pid: number, call: TraceCall): void {
    const { name, args } = call;
    const opening = OPENING.get(name);
    if (opening !== undefined) this.#takeOpened(pid, call, opening);
    for (const { directory, path, use } of NAMED_PATHS.get(name) ?? []) {
      this.#use(this.#absolute(pid, args[path], directory === undefined ? undefined : args[directory]), use);
    }
    const first = pathOf(args[0]?.of);
    if (name === 'getdents' || name === 'getdents64') this.#use(first, 'list');
    if (name === 'mmap' && ((numberOf(args[2]) ?? 0n) & PROT_EXEC) !== 0n) this.#use(pathOf(args[4]?.of), 'map');
    if (WRITES.has(name)) {
      const to = name === 'copy_file_range' ? pathOf(args[2]?.of) : first;
      const bytes = Number(call.result ?? 0n);
      const offset = name.startsWith('pwrite') ? Number(numberOf(args[3]) ?? 0n) : 0;
      if (to !== undefined) this.#written.set(to, Math.max((this.#written.get(to) ?? 0) + bytes, offset + bytes));
    }
    const length = Object.hasOwn(LENGTHS, name) ? numberOf(args[LENGTHS[name] ?? 0]) : undefined;
    if (first !== undefined && length !== undefined) {
      this.#written.set(first, Math.max(this.#written.get(first) ?? 0, Number(length)));
    }
  }

  #takeOpened(
    pid: number,
    { args, resultOf }: TraceCall,
    at: { directory?: number; path: number; flags: number },
  ): void {
    const flags = at.flags === -1 ? O_WRONLY : openFlags(args[at.flags]);
    const isWrite = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) !== 0n;
    const use = isWrite ? 'write' : (flags & (O_PATH | O_DIRECTORY)) !== 0n ? 'look' : 'read';
    const real = pathOf(resultOf);
    const asked = this.#absolute(pid, args[at.path], at.directory === undefined ? undefined : args[at.directory]);
    this.#use(real, use);
    // A name that leads elsewhere has to be there as well; one with `..` may have passed symlinks and says nothing.
    if (asked === real || textOf(args[at.path])?.includes('..') === true) return;
    this.#use(asked, real === undefined || use === 'read' ? use : 'look');
  }

  #use(path: string | undefined, use: FileUse): void {
    if (path === undefined) return;
    const tidied = tidy(path);
    const uses = this.#files.get(tidied) ?? new Set();
    this.#files.set(tidied, uses.add(use));
  }
}

/** Observes the whole of one trace. */
export function observeTrace(events: Iterable<TraceEvent>, directory: string): Observations {
  const observer = new TraceObserver(directory);
  for (const event of events) observer.observe(event);
  return observer.end();
}

/** Where /usr is merged, these are symlinks into it (Filesystem Hierarchy Standard 3, §3.4). */
function tidy(path: string): string {
  return /^\/(?:bin|sbin|lib|lib32|lib64|libx32)(?:\/|$)/.test(path) ? `/usr${path}` : path;
}

function openFlags(argument: TraceArgument | undefined): bigint {
  // openat2 has them in a structure.
  const flags = argument?.kind === 'group' ? argument.items.find((item) => item.name === 'flags') : argument;
  return numberOf(flags) ?? O_RDWR;
}

function flagsOfClone(args: readonly TraceArgument[]): bigint {
  const all = args.flatMap((argument) => (argument.kind === 'group' ? argument.items : [argument]));
  return numberOf(all.find((item) => item.name === 'flags')) ?? 0n;
}

function inodeOf(of: string): string | undefined {
  return /\[(\d+)/.exec(of)?.[1];
}

function formatAddress(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return undefined;
  const isMapped = bytes.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex')); // RFC 4291 §2.5.5.2
  if (isMapped) return bytes.subarray(12).join('.');
  return bytes.equals(Buffer.from('00000000000000000000000000000001', 'hex')) ? '::1' : bytes.toString('hex');
}
