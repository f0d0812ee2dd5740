/**
 * Freshness of the documentation: generated pages equal what would be generated now, and every
 * relative link leads to a file.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { renderErrorsDoc } from '@holdfast/core';
import { renderCoverage } from './coverage.ts';
import { listFiles, REPOSITORY } from './repository.ts';

const GENERATED: Readonly<Record<string, () => string>> = {
  'docs/coverage.md': () => renderCoverage(),
  'docs/errors.md': () => renderErrorsDoc(),
};

const LINK = /\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g;

/** Writes every generated page anew. */
export function writeGeneratedDocs(): void {
  for (const [file, render] of Object.entries(GENERATED)) writeFileSync(join(REPOSITORY, file), render());
}

export function findStaleDocs(): string[] {
  const problems: string[] = [];
  for (const [file, render] of Object.entries(GENERATED)) {
    const path = join(REPOSITORY, file);
    const current = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (current !== render()) problems.push(`${file} is stale: run \`npm run check -- --write\``);
  }
  for (const file of listFiles().filter((name) => name.endsWith('.md'))) {
    for (const [, target = ''] of readFileSync(join(REPOSITORY, file), 'utf8').matchAll(LINK)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(join(REPOSITORY, normalize(join(dirname(file), target))))) {
        problems.push(`${file} links to ${target}, which does not exist`);
      }
    }
  }
  return problems;
}
