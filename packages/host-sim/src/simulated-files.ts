/** A file tree in the state. Symlinks exist, and nothing ever follows one. */
import { createHash } from 'node:crypto';

import { type ErrorCode, HoldfastError } from '@holdfast/core';
import { type FileContent, type Files, type FileState, parseHostPath, parseMode } from '@holdfast/host';

import type { SimulatedFile, SimulatedState } from './state.ts';
import type { StateFile } from './state-file.ts';

function fail(code: ErrorCode, path: string): never {
  throw new HoldfastError(`${path}: ${code}`, { code, fields: { path } });
}

const find = (state: SimulatedState, path: string): SimulatedFile | undefined =>
  Object.hasOwn(state.files, path) ? state.files[path] : undefined;

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

export class SimulatedFiles implements Files {
  readonly #state: StateFile;

  constructor(state: StateFile) {
    this.#state = state;
  }

  async stat(path: string, signal: AbortSignal): Promise<FileState> {
    signal.throwIfAborted();
    const found = find(this.#state.read(), parseHostPath(path));
    if (found === undefined) return { path, kind: 'missing' };
    const { kind, mode, uid, gid } = found;
    const bytes = Buffer.from(found.content, kind === 'file' ? 'base64' : 'utf8');
    const sha256 = kind === 'file' ? createHash('sha256').update(bytes).digest('hex') : null;
    return { path, kind, sizeBytes: bytes.length, mode, uid, gid, sha256 };
  }

  async read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    const found = find(this.#state.read(), parseHostPath(path)) ?? fail('ERR_HOST_FILE_MISSING', path);
    if (found.kind !== 'file') fail('ERR_HOST_FILE_REFUSED', path);
    const bytes = Buffer.from(found.content, 'base64');
    return bytes.length > maxBytes ? fail('ERR_HOST_FILE_TOO_LARGE', path) : bytes;
  }

  async write(path: string, content: FileContent, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    parseMode(content.mode);
    parseHostPath(path);
    this.#state.update((state) => {
      if (find(state, parentOf(path))?.kind !== 'directory') fail('ERR_HOST_FILE_MISSING', path);
      if ((find(state, path)?.kind ?? 'file') !== 'file') fail('ERR_HOST_FILE_REFUSED', path);
      const { mode, uid, gid } = content;
      const bytes = Buffer.from(content.bytes).toString('base64');
      return { ...state, files: { ...state.files, [path]: { kind: 'file', mode, uid, gid, content: bytes } } };
    });
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    parseHostPath(path);
    this.#state.update((state) => {
      if (find(state, path)?.kind === 'directory') fail('ERR_HOST_FILE_REFUSED', path);
      return { ...state, files: Object.fromEntries(Object.entries(state.files).filter(([other]) => other !== path)) };
    });
  }
}
