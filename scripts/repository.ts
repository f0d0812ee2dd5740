/** What the scripts share about this repository: where it is and which files git knows. */
import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));

/** Tracked and new files that are not ignored, relative to the repository, sorted. */
export function listFiles(): string[] {
  const output = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: REPOSITORY,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const deleted = new Set(
    execFileSync('git', ['ls-files', '--deleted', '-z'], { cwd: REPOSITORY, encoding: 'utf8' }).split('\0'),
  );
  return [...new Set(output.split('\0'))].filter((file) => file !== '' && !deleted.has(file)).toSorted();
}
