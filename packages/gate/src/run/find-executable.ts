/** Finds the program that argv names, as execvp(3) would with the command's own search path. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';

/**
 * The absolute path, or `null` when there is none. A name with a slash is relative to `cwd`; entries of
 * the search path that are not absolute do not count, because what they mean depends on where one stands.
 */
export async function findExecutable(name: string, searchPath: string, cwd: string): Promise<string | null> {
  if (name.includes('/')) return (await isExecutable(resolve(cwd, name))) ? resolve(cwd, name) : null;
  for (const directory of searchPath.split(delimiter)) {
    if (isAbsolute(directory) && (await isExecutable(join(directory, name)))) return join(directory, name);
  }
  return null;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false; // absent and not executable are the same answer here
  }
}
