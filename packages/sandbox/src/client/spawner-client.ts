/**
 * The port to the sandbox as a client of the spawner process, over any duplex byte stream. When the
 * stream ends, everything that was under way fails with `ERR_SANDBOX_SPAWNER_GONE`: the spawner kills
 * what a closed connection had started.
 */
import type { Duplex } from 'node:stream';
import { ERROR_CODES, type ErrorCode, HoldfastError, type JsonObject } from '@holdfast/core';
import type { SandboxProfile } from '@holdfast/policy';
import type { LayerState, Sandbox, SandboxJob, SandboxResult, SandboxRun } from '../sandbox.ts';
import {
  decodeCredit,
  encodeCredit,
  encodeFrame,
  encodeJsonFrame,
  type Frame,
  FRAME,
  FrameDecoder,
  MAX_DATA_BYTES,
  STREAM,
  WINDOW_BYTES,
} from '../spawner/frames.ts';
import { ByteQueue } from './byte-queue.ts';

/** Told of every frame of its number, and of the end of the connection. */
interface Listener {
  onFrame(frame: Frame): void;
  onLost(error: HoldfastError): void;
}

export class SpawnerClient implements Sandbox {
  readonly #stream: Duplex;
  readonly #listeners = new Map<number, Listener>();
  readonly #onDispose: () => Promise<void>;
  #lost: HoldfastError | null = null;
  #runs = 0;

  /** @param onDispose ends whatever the stream leads to */
  constructor(stream: Duplex, onDispose: () => Promise<void>) {
    this.#stream = stream;
    this.#onDispose = onDispose;
    const decoder = new FrameDecoder();
    stream.on('data', (bytes: Buffer) => {
      const frames = decoder.push(bytes);
      if (frames === undefined) stream.destroy();
      for (const frame of frames ?? []) this.#listeners.get(frame.run)?.onFrame(frame);
    });
    stream.on('error', (error) => this.#lose(error));
    stream.on('close', () => this.#lose(undefined));
  }

  async layers(signal: AbortSignal): Promise<readonly LayerState[]> {
    // The spawner is the same release and trusted by whoever runs commands through it.
    return (await this.#ask((run) => encodeFrame(FRAME.layers, run), signal)) as readonly LayerState[];
  }

  async warm(profile: SandboxProfile, slots: number, signal: AbortSignal): Promise<void> {
    await this.#ask((run) => encodeJsonFrame(FRAME.warm, run, { profile, slots }), signal);
  }

  async start(job: SandboxJob, signal: AbortSignal): Promise<SandboxRun> {
    signal.throwIfAborted();
    const number = this.#nextRun();
    const run = new ClientRun(
      number,
      (frame) => void this.#stream.write(frame),
      () => this.#listeners.delete(number),
    );
    this.#listeners.set(number, run);
    this.#stream.write(encodeJsonFrame(FRAME.start, number, job));
    const abort = (): void => run.kill();
    signal.addEventListener('abort', abort, { once: true });
    run.result.then(
      () => signal.removeEventListener('abort', abort),
      () => signal.removeEventListener('abort', abort),
    );
    await run.started;
    return run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy();
    await this.#onDispose();
  }

  async #ask(encode: (run: number) => Buffer, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const run = this.#nextRun();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    this.#listeners.set(run, {
      onFrame: ({ kind, payload }) => (kind === FRAME.answer ? resolve(parse(payload)) : reject(errorOf(payload))),
      onLost: reject,
    });
    this.#stream.write(encode(run));
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#listeners.delete(run);
    }
  }

  #nextRun(): number {
    if (this.#lost !== null) throw this.#lost;
    return ++this.#runs;
  }

  #lose(cause: unknown): void {
    if (this.#lost !== null) return;
    this.#lost = new HoldfastError('the spawner ended', { code: 'ERR_SANDBOX_SPAWNER_GONE', cause });
    for (const listener of this.#listeners.values()) listener.onLost(this.#lost);
  }
}

class ClientRun implements SandboxRun, Listener {
  readonly stdout: ByteQueue;
  readonly stderr: ByteQueue;
  readonly result: Promise<SandboxResult>;
  readonly started: Promise<void>;
  readonly #number: number;
  readonly #send: (frame: Buffer) => void;
  readonly #onEnd: () => void;
  readonly #result = Promise.withResolvers<SandboxResult>();
  readonly #started = Promise.withResolvers<void>();
  #window = WINDOW_BYTES;
  #wake: (() => void) | null = null;
  /** Of the last write: the next one waits for it, so that their bytes stay in order. */
  #written: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(number: number, send: (frame: Buffer) => void, onEnd: () => void) {
    this.#number = number;
    this.#send = send;
    this.#onEnd = onEnd;
    this.result = this.#result.promise;
    this.started = this.#started.promise;
    this.result.catch(() => undefined); // whoever awaits it is told; nobody has to
    this.stdout = new ByteQueue((bytes) => this.#credit(STREAM.stdout, bytes));
    this.stderr = new ByteQueue((bytes) => this.#credit(STREAM.stderr, bytes));
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#written = this.#written.then(() => this.#write(bytes));
    return this.#written;
  }

  async end(): Promise<void> {
    await this.#written;
    if (!this.#ended) this.#send(encodeFrame(FRAME.stdinEnd, this.#number));
  }

  kill(): void {
    if (!this.#ended) this.#send(encodeFrame(FRAME.kill, this.#number));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.result.catch(() => undefined); // however it ended, it has
  }

  onFrame({ kind, payload }: Frame): void {
    if (kind === FRAME.started) this.#started.resolve();
    else if (kind === FRAME.stdout) this.stdout.push(payload);
    else if (kind === FRAME.stderr) this.stderr.push(payload);
    else if (kind === FRAME.credit) this.#widen(decodeCredit(payload)?.bytes ?? 0);
    else if (kind === FRAME.failed) this.onLost(errorOf(payload));
    else if (kind === FRAME.ended) {
      const result = parse(payload) as SandboxResult; // same release, see `layers`
      this.#settle(() => this.#result.resolve(result));
    }
  }

  onLost(error: HoldfastError): void {
    this.#started.reject(error);
    this.#settle(() => this.#result.reject(error));
  }

  #settle(settle: () => void): void {
    this.#ended = true;
    this.#onEnd();
    this.#wake?.();
    this.stdout.end();
    this.stderr.end();
    settle();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      while (this.#window === 0 && !this.#ended) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
      if (this.#ended) return; // nobody reads it any more, as with a closed pipe
      const end = Math.min(at + Math.min(this.#window, MAX_DATA_BYTES), bytes.length);
      this.#window -= end - at;
      this.#send(encodeFrame(FRAME.stdin, this.#number, bytes.subarray(at, end)));
      at = end;
    }
  }

  #widen(bytes: number): void {
    this.#window += bytes;
    this.#wake?.();
  }

  #credit(stream: number, bytes: number): void {
    if (!this.#ended) this.#send(encodeCredit(this.#number, stream, bytes));
  }
}

function parse(payload: Buffer): unknown {
  return JSON.parse(payload.toString('utf8'));
}

function errorOf(payload: Buffer): HoldfastError {
  const { code, message, fields } = parse(payload) as { code: string; message: string; fields: JsonObject };
  const known = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'ERR_SANDBOX_SPAWNER_GONE';
  return new HoldfastError(message, { code: known, fields: fields as Record<string, string | number> });
}
