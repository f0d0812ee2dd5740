/** Builds the console's page when its sources are newer than what was built, or nothing was. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './repository.ts';

const CONSOLE = join(REPOSITORY, 'apps/console');
const BUILT = join(CONSOLE, 'dist/index.html');

function isFresh(): boolean {
  if (!existsSync(BUILT)) return false;
  const builtMs = statSync(BUILT).mtimeMs;
  const sources = readdirSync(CONSOLE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\/(dist|node_modules)(\/|$)/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name));
  return [...sources, join(REPOSITORY, 'package-lock.json')].every((file) => statSync(file).mtimeMs <= builtMs);
}

/** @returns whether the page is there and fresh */
export function buildConsole(): boolean {
  if (isFresh()) return true;
  const vite = join(REPOSITORY, 'node_modules/vite/bin/vite.js');
  const options = { cwd: CONSOLE, stdio: ['ignore', 'ignore', 'inherit'] as const };
  return (
    spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], { ...options, stdio: [...options.stdio] })
      .status === 0
  );
}

if (import.meta.main) process.exitCode = buildConsole() ? 0 : 1;
