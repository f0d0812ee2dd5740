/**
 * `npm test`: every test there is, in two runs. Unit tests first, side by side; then the tests that
 * start daemons, databases, lab hosts and browsers, one file at a time because each of them wants
 * the machine for itself.
 *
 * `npm test -- audit guard` runs only the files whose path contains one of the words.
 *
 * With `HOLDFAST_TEST_RETRY=1` a file that failed is run once more, alone. One that passes then is
 * named FLAKY at the end: it did not fail, and it is not good either.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { buildConsole } from './build-console.ts';
import { listFiles, REPOSITORY } from './repository.ts';

/** No single test takes longer than this; a hang is a failure, not a stuck run. */
const TEST_TIMEOUT_MS = 300_000;
/** More than this many files at once are no chance: nothing is run again. */
const MAX_RETRIES = 3;

interface Outcome {
  readonly ok: boolean;
  readonly flaky: readonly string[];
}

function runOnce(title: string, files: readonly string[], concurrency: number): { ok: boolean; failed: string[] } {
  console.log(`\n== ${title}: ${files.length} files`);
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-run-'));
  const list = join(directory, 'failed');
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  reporters.push(
    `--test-reporter=${join(REPOSITORY, 'scripts/failed-files.ts')}`,
    `--test-reporter-destination=${list}`,
  );
  const limits = [`--test-concurrency=${concurrency}`, `--test-timeout=${TEST_TIMEOUT_MS}`];
  try {
    const { status } = spawnSync(process.execPath, ['--test', ...limits, ...reporters, ...files], {
      cwd: REPOSITORY,
      stdio: 'inherit',
    });
    const failed = readFileSync(list, 'utf8').split('\n');
    return { ok: status === 0, failed: failed.filter((file) => file !== '').map((file) => relative(REPOSITORY, file)) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(title: string, files: readonly string[], concurrency: number): Outcome {
  if (files.length === 0) return { ok: true, flaky: [] };
  const { ok, failed } = runOnce(title, files, concurrency);
  const mayRetry = process.env['HOLDFAST_TEST_RETRY'] === '1' && failed.length > 0 && failed.length <= MAX_RETRIES;
  if (ok || !mayRetry) return { ok, flaky: [] };
  return { ok: runOnce(`${title}, once more`, failed, 1).ok, flaky: failed };
}

const words = process.argv.slice(2);
const wanted = listFiles().filter(
  (file) => /\.test\.tsx?$/.test(file) && (words.length === 0 || words.some((word) => file.includes(word))),
);
const isSlow = (file: string): boolean => /\/test\/|^e2e\//.test(file);
const slow = wanted.filter(isSlow);
const fast = wanted.filter((file) => !isSlow(file));
if (wanted.length === 0) {
  console.error('no test file matches');
  process.exitCode = 1;
} else {
  const unit = run('unit', fast, 2);
  const built = slow.length === 0 || buildConsole();
  const integration = run('integration, lab and browser', slow, 1);
  for (const file of [...unit.flaky, ...integration.flaky])
    console.log(`FLAKY: ${file} failed, and passed when run again`);
  process.exitCode = unit.ok && built && integration.ok ? 0 : 1;
}
