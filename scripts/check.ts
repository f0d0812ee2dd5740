/**
 * `npm run check`: everything about the code that can be judged without running it. Each step says
 * what it found; all steps run, and the exit code is 1 when any found something.
 *
 * `npm run check -- --write` formats the code and writes the generated documentation first.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findStaleDocs, writeGeneratedDocs } from './docs.ts';
import { findShapeProblems } from './file-length.ts';
import { findLayerViolations } from './layers.ts';
import { REPOSITORY } from './repository.ts';

interface Step {
  readonly name: string;
  readonly because: string;
  /** Problems, none when all is well. */
  run(): readonly string[];
}

function tool(name: string, ...args: readonly string[]): readonly string[] {
  const result = spawnSync(join(REPOSITORY, 'node_modules/.bin', name), args, { cwd: REPOSITORY, encoding: 'utf8' });
  if (result.status === 0) return [];
  return [`${result.stdout}${result.stderr}`.trim() || `${name} ended with ${result.status ?? result.signal}`];
}

const STEPS: readonly Step[] = [
  { name: 'types', because: 'the compiler is the first reader', run: () => tool('tsc', '-p', '.') },
  {
    name: 'console types',
    because: 'the page has a DOM and no Node',
    run: () => tool('tsc', '-p', 'apps/console'),
  },
  { name: 'lint', because: 'type-aware rules catch lost promises', run: () => tool('oxlint', '--type-aware', '.') },
  { name: 'format', because: 'one spelling, no discussion', run: () => tool('oxfmt', '--check', '.') },
  {
    name: 'layers',
    because: 'arrows point down, or nothing can be taken out again',
    run: () => findLayerViolations().map(({ file, problem }) => `${file}: ${problem}`),
  },
  {
    name: 'dead code',
    because: 'what nobody uses is only read',
    run: () => tool('knip', '--no-progress', '--no-config-hints'),
  },
  { name: 'shape', because: 'a file is read in one sitting', run: () => findShapeProblems() },
  { name: 'docs', because: 'a page that is wrong is worse than none', run: () => findStaleDocs() },
];

if (process.argv.includes('--write')) {
  tool('oxfmt', '.');
  writeGeneratedDocs();
}
let failed = 0;
for (const step of STEPS) {
  const { name, because } = step;
  const problems = step.run();
  if (problems.length === 0) {
    console.log(`ok    ${name}`);
    continue;
  }
  failed += 1;
  console.log(`FAIL  ${name} (${because})`);
  for (const problem of problems) console.log(problem.replaceAll(/^/gm, '      '));
}
console.log(failed === 0 ? 'all checks passed' : `${failed} of ${STEPS.length} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
