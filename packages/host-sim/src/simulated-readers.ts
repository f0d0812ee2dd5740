/** The ports of a simulated host that only look, and its journal. */
import { createHash } from 'node:crypto';

import { type Clock, HoldfastError } from '@holdfast/core';
import {
  type Certificate,
  type CertificateReader,
  type FileReader,
  hasToken,
  type Journal,
  type ListeningSocket,
  parseLogLine,
  parseLogToken,
  type SocketReader,
  type TimeSample,
  type TimeSources,
} from '@holdfast/host';

import { LOGGING_UNIT, type SimulatedCertificate } from './state.ts';
import type { StateFile } from './state-file.ts';

/** A ring: the state file is rewritten with every line. */
const MAX_LINES = 200;
const MAX_CERTIFICATE_BYTES = 64 * 1024;

const sortKey = ({ protocol, port, address }: ListeningSocket): string =>
  `${protocol} ${String(port).padStart(5, '0')} ${address}`;

export class SimulatedSockets implements SocketReader {
  readonly #state: StateFile;

  constructor(state: StateFile) {
    this.#state = state;
  }

  async list(signal: AbortSignal): Promise<ListeningSocket[]> {
    signal.throwIfAborted();
    return this.#state.read().sockets.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  }
}

export class SimulatedJournal implements Journal {
  readonly #state: StateFile;
  readonly #clock: Clock;

  constructor(state: StateFile, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** A line that nobody takes is lost, as it is with a full syslog socket. */
  async write(line: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const entry = { atMs: this.#clock.wallMs(), line: parseLogLine(line) };
    this.#state.update((state) => {
      if (state.units[LOGGING_UNIT]?.active !== 'active') return state;
      return { ...state, journal: [...state.journal, entry].slice(-MAX_LINES) };
    });
  }

  async contains(token: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    parseLogToken(token);
    const sinceMs = this.#clock.wallMs() - withinMs;
    return this.#state.read().journal.some(({ atMs, line }) => atMs >= sinceMs && hasToken(line, token));
  }
}

export class SimulatedTimeSources implements TimeSources {
  readonly #state: StateFile;

  constructor(state: StateFile) {
    this.#state = state;
  }

  async sample(sources: readonly string[], signal: AbortSignal): Promise<TimeSample[]> {
    signal.throwIfAborted();
    const { offsetMs, silentSources } = this.#state.read().time;
    return sources
      .filter((source) => !silentSources.includes(source))
      .map((source) => ({ source, offsetMs, roundTripMs: 1 }));
  }
}

export class SimulatedCertificates implements CertificateReader {
  readonly #state: StateFile;
  readonly #files: FileReader;

  constructor(state: StateFile, files: FileReader) {
    this.#state = state;
    this.#files = files;
  }

  async fromFile(path: string, signal: AbortSignal): Promise<Certificate> {
    const text = Buffer.from(await this.#files.read(path, MAX_CERTIFICATE_BYTES, signal)).toString('latin1');
    const [, body] = /-----BEGIN SIMULATED CERTIFICATE-----\n([A-Za-z0-9+/=]+)\n/.exec(text) ?? [];
    if (body === undefined) throw unreadable();
    return describe(JSON.parse(Buffer.from(body, 'base64').toString('utf8')) as SimulatedCertificate);
  }

  async fromPort(_address: string, port: number, signal: AbortSignal): Promise<Certificate> {
    signal.throwIfAborted();
    const found = this.#state.read().certificates[String(port)];
    if (found === undefined) throw unreadable();
    return describe(found);
  }
}

function describe({ subject, notBeforeMs, notAfterMs }: SimulatedCertificate): Certificate {
  const text = JSON.stringify({ subject, notBeforeMs, notAfterMs });
  return { subject, notBeforeMs, notAfterMs, sha256: createHash('sha256').update(text).digest('hex') };
}

const unreadable = (): HoldfastError =>
  new HoldfastError('no simulated certificate there', { code: 'ERR_HOST_CERTIFICATE_UNREADABLE' });
