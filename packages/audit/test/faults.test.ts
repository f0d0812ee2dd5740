/** P-21: every file system call of a run is made to fail once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { type AuditLog, type AuditRecord, verifyAuditLog } from '../src/index.ts';
import { entry, type FaultKind, FaultyFiles, openLog, publicKeys } from './log-fixture.ts';

const OPTIONS = { segmentBytes: 800, retryIntervalMs: 3_600_000 };

interface Oracle {
  readonly acknowledged: number[];
  refused: number;
}

async function openUntilOpen(directory: string, files: FaultyFiles): Promise<AuditLog> {
  try {
    return await openLog(directory, OPTIONS, files);
  } catch (error) {
    assert.ok(hasCode(error, 'ERR_AUDIT_UNWRITABLE'), String(error));
    return openLog(directory, OPTIONS, files); // the fault was once
  }
}

async function appendAll(log: AuditLog, numbers: readonly number[], oracle: Oracle): Promise<void> {
  const results = await Promise.allSettled(numbers.map((n) => log.append(entry(n))));
  for (const [at, result] of results.entries()) {
    if (result.status === 'fulfilled') oracle.acknowledged.push(numbers[at] ?? -1);
    else {
      assert.ok(hasCode(result.reason, 'ERR_AUDIT_UNWRITABLE'), String(result.reason));
      oracle.refused += 1;
    }
  }
  if (!log.writable) await log.retry();
  if (!log.writable) await log.retry(); // the fault may have hit the first one
  assert.ok(log.writable);
}

/** Open, append, rotate, close, recover, append again. */
async function run(directory: string, files: FaultyFiles): Promise<Oracle> {
  const oracle: Oracle = { acknowledged: [], refused: 0 };
  let log = await openUntilOpen(directory, files);
  await appendAll(log, [1, 2], oracle);
  await appendAll(log, [3], oracle);
  await appendAll(log, [4, 5, 6], oracle);
  await log.close();
  log = await openUntilOpen(directory, files);
  await appendAll(log, [7], oracle);
  await log.close();
  return oracle;
}

function numbersOf(records: readonly AuditRecord[]): unknown[] {
  return records.filter(({ action }) => action === 'request').map(({ detail }) => detail['n']);
}

describe('P-21: one failing call', () => {
  for (const kind of ['ENOSPC', 'EIO', 'short'] satisfies FaultKind[]) {
    it(`${kind}: loses no acknowledged record, keeps none that was refused, and the log verifies`, async (t) => {
      const root = temporaryDirectory(t);
      const failed = new Set<string>();
      for (let failAt = 1; ; failAt += 1) {
        const directory = join(root, String(failAt));
        const files = new FaultyFiles();
        Object.assign(files, { failAt, kind, skipsSync: true });
        const oracle = await run(directory, files);
        const where = `${kind} at call ${failAt}, ${files.failed}`;
        failed.add(files.failed);
        const verdict = await verifyAuditLog(directory, { publicKeys });
        assert.deepEqual(verdict.problems, [], where);
        await using log = await openLog(directory, OPTIONS);
        const records = await log.read(1, 1_000);
        assert.deepEqual(numbersOf(records), oracle.acknowledged, where);
        const gaps = records.filter(({ action }) => action === 'audit.gap');
        const recorded = gaps.reduce((sum, { detail }) => sum + Number(detail['refused']), 0);
        assert.equal(recorded, oracle.refused, `${where}: the gap counts what was refused`);
        if (files.failed === 'none') break;
      }
      // Otherwise the loop has not been where it should: these are the calls that a log lives on.
      const expected = kind === 'short' ? ['write'] : ['open create', 'write', 'datasync', 'rename', 'syncDirectory'];
      for (const name of expected) assert.ok(failed.has(name), `${name} was made to fail`);
    });
  }

  it('P-22: a failed write is cut back before the next record, also when cutting failed first', async (t) => {
    const directory = temporaryDirectory(t);
    const files = new FaultyFiles();
    const log = await openLog(directory, { retryIntervalMs: 3_600_000 }, files);
    await log.append(entry(1));
    Object.assign(files, { kind: 'short', failAt: files.calls + 1 });
    await assert.rejects(log.append(entry(2)), (error) => hasCode(error, 'ERR_AUDIT_UNWRITABLE'));
    files.isFull = true;
    assert.equal(await log.retry(), false);
    assert.equal(await log.retry(), false);
    files.isFull = false;
    assert.equal(await log.retry(), true);
    await log.append(entry(3));
    assert.deepEqual(numbersOf(await log.read(1, 10)), [1, 3]);
    await log.close();
    assert.deepEqual((await verifyAuditLog(directory, { publicKeys })).problems, []);
  });
});
