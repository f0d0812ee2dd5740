/**
 * HTTPS to the control plane: TLS 1.3 only, the pinned CA as the only root, the host's certificate,
 * at most ten connections, one deadline per request and a cap on what is read (C-34). It knows
 * nothing of what is said; `server-client.ts` does.
 */
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect as tlsConnect } from 'node:tls';
import { HoldfastError } from '@holdfast/core';

/** C-34. */
const MAX_SOCKETS = 10;
/** Receipts of 200 bundles take 100 KiB, signed orders 60 KiB each. */
const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;

export interface Identity {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface TransportOptions {
  /** `https://host[:port]`. */
  readonly serverUrl: string;
  readonly caPem: string;
  /** `null` before enrolment. */
  readonly identity: Identity | null;
  readonly timeoutMs: number;
  readonly maxResponseBytes?: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Milliseconds of `Retry-After`, when it was given in seconds. */
  readonly retryAfterMs: number | null;
  readonly body: string;
}

/** One HTTP exchange. Resolves whatever the status is. */
export interface Transport {
  /** @throws `ERR_AGENT_CONNECTION`, `ERR_AGENT_AUTHENTICATION`, `ERR_AGENT_PROTOCOL` */
  send(method: 'GET' | 'POST', path: string, body: string | null, signal: AbortSignal): Promise<HttpAnswer>;
}

export interface TlsTransport extends Transport {
  /** Whether a new TLS connection comes about; never one from the pool. */
  probe(signal: AbortSignal): Promise<boolean>;
  /** Uses another certificate from the next connection on; requests under way finish on the old one. */
  useIdentity(identity: Identity): void;
  close(): void;
}

/** OpenSSL's words for "I do not trust this certificate", either way round. */
const TRUST_ERRORS =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|ERR_TLS_CERT_ALTNAME|HOSTNAME_MISMATCH)|ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|UNKNOWN_CERTIFICATE|ACCESS_DENIED)|_ALERT_CERTIFICATE_/;
const VERSION_ERRORS = /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|WRONG_VERSION|VERSION_TOO_LOW/;

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Converts what Node throws into the agent's three families (C-34). */
function typedError(error: unknown): HoldfastError {
  const reason = codeOf(error);
  // A fatal alert that arrives while we write has its name in the message alone.
  const isAlert = reason === 'EPROTO' && error instanceof Error;
  const name = isAlert ? error.message.toUpperCase().replaceAll(' ', '_') : reason;
  if (TRUST_ERRORS.test(name)) {
    const code = 'ERR_AGENT_AUTHENTICATION';
    return new HoldfastError('agent and server do not trust one another', { code, fields: { reason }, cause: error });
  }
  if (VERSION_ERRORS.test(name)) {
    const code = 'ERR_AGENT_PROTOCOL';
    return new HoldfastError('the server offers no TLS 1.3', { code, fields: { reason }, cause: error });
  }
  return new HoldfastError('the server could not be reached', {
    code: 'ERR_AGENT_CONNECTION',
    fields: { reason },
    cause: error,
  });
}

function retryAfterMs(response: IncomingMessage): number | null {
  // RFC 9110 §10.2.3 also allows a date; ours never sends one, and a stranger's clock is no measure.
  const text = response.headers['retry-after'];
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : null;
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      // Leaving the loop destroys the response, and with it the connection.
      throw new HoldfastError('the answer is too large', { code: 'ERR_AGENT_PROTOCOL', fields: { maxBytes } });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function openTlsTransport(options: TransportOptions): TlsTransport {
  const url = new URL(options.serverUrl);
  if (url.protocol !== 'https:') throw new TypeError('the server is spoken to over https only');
  const maxBytes = options.maxResponseBytes ?? MAX_RESPONSE_BYTES;
  let { identity } = options;
  let pool = openPool();

  function tlsOptions() {
    return {
      ca: options.caPem,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      rejectUnauthorized: true,
      ...(identity === null ? {} : { cert: identity.certificatePem, key: identity.keyPem }),
    } as const;
  }
  function openPool(): Agent {
    return new Agent({ ...tlsOptions(), keepAlive: true, maxSockets: MAX_SOCKETS, scheduling: 'lifo' });
  }

  function exchange(method: string, path: string, body: string | null, signal: AbortSignal): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const bytes = body === null ? null : Buffer.from(body);
    const headers = {
      accept: 'application/json',
      ...(bytes === null ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
    };
    const request = httpsRequest(new URL(path, url), { method, headers, agent: pool, signal }, (response) => {
      readBody(response, maxBytes).then((text) => {
        resolve({ status: response.statusCode ?? 0, retryAfterMs: retryAfterMs(response), body: text });
      }, reject);
    });
    request.on('error', reject);
    request.end(bytes ?? undefined);
    return promise;
  }

  async function deadline<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const timeout = AbortSignal.timeout(options.timeoutMs);
    try {
      return await work(AbortSignal.any([signal, timeout]));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HoldfastError) throw error;
      if (timeout.aborted) {
        throw new HoldfastError('the server took too long', {
          code: 'ERR_AGENT_CONNECTION',
          fields: { reason: 'timeout', timeoutMs: options.timeoutMs },
          cause: error,
        });
      }
      throw typedError(error);
    }
  }

  return {
    send: (method, path, body, signal) => deadline((limit) => exchange(method, path, body, limit), signal),
    probe: async (signal) => {
      try {
        await deadline((limit) => connectOnce(url, tlsOptions(), limit), signal);
        return true;
      } catch {
        signal.throwIfAborted();
        return false; // every failure to connect is the same answer here
      }
    },
    useIdentity: (next) => {
      identity = next;
      // The old pool's sockets end by themselves: idle ones when the server closes them.
      pool = openPool();
    },
    close: () => pool.destroy(),
  };
}

function connectOnce(url: URL, options: object, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // WHATWG URLs keep the brackets of an IPv6 literal, sockets take none.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const servername = /^[\d.]+$|:/.test(host) ? '' : host;
  const socket = tlsConnect({ ...options, host, port: Number(url.port || 443), ...(servername ? { servername } : {}) });
  const abort = (): void => {
    socket.destroy();
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  socket.on('secureConnect', () => resolve());
  socket.on('error', reject);
  return promise.finally(() => {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  });
}
