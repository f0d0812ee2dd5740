/** The killable world for real processes: cells are files, the journal is SQLite, the sealer writes files. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import { type ChangeEngine, createChangeEngine, openSqliteJournal, type SqliteJournal } from '../src/index.ts';
import { cellOperations } from './killable-world.ts';

export interface DirectoryWorld extends Disposable {
  readonly engine: ChangeEngine;
  readonly journal: SqliteJournal;
}

export function openDirectoryWorld(directory: string): DirectoryWorld {
  for (const name of ['cells', 'sealed']) mkdirSync(join(directory, name), { recursive: true });
  const journal = openSqliteJournal(join(directory, 'journal.db'), new Secret(new Uint8Array(32).fill(1)));
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  const at = (path: string): string => join(directory, 'cells', path);
  const files: Host['files'] = {
    stat: async (path) =>
      existsSync(at(path))
        ? { path, kind: 'file', sizeBytes: 1, mode: '0600', uid: 0, gid: 0, sha256: null }
        : { path, kind: 'missing' },
    read: async (path) => readFileSync(at(path)),
    write: async (path, { bytes }) => writeFileSync(at(path), bytes),
    remove: async (path) => rmSync(at(path), { force: true }),
  };
  const engine = createChangeEngine({
    // Operations under test use files only; a port that is not there would show at once.
    host: { clock, files, services: {}, packetFilter: {}, accounts: {} } as unknown as Host,
    operations: cellOperations(),
    journal,
    clock,
    bootId: 'boot-1',
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    seal: async ({ bundleId, outcome }) =>
      writeFileSync(join(directory, 'sealed', bundleId), `${outcome}\n`, { flag: 'a' }),
  });
  return { engine, journal, [Symbol.dispose]: () => journal[Symbol.dispose]() };
}
