/**
 * One connection to a guard, opened when it is needed and again after it was lost. A request is sent
 * twice only when that is the same as once, and only when its connection may have been closed for idling;
 * of any other that was lost with its connection, the caller has to find out what became of it.
 */
import { connect, type Socket } from 'node:net';
import type { GuardResponse } from '@holdfast/api';
import { ERROR_CODES, type ErrorCode, hasCode, HoldfastError, type Json } from '@holdfast/core';
import { ResponseReader } from './response-reader.ts';

const MAX_PENDING = 1_000;
const TIMEOUT = 'timeout';

/** A request without what the connection adds. */
export interface Question {
  readonly kind: string;
  readonly [key: string]: unknown;
}

export interface AskOptions {
  readonly timeoutMs: number;
  /** Asking twice is the same as asking once. */
  readonly isRepeatable: boolean;
}

interface Pending {
  readonly resolve: (result: Json) => void;
  readonly reject: (error: unknown) => void;
}

export function unreachable(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`the guard does not answer: ${reason}`, {
    code: 'ERR_GUARD_UNREACHABLE',
    fields: { reason },
    cause,
  });
}

function toError({ code, correlationId }: Extract<GuardResponse, { ok: false }>['error']): HoldfastError {
  if (!Object.hasOwn(ERROR_CODES, code)) {
    return new HoldfastError('a code of another version', { code: 'ERR_GUARD_PROTOCOL', fields: { correlationId } });
  }
  return new HoldfastError('the guard refused', { code: code as ErrorCode, fields: { correlationId } }); // a key of the table
}

export class GuardConnection implements Disposable {
  readonly #path: string;
  readonly #pending = new Map<string, Pending>();
  #socket: Socket | undefined;
  #isClosed = false;
  #nextId = 1;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws the guard's code, `ERR_GUARD_UNREACHABLE`, `ERR_GUARD_PROTOCOL`, or `signal.reason` */
  async ask(body: Question, options: AskOptions, signal: AbortSignal): Promise<Json> {
    const wasOpen = this.#socket !== undefined;
    try {
      return await this.#askOnce(body, options.timeoutMs, signal);
    } catch (error) {
      const isLost = hasCode(error, 'ERR_GUARD_UNREACHABLE') && error.fields['reason'] !== TIMEOUT;
      if (!isLost || !wasOpen || !options.isRepeatable || this.#isClosed) throw error;
      return this.#askOnce(body, options.timeoutMs, signal);
    }
  }

  async #askOnce(body: Question, timeoutMs: number, signal: AbortSignal): Promise<Json> {
    signal.throwIfAborted();
    if (this.#isClosed) throw unreachable('closed');
    if (this.#pending.size >= MAX_PENDING) throw unreachable('too many requests at once');
    const id = String(this.#nextId);
    this.#nextId += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    this.#pending.set(id, { resolve, reject });
    const timer = setTimeout(() => reject(unreachable(TIMEOUT)), timeoutMs);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      (this.#socket ??= this.#open()).write(`${JSON.stringify({ v: 1, id, ...body })}\n`);
      this.#hold();
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.#pending.delete(id);
      this.#hold();
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#drop(this.#socket, unreachable('closed'));
  }

  /** An idle connection does not keep the process alive. */
  #hold(): void {
    if (this.#pending.size > 0) this.#socket?.ref();
    else this.#socket?.unref();
  }

  #open(): Socket {
    const socket = connect(this.#path);
    const reader = new ResponseReader();
    socket.on('data', (bytes) => {
      try {
        for (const response of reader.push(bytes as Buffer)) this.#settle(socket, response);
      } catch (error) {
        this.#drop(socket, error);
      }
    });
    socket.on('error', (cause) => this.#drop(socket, unreachable('connection failed', cause)));
    // Already at the end of what it sends: after that nothing on this connection is answered.
    for (const event of ['end', 'close']) socket.on(event, () => this.#drop(socket, unreachable('connection lost')));
    return socket;
  }

  #settle(socket: Socket, response: GuardResponse): void {
    const pending = this.#pending.get(response.id);
    if (response.ok) {
      pending?.resolve(response.result);
      return;
    }
    const error = toError(response.error);
    if (pending !== undefined) pending.reject(error);
    // An answer to no request is about the connection itself: it is over.
    else if (response.id === '') this.#drop(socket, error);
  }

  #drop(socket: Socket | undefined, error: unknown): void {
    if (socket === undefined || socket !== this.#socket) return;
    this.#socket = undefined;
    socket.destroy();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
