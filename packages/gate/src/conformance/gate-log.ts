/** The contract of `GateLog`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { leafHash, rootOf, sha256Hex, type Signer } from '@holdfast/crypto';
import type { GateLog, NewRecord } from '../log/gate-log.ts';

export interface GateLogSubject {
  /** Empty. */
  readonly log: GateLog;
  /** A first freeze that `signer` may sign. */
  readonly freeze: NewRecord<'freeze'>;
  /** Any record under that freeze, by `signer`; different texts give different records. */
  readonly note: (text: string) => NewRecord;
  readonly signer: Signer;
  /** A person of the same gate file, and a record by them. */
  readonly other: { readonly signer: Signer; readonly note: (text: string) => NewRecord };
  /** In no gate file. */
  readonly stranger: Signer;
}

/** What `GateLog.append` must leave as it was when it throws. */
async function stateOf(log: GateLog): Promise<unknown> {
  const { log: lines, checkpoint } = await log.bytes();
  return { head: log.head, records: log.records, lines: Buffer.from(lines), checkpoint };
}

async function changesNothing(log: GateLog, code: 'ERR_GATE_KEY' | 'ERR_GATE_RULE', run: () => Promise<unknown>) {
  const before = await stateOf(log);
  await assert.rejects(run, (error) => hasCode(error, code));
  assert.deepEqual(await stateOf(log), before);
}

export function describeGateLog(name: string, open: (scope: Scope) => Promise<GateLogSubject>): void {
  describe(`GateLog: ${name}`, () => {
    it('R-10: is empty at first, with the root of the empty tree', async (t) => {
      const { log } = await open(t);
      assert.deepEqual(log.records, []);
      assert.deepEqual(log.head, { size: 0, root: sha256Hex('') });
      assert.equal((await log.bytes()).checkpoint, '');
    });

    it('R-10: gives records in order, each a leaf of the tree of its head', async (t) => {
      const { log, freeze, note, signer, other } = await open(t);
      const first = await log.append([freeze, note('one')], signer);
      const second = await log.append([other.note('two')], other.signer);
      assert.deepEqual(log.records, [...first, ...second]);
      assert.deepEqual(
        log.records.map(({ index, keyId }) => [index, keyId]),
        [
          [0, signer.keyId],
          [1, signer.keyId],
          [2, other.signer.keyId],
        ],
      );
      assert.deepEqual(
        log.records.map(({ kind, predicate }) => ({ kind, predicate })),
        [freeze, note('one'), other.note('two')],
      );
      const lines = Buffer.from((await log.bytes()).log)
        .toString()
        .split('\n');
      assert.equal(lines.pop(), '');
      const leaves = lines.map((line) => leafHash(Buffer.from(line)));
      assert.deepEqual(
        log.records.map(({ leaf }) => leaf),
        leaves.map((leaf) => Buffer.from(leaf).toString('hex')),
      );
      assert.deepEqual(log.head, { size: 3, root: Buffer.from(rootOf(leaves)).toString('hex') });
      const [origin, size, root] = (await log.bytes()).checkpoint.split('\n');
      assert.match(origin ?? '', /^holdfast-gate\//);
      assert.deepEqual([size, root], ['3', Buffer.from(rootOf(leaves)).toString('base64')]);
    });

    it('keeps appends of one process in the order in which they were asked for', async (t) => {
      const { log, freeze, note, signer } = await open(t);
      await log.append([freeze], signer);
      await Promise.all(['a', 'b', 'c', 'd'].map(async (text) => log.append([note(text)], signer)));
      assert.deepEqual(
        log.records.slice(1).map(({ kind, predicate }) => ({ kind, predicate })),
        ['a', 'b', 'c', 'd'].map((text) => note(text)),
      );
    });

    it('appends nothing for an empty batch', async (t) => {
      const { log, signer } = await open(t);
      const before = await stateOf(log);
      assert.deepEqual(await log.append([], signer), []);
      assert.deepEqual(await stateOf(log), before);
    });

    it('R-03: takes nothing before the first freeze', async (t) => {
      const { log, note, signer } = await open(t);
      await changesNothing(log, 'ERR_GATE_RULE', async () => log.append([note('too early')], signer));
    });

    it('R-13: takes nothing by a stranger, and nothing by one person in the name of another', async (t) => {
      const { log, freeze, note, signer, other, stranger } = await open(t);
      await changesNothing(log, 'ERR_GATE_KEY', async () => log.append([freeze], stranger));
      await log.append([freeze], signer);
      await changesNothing(log, 'ERR_GATE_KEY', async () => log.append([note('strange')], stranger));
      await changesNothing(log, 'ERR_GATE_KEY', async () => log.append([note('in her name')], other.signer));
    });

    it('takes all of a batch or nothing', async (t) => {
      const { log, freeze, note, signer, other } = await open(t);
      await log.append([freeze], signer);
      const mixed = [note('mine'), other.note('not mine')];
      await changesNothing(log, 'ERR_GATE_KEY', async () => log.append(mixed, signer));
      await changesNothing(log, 'ERR_GATE_RULE', async () => log.append([note('mine'), freeze], signer));
      await log.append([note('later')], signer);
      assert.equal(log.head.size, 2);
    });

    it('R-14: refuses a record with a part missing', async (t) => {
      const { log, freeze, signer } = await open(t);
      const { source: _, ...predicate } = freeze.predicate;
      const partial = { kind: 'freeze', predicate } as unknown as NewRecord; // what the compiler would not let through
      await changesNothing(log, 'ERR_GATE_RULE', async () => log.append([partial], signer));
    });

    it('R-10: gives objects back by their digest, also twice and empty', async (t) => {
      const { log } = await open(t);
      for (const bytes of [Buffer.alloc(0), Buffer.from('output\n'), Buffer.alloc(100_000, 7)]) {
        const digest = await log.putObject(bytes);
        assert.equal(digest, sha256Hex(bytes));
        assert.equal(await log.putObject(bytes), digest);
        assert.deepEqual(Buffer.from(await log.getObject(digest)), bytes);
      }
      await assert.rejects(log.getObject(sha256Hex('never put')), (error) => hasCode(error, 'ERR_GATE_OBJECT_MISSING'));
    });
  });
}

/** The part of a test's context that an implementation cleans up with. */
interface Scope {
  after(fn: () => void): void;
}
