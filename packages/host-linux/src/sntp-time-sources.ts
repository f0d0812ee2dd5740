/** Asks time servers by SNTP, all side by side, each once and from a port of its own. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';

import { type Clock, HoldfastError } from '@holdfast/core';
import type { TimeSample, TimeSources } from '@holdfast/host';

import { encodeRequest, parseTimeSource, readAnswer } from './sntp.ts';

/** A check has 5 s (C-06); a server that takes 2 s to answer is of no use for the time. */
const DEFAULT_TIMEOUT_MS = 2_000;

export class SntpTimeSources implements TimeSources {
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  constructor(clock: Clock, options: { readonly timeoutMs?: number } = {}) {
    this.#clock = clock;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  async sample(sources: readonly string[], signal: AbortSignal): Promise<TimeSample[]> {
    signal.throwIfAborted();
    const samples = await Promise.all(sources.map((source) => this.#ask(source, signal)));
    signal.throwIfAborted();
    return samples.filter((sample) => sample !== undefined);
  }

  async #ask(source: string, signal: AbortSignal): Promise<TimeSample | undefined> {
    const address = parseTimeSource(source);
    if (address === undefined) throw new HoldfastError('not a time source', { code: 'ERR_INPUT_INVALID' });
    const nonce = randomBytes(8);
    const { promise, resolve } = Promise.withResolvers<TimeSample | undefined>();
    const giveUp = (): void => resolve(undefined);
    const timer = setTimeout(giveUp, this.#timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    let socket: Socket | undefined;
    let sentMs = 0;
    let sentAt = 0;
    const ask = (host: string): void => {
      if (signal.aborted) return;
      socket = openConnected(host, address.port, giveUp, () => {
        sentMs = this.#clock.wallMs();
        sentAt = performance.now();
        socket?.send(encodeRequest(nonce));
      });
      socket.on('message', hear);
    };
    const hear = (packet: Uint8Array): void => {
      const answer = readAnswer(packet, nonce, sentMs, sentMs + (performance.now() - sentAt));
      // A forged or stray packet must not end the wait for the real one; any other answer is final.
      if (answer === 'not-mine' || answer === 'malformed') return;
      resolve(typeof answer === 'string' ? undefined : { source, ...answer });
    };
    let isOver = false;
    void lookup(address.host).then(
      (found) => {
        if (!isOver) ask(found.address);
      },
      giveUp, // no such name
    );
    try {
      return await promise;
    } finally {
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket?.close();
    }
  }
}

/**
 * A socket that takes datagrams of this peer alone. It is bound and connected within one turn of the
 * event loop: in between, anyone who lists sockets sees one that takes datagrams of everybody.
 *
 * @param host an address, so that there is nothing to look up in between
 */
function openConnected(host: string, port: number, onError: () => void, onConnect: () => void): Socket {
  const family = isIPv6(host) ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (address, _options, callback) => callback(null, address, family),
  });
  socket.on('error', onError); // no route, or refused: it does not answer
  socket.once('connect', onConnect);
  socket.connect(port, host);
  return socket;
}
