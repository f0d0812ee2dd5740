/** what JavaScript in a runner process may not do, whatever got it to run. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { runnerArgv, RUNNER_ENV } from './runner-argv.ts';

const [program, ...flags] = runnerArgv(65_536).slice(0, -1);

/** What `code` throws when it runs with the runner's flags; `null` when it does not. */
function thrownBy(code: string): string | null {
  const script = `try { ${code}; console.log('null') } catch (error) { console.log(JSON.stringify(error.code ?? error.name)) }`;
  const out = execFileSync(program ?? '', [...flags, '--eval', script], { env: RUNNER_ENV, encoding: 'utf8' });
  return JSON.parse(out) as string | null;
}

describe('a runner process', () => {
  it('X-15: reads its own sources', () => {
    assert.equal(thrownBy(`require('node:fs').readFileSync(${JSON.stringify(import.meta.filename)})`), null);
  });

  const attempts: Record<string, string> = {
    'reading another file': "require('node:fs').readFileSync('/etc/passwd')",
    'writing a file': "require('node:fs').writeFileSync('/tmp/holdfast-runner-argv-test', '')",
    'starting a program': "require('node:child_process').spawnSync('/bin/true')",
    'a thread': "new (require('node:worker_threads').Worker)('', { eval: true })",
  };
  for (const [name, code] of Object.entries(attempts)) {
    it(`X-15: is refused ${name}`, () => assert.equal(thrownBy(code), 'ERR_ACCESS_DENIED'));
  }

  it('X-15: is refused code from strings', () => assert.equal(thrownBy("new Function('return 1')"), 'EvalError'));
});
