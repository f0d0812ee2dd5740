/**
 * The command's standard streams as pipes. What `spawn` would make are socket pairs, which a command can
 * not only write to: it could hand us descriptors through them, and closing one of those can stop the
 * whole spawner (a TCP socket that lingers, socket(7)); it could ask who we are (SO_PEERPIDFD). And a
 * socket cannot be opened again as `/dev/stdin`. Through a pipe come bytes. Made with pipe2(2), through
 * `node:ffi`, because Node has no call for it.
 */
import { closeSync, fchownSync } from 'node:fs';
import { dlopen } from 'node:ffi';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { HoldfastError } from '@holdfast/core';
import type { SlotOwner } from './sandbox-user.ts';

/** asm-generic/fcntl.h */
const O_CLOEXEC = 0o2_000_000;

export class StandardPipes {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The command's ends of the three, to be inherited, and then left to it by `handOver`. */
  readonly far: readonly number[];

  /**
   * @param owner who opens `/dev/stdin` and its like; `null` for ourselves
   * @throws `ERR_SANDBOX_START` when there is no descriptor left, or no way to call libc; nothing is left then
   */
  constructor(owner: SlotOwner | null) {
    const made: Pipe[] = [];
    try {
      for (let count = 0; count < 3; count++) made.push(openPipe());
      if (owner !== null) for (const { read } of made) fchownSync(read, owner.uid, owner.gid); // of both ends
    } catch (cause) {
      for (const { read, write } of made) [read, write].forEach(closeSync);
      throw new HoldfastError('no pipes can be made', {
        code: 'ERR_SANDBOX_START',
        fields: { step: 'standard streams' },
        cause,
      });
    }
    const [input, output, errors] = made as [Pipe, Pipe, Pipe]; // as counted above
    this.far = [input.read, output.write, errors.write];
    this.stdin = new Socket({ fd: input.write, readable: false, writable: true });
    this.stdout = new Socket({ fd: output.read, readable: true, writable: false });
    this.stderr = new Socket({ fd: errors.read, readable: true, writable: false });
    // Whatever it is, the stream ends; and an error nobody listens to would end us.
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.on('error', () => undefined);
  }

  handOver(): void {
    for (const descriptor of this.far) closeSync(descriptor);
  }
}

interface Pipe {
  readonly read: number;
  readonly write: number;
}

function load() {
  return dlopen(null, { pipe2: { arguments: ['buffer', 'i32'], return: 'i32' } }).functions;
}
let libc: ReturnType<typeof load> | undefined;

function openPipe(): Pipe {
  const pair = Buffer.alloc(8);
  libc ??= load();
  if (libc.pipe2(pair, O_CLOEXEC) !== 0) throw new Error('pipe2 was refused');
  return { read: pair.readInt32LE(0), write: pair.readInt32LE(4) };
}
