/**
 * `npm test`: every test there is, in three runs. Unit tests first, then the tests that start daemons,
 * databases, lab hosts and browsers, both side by side; last, one file at a time, those that hold a
 * deadline and so want the machine for themselves.
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
/** Lab hosts wait more than they work, and each has names of its own: two fit on two cores. */
const CONCURRENCY = 2;

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
  const again = runOnce(`${title}, once more`, failed, 1);
  return { ok: again.ok, flaky: failed.filter((file) => !again.failed.includes(file)) };
}

const words = process.argv.slice(2);
const wanted = listFiles().filter(
  (file) => /\.test\.tsx?$/.test(file) && (words.length === 0 || words.some((word) => file.includes(word))),
);
const isSlow = (file: string): boolean => /\/test\/|^e2e\//.test(file);
const isAlone = (file: string): boolean => /^packages\/(?:sandbox\/test\/|wasm-runner\/test\/deadline)/.test(file);
const fast = wanted.filter((file) => !isSlow(file));
const slow = wanted.filter(isSlow);
if (wanted.length === 0) {
  console.error('no test file matches');
  process.exitCode = 1;
} else {
  const unit = run('unit', fast, CONCURRENCY);
  const built = slow.length === 0 || buildConsole();
  const shared = slow.filter((file) => !isAlone(file));
  const outcomes = [
    unit,
    run('integration, lab and browser', shared, CONCURRENCY),
    run('one at a time', slow.filter(isAlone), 1),
  ];
  for (const file of outcomes.flatMap(({ flaky }) => flaky))
    console.log(`FLAKY: ${file} failed, and passed when run again`);
  process.exitCode = built && outcomes.every(({ ok }) => ok) ? 0 : 1;
}
