/**
 * C-43 as the product sees it: the built-in checks, run inside a lab host against a baseline
 * captured there, pass on a new host, and exactly the broken one fails after each break.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { BREAKABLE_CHECKS, countVariants, createLab, type Lab } from '../src/index.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const NODE = '/opt/holdfast/node_modules/.bin/node';

/** Captures a baseline on the first call and keeps it in the host; every call runs all checks. */
const RUN_CHECKS = `
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const at = (name) => import('/opt/holdfast/packages/' + name + '/src/index.ts');
const [{ openLinuxHost }, compliance] = [await at('host-linux'), await at('compliance')];
const signal = AbortSignal.timeout(20_000);
const host = await openLinuxHost();
const inventory = JSON.parse(process.argv[1]);
const path = '/var/lib/lab-baseline.yaml';
if (!existsSync(path)) {
  const options = { name: 'lab', nowMs: Date.now(), firewall: true, ports: true, accounts: true, canaryWithinMs: 1000, ...inventory };
  writeFileSync(path, await compliance.captureBaseline(host, options, signal));
}
const parsed = compliance.parseBaseline(readFileSync(path, 'utf8'));
if (!parsed.ok) throw new Error(JSON.stringify(parsed));
const results = await compliance.runChecks({ ...parsed, hash: '0'.repeat(64) }, { host, nowMs: Date.now() }, signal);
console.log(JSON.stringify(Object.fromEntries(results.map(({ check, status }) => [check, status]))));
`;

const suite = needs('lab-hosts');
const { signal } = new AbortController();
let base = '';
let lab: Lab;

before(async () => {
  if (suite.skip !== false) return;
  base = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-lab-'));
  lab = createLab({ directory: join(base, 'lab'), hosts: 1, repositoryRoot: REPOSITORY });
  await lab.up(signal);
});

after(async () => {
  if (suite.skip !== false) return;
  await lab.down();
  rmSync(base, { recursive: true, force: true });
});

async function runChecks(): Promise<Record<string, string>> {
  const argv = [
    '/usr/bin/env',
    'NODE_COMPILE_CACHE=/var/tmp/lab-compile-cache', // it is the same program each time
    NODE,
    '--no-warnings',
    '--input-type=module',
    '--eval',
    RUN_CHECKS,
    JSON.stringify(lab.inventory),
  ] as const;
  const { exitCode, stdout, stderr } = await lab.exec('web-1', [...argv], signal);
  assert.equal(exitCode, 0, Buffer.from(stderr).toString('utf8'));
  return JSON.parse(Buffer.from(stdout).toString('utf8')) as Record<string, string>;
}

describe('the built-in checks in a lab host', { ...suite, concurrency: false, timeout: 120_000 }, () => {
  const good = Object.fromEntries(BREAKABLE_CHECKS.map((check) => [check, 'pass']));

  it('C-42: all pass on a new host, again and again', async () => {
    for (let round = 0; round < 3; round++) assert.deepEqual(await runChecks(), good);
  });

  for (const check of BREAKABLE_CHECKS) {
    it(`C-43: ${check} fails for every way to break it, and passes when mended`, async () => {
      for (let seed = 0; seed < countVariants(check); seed++) {
        const { variant } = await lab.break('web-1', check, seed, signal);
        const seen = await runChecks();
        // A web service that is down also has no port and shows no certificate.
        const others = check === 'services' ? { ports: seen['ports'], certificates: seen['certificates'] } : {};
        assert.deepEqual(seen, { ...good, ...others, [check]: 'fail' }, variant);
        await lab.mend('web-1', check, signal);
      }
      assert.deepEqual(await runChecks(), good);
    });
  }
});
