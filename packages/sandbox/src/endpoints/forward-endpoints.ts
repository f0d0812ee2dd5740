/**
 * The far side of a run's endpoints: accepts on the sockets that the launcher opened inside the
 * empty network namespace, and connects each connection to the real host and port from out here,
 * resolved when it is made. Bytes and the two halves of a connection's end go through unchanged; what
 * fails out here is a reset in there, never a wait. It ends with the run.
 */
import { closeSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/core';
import type { LocalEndpoint } from '../namespaces/endpoints.ts';

/** Of one run, over all endpoints. Each takes two descriptors here; the next one is reset. */
export const MAX_CONNECTIONS = 64;
/** The kernel's own would be two minutes (tcp(7), tcp_syn_retries). */
const CONNECT_TIMEOUT_MS = 10_000;
/** What a command wrote before it ended is still delivered, as it would be without a sandbox; for so long. */
const FLUSH_MS = 1_000;

interface Connection {
  readonly inner: Socket;
  readonly outer: Socket;
  /** Settles when everything that came from inside has been handed to the kernel out here, or never will be. */
  readonly flushed: Promise<unknown>;
}

export class EndpointForwarder implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Connection>();

  /**
   * @param descriptors listening sockets in the order of `endpoints`; owned from here on
   * @throws `ERR_SANDBOX_START` when they are not that many: nothing is open then
   */
  constructor(endpoints: readonly LocalEndpoint[], descriptors: readonly number[]) {
    if (descriptors.length !== endpoints.length) {
      for (const descriptor of descriptors) closeSync(descriptor);
      throw new HoldfastError('the endpoints could not be taken over', {
        code: 'ERR_SANDBOX_START',
        fields: { step: 'endpoints: take over', wanted: endpoints.length, received: descriptors.length },
      });
    }
    for (const [index, endpoint] of endpoints.entries()) {
      const server = createServer({ allowHalfOpen: true }, (inner) => this.#accept(inner, endpoint));
      server.on('error', () => undefined); // it then accepts nothing, and ends with the run
      server.listen({ fd: descriptors[index] ?? -1 }); // as many as endpoints, seen above
      this.#servers.push(server);
    }
  }

  /** Accepts no more, delivers what the command has sent, and closes everything. */
  async finish(): Promise<void> {
    await nextTurn(); // connections that were made before the command ended are accepted by then
    this.#close();
    const flushed = Promise.all([...this.#connections].map((connection) => connection.flushed));
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, FLUSH_MS);
    await Promise.race([flushed, timer.promise]);
    clearTimeout(timeout);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    for (const { inner, outer } of this.#connections) {
      inner.destroy();
      outer.destroy();
    }
  }

  #close(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }

  #accept(inner: Socket, { host, port }: LocalEndpoint): void {
    inner.on('error', () => undefined); // 'close' follows
    if (this.#connections.size >= MAX_CONNECTIONS) {
      inner.resetAndDestroy();
      return;
    }
    const outer = connect({ host, port, allowHalfOpen: true, noDelay: true });
    inner.setNoDelay(true);
    const timer = setTimeout(() => outer.destroy(new Error('connecting took too long')), CONNECT_TIMEOUT_MS);
    const { promise: flushed, resolve } = Promise.withResolvers<unknown>();
    const connection = { inner, outer, flushed };
    this.#connections.add(connection);
    outer.once('connect', () => clearTimeout(timer));
    outer.once('finish', resolve);
    let failed = false;
    outer.on('error', () => (failed = true)); // refused, unresolved, reset: the same in there
    outer.once('close', () => {
      clearTimeout(timer);
      resolve(undefined);
      this.#connections.delete(connection);
      if (failed) inner.resetAndDestroy();
      else inner.destroySoon(); // what is on its way in is written first
    });
    inner.once('close', (hadError) => {
      if (!hadError) return;
      if (outer.connecting) outer.destroy();
      else outer.resetAndDestroy();
    });
    // Each passes on the end of one direction as such.
    inner.pipe(outer);
    outer.pipe(inner);
  }
}
