/**
 * `npm test`: every test there is, in two runs. Unit tests first, side by side; then the tests that
 * start daemons, databases, lab hosts and browsers, one file at a time because each of them wants
 * the machine for itself.
 *
 * `npm test -- audit guard` runs only the files whose path contains one of the words.
 */
import { spawnSync } from 'node:child_process';
import { buildConsole } from './build-console.ts';
import { listFiles, REPOSITORY } from './repository.ts';

const words = process.argv.slice(2);
const wanted = listFiles().filter(
  (file) => /\.test\.tsx?$/.test(file) && (words.length === 0 || words.some((word) => file.includes(word))),
);
const isSlow = (file: string): boolean => /\/test\/|^e2e\//.test(file);

/** No single test takes longer than this; a hang is a failure, not a stuck run. */
const TEST_TIMEOUT_MS = 300_000;

function run(title: string, files: readonly string[], concurrency: number): boolean {
  if (files.length === 0) return true;
  console.log(`\n== ${title}: ${files.length} files`);
  const result = spawnSync(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      '--test-reporter=spec',
      ...files,
    ],
    { cwd: REPOSITORY, stdio: 'inherit' },
  );
  return result.status === 0;
}

const slow = wanted.filter(isSlow);
const fast = wanted.filter((file) => !isSlow(file));
if (wanted.length === 0) {
  console.error('no test file matches');
  process.exitCode = 1;
} else {
  const results = [
    run('unit', fast, 2),
    slow.length === 0 || buildConsole(),
    run('integration, lab and browser', slow, 1),
  ];
  process.exitCode = results.every(Boolean) ? 0 : 1;
}
