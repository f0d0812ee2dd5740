/**
 * G-31: a guard that is killed with -9 at every moment of a command's run. After a restart there is
 * exactly one statement, the command was not run again, and the log verifies.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { verifyAuditLog } from '@holdfast/audit';
import { needs } from '@holdfast/testing';
import { connectGuard, type GuardClient } from '../src/index.ts';
import { listEvidence, makeOrder, makeSite, signOrder, start, TEST_POLICY, type TestSite } from './harness.ts';

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

interface Marked {
  readonly site: TestSite;
  /** How often the command was run. */
  readonly count: () => number;
}

/** A host whose one command leaves a mark each time it is run. */
async function makeMarkedSite(t: TestContext): Promise<Marked> {
  const site = await makeSite(t, 'version = 1');
  const marks = join(site.root, 'marks');
  mkdirSync(marks);
  chmodSync(marks, 0o777);
  const command = `[[commands]]\nname = "exec.mark"\npath = "/usr/bin/mktemp"\nargv = ["${marks}/XXXXXX"]\n`;
  const rule =
    '[[rules]]\nname = "ordered"\nprincipals = ["control-plane"]\noperations = ["exec.mark"]\neffect = "allow"\n';
  writeFileSync(site.paths.policy, `${TEST_POLICY.replace('"exec.backup"', '"exec.mark"')}\n${command}${rule}`);
  return { site, count: () => readdirSync(marks).length };
}

/** Asks a guard that kills itself at this moment. Resolves when it is gone. @returns its answer, if it came to that */
async function askDoomed<T>(
  t: TestContext,
  site: TestSite,
  moment: string,
  ask: (client: GuardClient) => Promise<T>,
): Promise<T | null> {
  const child = spawn(process.execPath, [PROGRAM, site.root, moment], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    exited.then(() => assert.fail(`the guard did not start: ${String(child.stderr.read())}`)),
  ]);
  using client = connectGuard(site.paths.socket, new AbortController().signal);
  const answer = await ask(client).catch(() => null);
  child.kill('SIGKILL'); // one that answered was past its moment
  await exited;
  return answer;
}

async function assertLogVerifies(site: TestSite): Promise<void> {
  const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
  assert.equal(verdict.ok, true, JSON.stringify(verdict));
}

describe('a guard that is killed while a command runs', needs('linux'), () => {
  for (const moment of MOMENTS) {
    it(`G-31: at ${moment}: one statement, and no second run`, async (t) => {
      const { site, count } = await makeMarkedSite(t);
      const answer = await askDoomed(t, site, moment, (client) => client.exec({ operation: 'exec.mark', params: {} }));
      const before = count();
      assert.ok(before <= 1);

      await (await start(t, site)).stop();
      assert.equal(count(), before);
      const [bundle, ...others] = await listEvidence(site);
      assert.ok(bundle);
      assert.equal(others.length, 0);
      if (answer !== null) assert.equal(answer.bundleId, bundle.bundleId);
      if (before === 0) assert.notEqual(bundle.outcome, 'done');
      const code = bundle.statement.predicate.error?.code;
      assert.ok(bundle.outcome === 'done' || code === 'ERR_COMMAND_INTERRUPTED');
      await assertLogVerifies(site);
    });
  }

  for (const moment of ['connect', 'running', 'log:1', 'log:4']) {
    it(`C-35: at ${moment}, for an order: the order ends as failed, and is not carried out again`, async (t) => {
      const { site, count } = await makeMarkedSite(t);
      const envelope = signOrder(makeOrder(site, { operation: 'exec.mark', params: {} }));
      assert.equal(await askDoomed(t, site, moment, (client) => client.order(envelope)), null);
      const before = count();
      const { client, stop } = await start(t, site);
      const report = await client.order(envelope);
      assert.deepEqual(await client.order(envelope), report);
      await stop();
      assert.equal(count(), before);
      const evidence = await listEvidence(site);
      // Killed before it was written down as taken up, it never was: it is taken up now, on a host without a sandbox.
      assert.ok(['failed', 'rejected'].includes(report.outcome), JSON.stringify(report));
      assert.deepEqual(
        evidence.map(({ bundleId }) => bundleId),
        [report.bundleId],
      );
      await assertLogVerifies(site);
    });
  }
});
