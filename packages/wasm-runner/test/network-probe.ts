/** Run in an empty network namespace: what a guest that tries everything sends, and what a socket would. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { DEFAULT_WASM_RUNNER_OPTIONS, openWasmRunner } from '../src/index.ts';
import { openTestHost, taskOf, testClock } from './wat-task.ts';

/** Bytes received and sent over every interface. */
function bytesMoved(): number {
  return readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const fields = line.split(/[:\s]+/).filter(Boolean);
      return [Number(fields[1] ?? 0), Number(fields[9] ?? 0)];
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}

/** Every descriptor there may be, as a socket; the sum of the error numbers, none of them 0, is above 64. */
const TRY_SOCKETS = `(module
  (import "wasi_snapshot_preview1" "sock_send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $fd i32) (local $refused i32)
    (loop $next
      (if (call $send (local.get $fd) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (then (local.set $refused (i32.add (local.get $refused) (i32.const 1)))))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $fd) (i32.const 64))))
    (call $exit (local.get $refused))))`;

execFileSync('/sbin/ip', ['link', 'set', 'lo', 'up']);
const beforeBytes = bytesMoved();
const options = { ...DEFAULT_WASM_RUNNER_OPTIONS, maxProcesses: 1, warmProcesses: 1 };
const host = await openTestHost();
const runner = openWasmRunner({ host, clock: testClock }, options);
const { exitCode } = await runner.run(taskOf(TRY_SOCKETS), new AbortController().signal);
await runner[Symbol.asyncDispose]();
await host[Symbol.asyncDispose]();
const guestBytes = bytesMoved() - beforeBytes;

const socket = createSocket('udp4');
socket.send('control', 9, '127.0.0.1', () => socket.close());
await once(socket, 'close');
process.stdout.write(JSON.stringify({ refused: exitCode, guestBytes, controlBytes: bytesMoved() - beforeBytes }));
