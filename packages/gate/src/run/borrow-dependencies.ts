/**
 * Installed dependencies are not in the commit, and a copy of the tree without them runs nothing. They are
 * borrowed from the work tree by symlink. In `node_modules` each package is a link of its own and links
 * between workspaces are made again, so that packages of the repository resolve to the copy, not to the
 * original. Build output and caches are not borrowed: the copy must build what it tests.
 */
import { mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findGit, Git } from '../source/git.ts';
import { splitNul } from '../source/tree-digest.ts';

/** Of npm and its kin; of Go, Composer, Bundler; of Python. */
const DEPENDENCIES: ReadonlySet<string> = new Set(['node_modules', 'vendor', '.venv', 'venv']);
const CACHES: ReadonlySet<string> = new Set(['.cache', '.vite', '.vitest']);

/** @param from the work tree; @param to a checkout of the same repository */
export async function borrowDependencies(from: string, to: string, signal: AbortSignal): Promise<void> {
  const git = new Git(findGit(process.env['PATH'] ?? ''), from);
  const ignored = ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--directory'] as const;
  for (const path of splitNul(await git.run(ignored, { signal }))) {
    const directory = path.toString();
    if (!directory.endsWith('/') || !DEPENDENCIES.has(basename(directory))) continue;
    const [source, target] = [join(from, directory), join(to, directory.slice(0, -1))];
    await mkdir(dirname(target), { recursive: true });
    if (basename(target) === 'node_modules') await linkPackages(source, target);
    else await symlink(source, target);
  }
}

async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    const [source, target] = [join(from, name), join(to, name)];
    if (CACHES.has(name)) continue;
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (name.startsWith('@') || name === '.bin') await linkPackages(source, target);
    else await symlink(source, target);
  }
}
