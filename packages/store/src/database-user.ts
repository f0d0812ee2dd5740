/**
 * Which user the embedded PostgreSQL runs as, and whether that user can reach a path. PostgreSQL
 * refuses to run as root; started by anyone else it simply runs as them.
 */
import { HoldfastError } from '@holdfast/core';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface DatabaseUser {
  readonly uid: number;
  readonly gid: number;
}

/** Tried in this order when nobody is named. */
const CANDIDATES = ['postgres', 'nobody'] as const;

function lookUp(name: string): DatabaseUser | undefined {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name && uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * @returns `undefined` when this process is unprivileged already: its own user will do
 * @throws `ERR_STORE_USER` when running as root and there is no such user, or it is root (T-29)
 */
export function chooseDatabaseUser(name?: string): DatabaseUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const candidate of name === undefined ? CANDIDATES : [name]) {
    const user = lookUp(candidate);
    if (user !== undefined && user.uid !== 0) return user;
  }
  throw new HoldfastError('no unprivileged user for PostgreSQL', { code: 'ERR_STORE_USER' });
}

const maySearch = (stats: Stats, user: DatabaseUser): boolean => {
  if (stats.uid === user.uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === user.gid) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
};

/** The nearest parent (or `path` itself) that `user` may not enter; `undefined` when the way is free. */
export function findBarrier(path: string, user: DatabaseUser): string | undefined {
  for (let directory = path; ; directory = dirname(directory)) {
    if (!maySearch(statSync(directory), user)) return directory;
    if (directory === dirname(directory)) return undefined;
  }
}
