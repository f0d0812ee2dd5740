/** What the agent looks at, and follows, because a baseline says so: here what custom checks add (C-13, C-14). */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type CustomCheckRunner, signBaseline, signCheckModule } from '@holdfast/compliance';
import { openSimulatedHost } from '@holdfast/host-sim';
import { temporaryDirectory } from '@holdfast/testing';
import { logSigner, testTrust } from '../test/agent-fixture.ts';
import { openBaselineChecks } from './baseline-checks.ts';

const ENCODER = new TextEncoder();
const ANSWER = ENCODER.encode(
  '{"version":1,"findings":[{"status":"pass","severity":"info","kind":"fine","subject":"it","message":"It is fine"}]}',
);
const never = new AbortController().signal;

describe('openBaselineChecks', () => {
  it('C-14: runs a custom check by its name, with the verified module, and follows the files it is shown', async (t) => {
    const directory = temporaryDirectory(t);
    const { sha256, signed } = signCheckModule(ENCODER.encode('module'), logSigner);
    writeFileSync(join(directory, `${sha256}.check.dsse.json`), signed);
    const baselinePath = join(directory, 'baseline.dsse.json');
    const yaml = `version: 1
name: custom
created: 2026-03-01T12:00:00.000Z
checks: {}
customChecks:
  - name: mine
    title: A check of our own
    module: "${sha256}"
    inputs: {files: [{path: /etc/ssh/sshd_config}, {path: /etc/hosts}]}
`;
    writeFileSync(baselinePath, signBaseline(ENCODER.encode(yaml), logSigner));
    const ran: string[] = [];
    const customCheckRunner: CustomCheckRunner = {
      run: async ({ module }) => {
        ran.push(new TextDecoder().decode(module));
        return { exitCode: 0, error: null, stdout: ANSWER, truncated: false };
      },
    };
    const checks = openBaselineChecks(
      {
        host: await openSimulatedHost(join(directory, 'host')),
        baselinePath,
        modulesDirectory: directory,
        trust: testTrust(''),
        customCheckRunner,
      },
      { ntpMaxSkewMs: 5_000 },
    );
    const run = await checks.run(['mine'], never);
    assert.deepEqual(
      run.results.map(({ check, status }) => [check, status]),
      [['mine', 'pass']],
    );
    assert.deepEqual(ran, ['module']);
    assert.deepEqual(run.watched, [baselinePath, '/etc/ssh/sshd_config', '/etc/hosts']);
    assert.equal(run.policyOf('mine'), 'never', 'a module asks for no remedy');
  });
});
