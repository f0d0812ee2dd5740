/**
 * G-31: a guard that is killed with -9 at every moment of a command's run. After a restart there is
 * exactly one statement, the command was not run again, and the log verifies.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { verifyAuditLog } from '@holdfast/audit';
import { needs } from '@holdfast/testing';
import { connectGuard } from '../src/index.ts';
import { listEvidence, makeSite, start, TEST_POLICY } from './harness.ts';

const PROGRAM = new URL('command-process.ts', import.meta.url).pathname;
/** More than one run touches the log; the last ones are past its end. */
const LOG_TOUCHES = 9;
const MOMENTS = [
  'connect',
  'start',
  'running',
  'ended',
  ...Array.from({ length: LOG_TOUCHES }, (_, index) => `log:${index + 1}`),
];

describe('a guard that is killed while a command runs', needs('linux'), () => {
  for (const moment of MOMENTS) {
    it(`G-31: at ${moment}: one statement, and no second run`, async (t) => {
      const site = await makeSite(t, 'version = 1');
      const marks = join(site.root, 'marks');
      mkdirSync(marks);
      chmodSync(marks, 0o777);
      const command = `[[commands]]\nname = "exec.mark"\npath = "/usr/bin/mktemp"\nargv = ["${marks}/XXXXXX"]\n`;
      const policy = `${TEST_POLICY.replace('"exec.backup"', '"exec.mark"')}\n${command}`;
      writeFileSync(site.paths.policy, policy);
      const child = spawn(process.execPath, [PROGRAM, site.root, moment], { stdio: ['ignore', 'pipe', 'pipe'] });
      t.after(() => child.kill('SIGKILL'));
      const exited = once(child, 'exit');
      await Promise.race([
        once(child.stdout, 'data'),
        exited.then(() => assert.fail(`the guard did not start: ${String(child.stderr.read())}`)),
      ]);
      const client = connectGuard(site.paths.socket, new AbortController().signal);
      const answer = await client.exec({ operation: 'exec.mark', params: {} }).catch(() => null);
      client[Symbol.dispose]();
      // Past the end of the run there is nothing left to be killed at.
      if (answer !== null) child.kill('SIGKILL');
      await exited;
      const before = readdirSync(marks).length;
      assert.ok(before <= 1);

      await (await start(t, site)).stop();
      assert.equal(readdirSync(marks).length, before);
      const evidence = await listEvidence(site);
      assert.equal(evidence.length, 1);
      const { outcome, statement } = evidence[0]!;
      if (answer !== null) assert.equal(answer.bundleId, evidence[0]!.bundleId);
      if (before === 0) assert.notEqual(outcome, 'done');
      else assert.ok(outcome === 'done' || statement.predicate.error?.code === 'ERR_COMMAND_INTERRUPTED');
      const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
      assert.equal(verdict.ok, true, JSON.stringify(verdict));
    });
  }
});
