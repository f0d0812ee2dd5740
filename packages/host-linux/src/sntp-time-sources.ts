/** Asks time servers by SNTP, all side by side, each once and from a port of its own. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
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
    const socket = createSocket(isIPv6(address.host) ? 'udp6' : 'udp4');
    let sentMs = 0;
    let sentAt = 0;
    socket.on('error', giveUp); // no name, no route, or refused: it did not answer
    socket.once('connect', () => {
      sentMs = this.#clock.wallMs();
      sentAt = performance.now();
      socket.send(encodeRequest(nonce));
    });
    socket.on('message', (packet) => {
      const answer = readAnswer(packet, nonce, sentMs, sentMs + (performance.now() - sentAt));
      // A forged or stray packet must not end the wait for the real one; any other answer is final.
      if (answer === 'not-mine' || answer === 'malformed') return;
      resolve(typeof answer === 'string' ? undefined : { source, ...answer });
    });
    // A connected socket takes datagrams of this peer alone. Without a callback a name that is none is an `error`.
    socket.connect(address.port, address.host);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.close();
    }
  }
}
