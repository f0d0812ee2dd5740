/**
 * The runner process's side of the pipes. Synchronous, because WASI is: a guest's read from a brokered
 * directory blocks the thread until the parent has answered.
 */
import { readSync, writeSync } from 'node:fs';
import { deserialize } from 'node:v8';
import type { OutputStreamName } from '@holdfast/wasm';
import { encodeFrame, encodeOutput, encodeParts } from '../protocol/frames.ts';
import type { RunnerCall, RunnerMessage } from '../protocol/messages.ts';

const STDIN = 0;
const STDOUT = 1;
/** How long to wait where a pipe was handed over in non-blocking mode. */
const AGAIN_MS = 1;
const waiting = new Int32Array(new SharedArrayBuffer(4));

function patiently(operation: () => number): number {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(waiting, 0, 0, AGAIN_MS);
    }
  }
}

/** @returns `undefined` when the parent has closed the pipe */
function readExactly(length: number): Buffer | undefined {
  const buffer = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length;) {
    const count = patiently(() => readSync(STDIN, buffer, filled, length - filled, null));
    if (count === 0) return undefined;
    filled += count;
  }
  return buffer;
}

/** What the parent sends next; `undefined` when it is gone. */
export function receive(): unknown {
  const length = readExactly(4)?.readUInt32LE();
  const payload = length === undefined ? undefined : readExactly(length);
  return payload === undefined ? undefined : deserialize(payload);
}

export function send(message: RunnerMessage, blobs: readonly Uint8Array[] = []): void {
  writeFrame(encodeParts({ message }, blobs));
}

export function sendOutput(stream: OutputStreamName, bytes: Uint8Array): void {
  writeFrame(encodeOutput(stream, bytes));
}

function writeFrame(payload: Uint8Array): void {
  const frame = encodeFrame(payload);
  for (let sent = 0; sent < frame.length;) {
    sent += patiently(() => writeSync(STDOUT, frame, sent, frame.length - sent));
  }
}

/** Asks the parent, and waits. */
export function call(question: RunnerCall): unknown {
  send({ type: 'call', call: question });
  return receive();
}
