/**
 * Source packages of Debian, fetched by its own client into a directory of ours: a source list, lists
 * and cache apart from the machine's, checked with the keys Debian installs. Nothing on the machine
 * changes, and no root is needed.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DebianSource } from './programs.ts';

const run = promisify(execFile);

/** bookworm, without the security suite: the same sources until a point release. */
const SOURCES = `Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;

/** A mirror that does not answer. */
const FETCH_TIMEOUT_MS = 120_000;

async function fetchSource(name: string, directory: string): Promise<string> {
  const at = (path: string): string => join(directory, path);
  await Promise.all(['lists/partial', 'cache/archives/partial'].map((path) => mkdir(at(path), { recursive: true })));
  await writeFile(at('debian.sources'), SOURCES);
  const options = [
    `Dir::Etc::SourceList=${at('debian.sources')}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${at('lists')}`,
    `Dir::Cache=${at('cache')}`,
    'APT::Sandbox::User=root', // the directory is ours alone, and _apt could not enter it
  ].flatMap((option) => ['-o', option]);
  const aptGet = (...args: string[]) =>
    run('/usr/bin/apt-get', [...options, '-qq', ...args], { cwd: directory, timeout: FETCH_TIMEOUT_MS });
  await aptGet('update');
  await aptGet('source', '--download-only', name);
  const archive = (await readdir(directory)).find((file) => /\.orig\.tar\.(?:gz|xz|bz2)$/u.test(file));
  if (archive === undefined) throw new Error(`Debian has no source archive of ${name}`);
  return at(archive);
}

/**
 * Fetches, unpacks and prepares a source package, once: `into` is there, complete, afterwards.
 *
 * @throws what apt-get, tar or a preparing command failed with
 */
export async function provideDebianSource(source: DebianSource, into: string): Promise<void> {
  if (existsSync(into)) return;
  const scratch = await mkdtemp(`${into}-`);
  try {
    const archive = await fetchSource(source.package, scratch);
    const tree = join(scratch, 'tree');
    await mkdir(tree);
    await run('/bin/tar', ['-xf', archive, '-C', tree, '--strip-components=1']);
    for (const [command, ...args] of source.prepare) await run(command, args, { cwd: tree });
    // Two that build at the same time: the second finds it there, and its own is removed below.
    await rename(tree, into).catch((error: unknown) => {
      if (!existsSync(into)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
