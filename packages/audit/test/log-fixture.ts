/** What the tests of the log share: a signer, a clock that only moves by hand, and files that fail on request. */
import type { Clock } from '@holdfast/core';
import { signerFromSeed } from '@holdfast/crypto';
import {
  type AuditEntry,
  type AuditLog,
  type LogFile,
  type LogFiles,
  openAuditLog,
  type OpenAuditLogOptions,
  systemLogFiles,
} from '../src/index.ts';

export const signer = signerFromSeed(new Uint8Array(32).fill(7));
export const publicKeys: readonly Uint8Array[] = [signer.publicKey];
export const stranger = signerFromSeed(new Uint8Array(32).fill(8));

let monotonicMs = 0;
/** Each look is a millisecond later. */
export const clock: Clock = {
  wallMs: () => 1_767_322_800_000 + monotonicMs,
  monotonicMs: () => (monotonicMs += 1),
};

export function openLog(
  directory: string,
  options: Partial<OpenAuditLogOptions> = {},
  files: LogFiles = systemLogFiles,
): Promise<AuditLog> {
  return openAuditLog({ directory, signer, clock, bootId: 'boot-1', files }, options);
}

export function entry(n: number): AuditEntry {
  return {
    actor: 'local:root',
    action: 'request',
    subject: 'files.restore',
    outcome: 'allow',
    detail: { n, text: 'mit Ümläut, "quotes" and \n newline' },
  };
}

/** `short`: a write takes half and then the next one fails; all others fail at once. */
export type FaultKind = 'ENOSPC' | 'EIO' | 'short';

/** Real files of which one call, or all from some call on, fail. */
export class FaultyFiles implements LogFiles {
  calls = 0;
  /** Number of the failing call, from 1; 0 is none. */
  failAt = 0;
  kind: FaultKind = 'EIO';
  /** All calls that change something fail. */
  isFull = false;
  /** Syncs say they synced: only a crash of the machine would tell the difference. */
  skipsSync = false;
  /** The name of the newest failed call. */
  failed = 'none';
  #shortened = false;

  async #call<T>(name: string, effect: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.isFull && CHANGING.has(name)) throw systemError('ENOSPC');
    if (this.calls === this.failAt) {
      this.failed = name;
      if (this.kind !== 'short') throw systemError(this.kind);
      this.#shortened = true;
    }
    return effect();
  }

  makeDirectory = (path: string): Promise<void> => this.#call('mkdir', () => systemLogFiles.makeDirectory(path));
  list = (path: string): Promise<string[]> => this.#call('list', () => systemLogFiles.list(path));
  rename = (from: string, to: string): Promise<void> => this.#call('rename', () => systemLogFiles.rename(from, to));
  syncDirectory = (path: string): Promise<void> =>
    this.#call('syncDirectory', async () => (this.skipsSync ? undefined : systemLogFiles.syncDirectory(path)));

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<LogFile> {
    const file = await this.#call(`open ${mode}`, () => systemLogFiles.open(path, mode));
    return {
      sizeBytes: () => this.#call('sizeBytes', () => file.sizeBytes()),
      read: (position, length) => this.#call('read', () => file.read(position, length)),
      write: (bytes, position) =>
        this.#call('write', () => {
          const isShort = this.#shortened && bytes.length > 1;
          this.#shortened = false;
          if (isShort) this.failAt = this.calls + 1; // and the rest does not fit either
          if (isShort) this.kind = 'ENOSPC';
          return file.write(isShort ? bytes.subarray(0, bytes.length >> 1) : bytes, position);
        }),
      datasync: () => this.#call('datasync', async () => (this.skipsSync ? undefined : file.datasync())),
      truncate: (sizeBytes) => this.#call('truncate', () => file.truncate(sizeBytes)),
      // Closing for real whatever is said: a test must not leak descriptors.
      close: async () => {
        await file.close();
        await this.#call('close', async () => undefined);
      },
    };
  }
}

/** What a full disk refuses. */
const CHANGING: ReadonlySet<string> = new Set(['mkdir', 'rename', 'open create', 'write', 'datasync', 'syncDirectory']);

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}
