/** Where a program is that a command starts by its absolute path. */
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { HoldfastError } from '@holdfast/core';

/** @throws `ERR_GATE_SOURCE` when it is not on the search path, unless `otherwise` is given */
export function findProgram(name: string): string;
export function findProgram(name: string, otherwise: null): string | null;
export function findProgram(name: string, otherwise?: null): string | null {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => isAbsolute(directory));
  const found = directories.map((directory) => join(directory, name)).find(isExecutable);
  if (found !== undefined) return found;
  if (otherwise === null) return null;
  throw new HoldfastError(`${name} is not installed`, { code: 'ERR_GATE_SOURCE', fields: { reason: 'not-installed' } });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent, or not ours to run
  }
}
