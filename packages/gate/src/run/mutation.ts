/**
 * Removes a protection in a copy of the tree, so that the test which was written for it can be
 * seen to fail. The work tree itself is never touched.
 */
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { GapTest } from '../gate-file/gate-schema.ts';
import { findGit, Git, GitExit } from '../source/git.ts';

/** @returns whether exactly the declared change was made */
export async function applyMutation(
  root: string,
  mutation: GapTest['mutation'],
  signal: AbortSignal,
): Promise<boolean> {
  if ('patch' in mutation) {
    const git = new Git(findGit(process.env['PATH'] ?? ''), root);
    try {
      await git.run(['apply', '--whitespace=nowarn', '--', mutation.patch], { signal });
      return true;
    } catch (error) {
      if (error instanceof GitExit) return false;
      throw error;
    }
  }
  const path = await realpath(join(root, mutation.file)).catch(() => null); // no such file
  if (path === null || !path.startsWith(root + sep)) return false;
  const [bytes, wanted] = [await readFile(path), Buffer.from(mutation.replace)];
  const at = bytes.indexOf(wanted);
  // Twice would leave it open which of them the test is for.
  if (at === -1 || bytes.includes(wanted, at + 1)) return false;
  const rest = bytes.subarray(at + wanted.length);
  await writeFile(path, Buffer.concat([bytes.subarray(0, at), Buffer.from(mutation.with), rest]));
  return true;
}
