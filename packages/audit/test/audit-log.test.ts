import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { type AuditEntry, MAX_LINE_BYTES, verifyAuditLog } from '../src/index.ts';
import { entry, FaultyFiles, openLog, publicKeys } from './log-fixture.ts';

const has =
  (code: 'ERR_AUDIT_UNWRITABLE' | 'ERR_AUDIT_LOCKED' | 'ERR_AUDIT_CLOSED' | 'ERR_AUDIT_RECORD_INVALID') =>
  (error: unknown): boolean =>
    hasCode(error, code);

const span = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

async function assertVerifies(directory: string, records: number): Promise<void> {
  const verdict = await verifyAuditLog(directory, { publicKeys });
  assert.deepEqual(verdict.problems, []);
  assert.equal(verdict.ok, true);
  assert.equal(verdict.records, records);
}

describe('AuditLog', () => {
  it('P-18: a record has every field, chains to the one before, and its hash is what sha256sum says', async (t) => {
    const directory = temporaryDirectory(t);
    await using log = await openLog(directory);
    await log.append(entry(1));
    await log.append(entry(2));
    const [first, second] = await log.read(1, 10);
    assert.deepEqual(Object.keys(second ?? {}).toSorted(), [
      'action',
      'actor',
      'bootId',
      'detail',
      'hash',
      'monotonicMs',
      'outcome',
      'prevHash',
      'seq',
      'subject',
      'version',
      'wallTime',
    ]);
    assert.equal(first?.prevHash, '0'.repeat(64));
    assert.equal(second?.prevHash, first?.hash);
    assert.deepEqual([first?.seq, second?.seq], [1, 2]);
    assert.deepEqual(second?.detail, entry(2).detail);
    const line = readFileSync(join(directory, '0000000000000001.audit'), 'utf8').split('\n')[1] ?? '';
    assert.equal(createHash('sha256').update(line.slice(65)).digest('hex'), second?.hash);
    assert.deepEqual(log.head(), { seq: 2, hash: second?.hash });
  });

  it('P-19: concurrent appends share syncs, keep the order of the calls, and are on disk when they resolve', async (t) => {
    const directory = temporaryDirectory(t);
    const files = new FaultyFiles();
    await using log = await openLog(directory, {}, files);
    const before = files.calls;
    const heads = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const head = await log.append(entry(n));
        const text = readFileSync(join(directory, '0000000000000001.audit'), 'utf8');
        assert.ok(text.includes(head.hash), 'acknowledged means written');
        return head;
      }),
    );
    assert.deepEqual(
      heads.map(({ seq }) => seq),
      Array.from({ length: 200 }, (_, n) => n + 1),
    );
    assert.ok(files.calls - before < 10, `${files.calls - before} calls for 200 records`);
    const records = await log.read(1, 200);
    assert.deepEqual(
      records.map(({ detail }) => detail['n']),
      Array.from({ length: 200 }, (_, n) => n),
    );
  });

  it('P-20: goes on where it was closed', async (t) => {
    const directory = temporaryDirectory(t);
    for (let n = 1; n <= 3; n += 1) {
      await using log = await openLog(directory);
      assert.equal(log.head().seq, n - 1);
      await log.append(entry(n));
    }
    await assertVerifies(directory, 3);
  });

  it('reads ranges and tails, across segments and marks, and nothing that is not there', async (t) => {
    const directory = temporaryDirectory(t);
    await using log = await openLog(directory, { segmentBytes: 100_000 });
    assert.deepEqual(await log.tail(10), []);
    for (let group = 0; group < 15; group += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(entry(group * 100 + n + 1))));
    }
    assert.ok(readdirSync(directory).filter((name) => name.endsWith('.audit')).length > 3);
    const numbers = async (from: number, limit: number): Promise<unknown[]> =>
      (await log.read(from, limit)).map(({ detail }) => detail['n']);
    assert.deepEqual(await numbers(1, 1_500), span(1, 1_500));
    assert.deepEqual(await numbers(299, 3), [299, 300, 301]);
    assert.deepEqual(await numbers(1_499, 50), [1_499, 1_500]);
    assert.deepEqual(await numbers(1_501, 50), []);
    assert.deepEqual(await numbers(0, 1), [1]);
    assert.deepEqual(
      (await log.tail(2)).map(({ seq }) => seq),
      [1_499, 1_500],
    );
    assert.equal((await log.tail(5_000)).length, 1_500);
  });

  it('P-23: rotation keeps the chain verifiable, also when it is opened in between', async (t) => {
    const directory = temporaryDirectory(t);
    for (let round = 0; round < 5; round += 1) {
      await using log = await openLog(directory, { segmentBytes: 1_000 });
      for (let n = 0; n < 7; n += 1) await log.append(entry(n));
    }
    assert.ok(readdirSync(directory).filter((name) => name.endsWith('.audit')).length > 5);
    await assertVerifies(directory, 35);
  });

  it('refuses what is no record, and the chain is as if it had not been offered', async (t) => {
    const directory = temporaryDirectory(t);
    await using log = await openLog(directory);
    const refused: AuditEntry[] = [
      { ...entry(1), actor: '' },
      { ...entry(1), subject: 'x'.repeat(1_001) },
      { ...entry(1), outcome: '\ud800' },
      { ...entry(1), detail: { text: 'x'.repeat(MAX_LINE_BYTES) } },
    ];
    for (const bad of refused) await assert.rejects(log.append(bad), has('ERR_AUDIT_RECORD_INVALID'));
    await assert.rejects(log.append({ ...entry(1), detail: { n: Number.NaN } }), (error) =>
      hasCode(error, 'ERR_NOT_CANONICAL'),
    );
    await log.append({ ...entry(1), subject: 'x'.repeat(1_000) });
    await log.close();
    await assertVerifies(directory, 1);
  });

  it('is open once: a second open is refused until the first is closed', async (t) => {
    const directory = temporaryDirectory(t);
    const log = await openLog(directory);
    await assert.rejects(openLog(directory), has('ERR_AUDIT_LOCKED'));
    const script = `import { openAuditLog } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
      import { signerFromSeed } from '@holdfast/crypto';
      const clock = { wallMs: () => 1, monotonicMs: () => 1 };
      await openAuditLog({ directory: ${JSON.stringify(directory)}, signer: signerFromSeed(new Uint8Array(32)), clock, bootId: 'b' })
        .then(() => console.log('opened'), (error) => console.log(error.code));`;
    const said = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    assert.equal(said.trim(), 'ERR_AUDIT_LOCKED');
    await log.close();
    await log.close();
    await assert.rejects(log.append(entry(1)), has('ERR_AUDIT_CLOSED'));
    await using again = await openLog(directory);
    assert.equal(again.head().seq, 0);
  });

  it('P-22: refuses while the disk is full, still reads, and records the gap when it works again', async (t) => {
    const directory = temporaryDirectory(t);
    const files = new FaultyFiles();
    await using log = await openLog(directory, { retryIntervalMs: 3_600_000 }, files);
    await log.append(entry(1));
    files.isFull = true;
    const together = await Promise.allSettled([log.append(entry(2)), log.append(entry(3))]);
    for (const result of together) assert.equal(result.status, 'rejected');
    assert.equal(log.writable, false);
    await assert.rejects(log.append(entry(4)), has('ERR_AUDIT_UNWRITABLE'));
    assert.equal(await log.retry(), false);
    assert.deepEqual(
      (await log.tail(5)).map(({ detail }) => detail['n']),
      [1],
    );
    files.isFull = false;
    assert.equal(await log.retry(), true);
    assert.equal(log.writable, true);
    await log.append(entry(5));
    const [, gap, last] = await log.read(1, 10);
    assert.equal(gap?.action, 'audit.gap');
    assert.equal(gap?.detail['refused'], 3);
    assert.equal(gap?.detail['cause'], 'ENOSPC');
    assert.equal(last?.detail['n'], 5);
    await log.close();
    await assertVerifies(directory, 3);
  });

  it('P-22: tries again by itself', async (t) => {
    const directory = temporaryDirectory(t);
    const files = new FaultyFiles();
    await using log = await openLog(directory, { retryIntervalMs: 5 }, files);
    files.isFull = true;
    await assert.rejects(log.append(entry(1)), has('ERR_AUDIT_UNWRITABLE'));
    files.isFull = false;
    while (!log.writable) await new Promise(setImmediate); // bounded by the test runner's own timeout
    assert.equal(log.head().seq, 1);
  });
});
