/** Files of the state directory that nobody else may read: written whole, durably, mode 0600. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export function writeSecretFile(path: string, text: string): void {
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  const file = openSync(partial, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory); // the new name is durable as well
  } finally {
    closeSync(directory);
  }
}
