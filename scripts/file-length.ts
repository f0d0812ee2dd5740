/** No source file grows past 500 lines, and no room is called after nothing in particular. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, REPOSITORY } from './repository.ts';

const MAX_LINES = 500;
const VAGUE = /(^|\/)(utils?|helpers?|common|misc|types)(\.tsx?|\/)/;

export function findShapeProblems(files: readonly string[] = listFiles()): string[] {
  const problems: string[] = [];
  for (const file of files.filter((name) => /\.(ts|tsx|mjs|css|sql)$/.test(name))) {
    const lines = readFileSync(join(REPOSITORY, file), 'utf8').split('\n').length - 1;
    if (lines > MAX_LINES) problems.push(`${file} has ${lines} lines: split it (${MAX_LINES} at most)`);
    if (VAGUE.test(file)) problems.push(`${file}: name it after what it holds`);
  }
  return problems;
}
