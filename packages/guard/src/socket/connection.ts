/**
 * One client of the guard. Whatever it sends, and however it leaves, ends here: no other connection
 * notices (G-01). Requests of one connection run side by side up to a limit; past it, and while the
 * client does not read its answers, nothing more is read from it.
 */
import type { Socket } from 'node:net';
import {
  type GuardRequest,
  type GuardResponse,
  MAX_GUARD_REQUEST_BYTES,
  MAX_GUARD_RESPONSE_BYTES,
} from '@holdfast/api';
import { type ErrorCode, isHoldfastError, type Json } from '@holdfast/core';
import { LineDecoder } from './line-decoder.ts';
import { parseRequestLine } from './request-parser.ts';

type GuardResult = Extract<GuardResponse, { ok: true }>['result'];

export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** From passwd(5); `null` for a user without a name. */
  readonly user: string | null;
}

/** One request of one peer. Refusals are thrown as `HoldfastError`; the caller is told the code alone. */
export type AnswerRequest = (request: GuardRequest, peer: Peer, correlationId: string) => Promise<Json>;

export interface ConnectionDeps {
  readonly answer: AnswerRequest;
  readonly newCorrelationId: () => string;
  /** Told of each line that was no request, and of each error nobody expected. MUST NOT throw. */
  readonly onTrouble: (trouble: { peer: Peer; correlationId: string; code: ErrorCode; error?: unknown }) => void;
}

export interface ConnectionLimits {
  /** A line once begun has to end within this time. */
  readonly readTimeoutMs: number;
  /** A connection without a request for this long is closed. */
  readonly idleTimeoutMs: number;
  /** A client that does not take its answers within this time is dropped. */
  readonly writeTimeoutMs: number;
  readonly maxInFlight: number;
}

/** Serves one connection until it is over. Never throws. */
export function serveConnection(socket: Socket, peer: Peer, deps: ConnectionDeps, limits: ConnectionLimits): void {
  const decoder = new LineDecoder(MAX_GUARD_REQUEST_BYTES);
  const waiting: Uint8Array[] = [];
  let inFlight = 0;
  let isEnding = false;
  let readTimer: NodeJS.Timeout | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  let writeTimer: NodeJS.Timeout | undefined;

  const send = (response: GuardResponse): void => {
    if (socket.destroyed || !socket.writable) return;
    let line = `${JSON.stringify(response)}\n`;
    if (Buffer.byteLength(line) > MAX_GUARD_RESPONSE_BYTES) {
      line = `${JSON.stringify(failure(response.id, 'ERR_GUARD_INTERNAL', deps.newCorrelationId()))}\n`;
    }
    if (socket.write(line) || writeTimer !== undefined) return;
    writeTimer = setTimeout(() => socket.destroy(), limits.writeTimeoutMs);
  };

  /** One last answer, then the end: what follows on this connection has no meaning any more. */
  const endWith = (code: ErrorCode, id: string): void => {
    isEnding = true;
    waiting.length = 0;
    clearTimeout(readTimer);
    const correlationId = deps.newCorrelationId();
    deps.onTrouble({ peer, correlationId, code });
    send(failure(id, code, correlationId));
    socket.end();
    socket.resume(); // or a full receive buffer would keep the peer from seeing the end
    // A client that neither reads nor closes does not keep the descriptor.
    writeTimer ??= setTimeout(() => socket.destroy(), limits.writeTimeoutMs);
  };

  const run = async (request: GuardRequest): Promise<void> => {
    const correlationId = deps.newCorrelationId();
    try {
      const result = await deps.answer(request, peer, correlationId);
      send({ id: request.id, ok: true, result: result as GuardResult }); // JSON either way; zod's type of it is mutable
    } catch (error) {
      const code = isHoldfastError(error) ? error.code : 'ERR_GUARD_INTERNAL';
      if (!isHoldfastError(error)) deps.onTrouble({ peer, correlationId, code, error });
      send(failure(request.id, code, correlationId)); // G-04
    } finally {
      inFlight -= 1;
      next();
    }
  };

  const take = (): Uint8Array | undefined =>
    isEnding || inFlight >= limits.maxInFlight || writeTimer !== undefined ? undefined : waiting.shift();

  const next = (): void => {
    for (let line = take(); line !== undefined; line = take()) {
      const parsed = parseRequestLine(line);
      if ('request' in parsed) {
        inFlight += 1;
        void run(parsed.request);
      } else if (parsed.isFramed) {
        const correlationId = deps.newCorrelationId();
        deps.onTrouble({ peer, correlationId, code: parsed.code });
        send(failure(parsed.id, parsed.code, correlationId));
      } else endWith(parsed.code, parsed.id);
    }
    settle();
  };

  const endIdle = (): void => {
    isEnding = true; // what comes now would run without anybody to tell
    socket.end();
    writeTimer = setTimeout(() => socket.destroy(), limits.writeTimeoutMs);
  };

  /** Decides anew what the connection waits for. */
  const settle = (): void => {
    if (isEnding || socket.destroyed) return;
    const isFull = waiting.length > 0 || inFlight >= limits.maxInFlight || writeTimer !== undefined;
    if (isFull) socket.pause();
    else socket.resume();
    clearTimeout(idleTimer);
    if (inFlight === 0 && !isFull) idleTimer = setTimeout(endIdle, limits.idleTimeoutMs);
    if (isFull || !decoder.isPartial) {
      clearTimeout(readTimer);
      readTimer = undefined;
    } else readTimer ??= setTimeout(() => endWith('ERR_GUARD_REQUEST_SLOW', ''), limits.readTimeoutMs);
  };

  socket.on('data', (bytes: Buffer) => {
    if (isEnding) return;
    try {
      waiting.push(...decoder.push(bytes));
    } catch {
      endWith('ERR_GUARD_REQUEST_TOO_LARGE', ''); // the only thing the decoder throws
      return;
    }
    next();
  });
  socket.on('drain', () => {
    if (isEnding) return;
    clearTimeout(writeTimer);
    writeTimer = undefined;
    next();
  });
  socket.on('error', () => socket.destroy()); // a vanished client is not our trouble
  socket.on('close', () => {
    isEnding = true;
    waiting.length = 0;
    clearTimeout(readTimer);
    clearTimeout(idleTimer);
    clearTimeout(writeTimer);
  });
  settle();
}

/** The fixed shape of every refusal (G-04). */
function failure(id: string, code: ErrorCode, correlationId: string): GuardResponse {
  return { id, ok: false, error: { code, correlationId } };
}
