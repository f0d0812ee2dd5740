import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ErrorCode, hasCode, type JsonObject } from '@holdfast/core';
import { ActionSchema } from '@holdfast/evidence';
import { changeIdOf } from '../src/conformance/index.ts';
import type { ChangeRecord } from '../src/index.ts';
import { cellParams, CONFIRM_WITHIN_MS, type KillableProcess, KillableWorld } from './killable-world.ts';

const never = new AbortController().signal;
const has =
  (code: ErrorCode) =>
  (error: unknown): boolean =>
    hasCode(error, code);

async function started(world = new KillableWorld()): Promise<{ world: KillableWorld; process: KillableProcess }> {
  const process = world.start();
  await process.engine.recover(never);
  return { world, process };
}

async function request(
  { engine }: KillableProcess,
  n: number,
  params: JsonObject,
  { operation = 'cells.set', signal = never } = {},
): Promise<ChangeRecord> {
  return engine.request({ changeId: changeIdOf(n), operation, params, meta: { principal: 'test' } }, signal);
}

describe('ChangeEngine', () => {
  it('P-13: a good change is committed, and its record carries what evidence needs', async () => {
    const { world, process } = await started();
    const record = await request(process, 1, cellParams({ a: '1', b: '2' }));
    assert.deepEqual(
      [...world.cells],
      [
        ['/a', '1'],
        ['/b', '2'],
      ],
    );
    assert.equal(record.state, 'ended');
    assert.equal(record.outcome, 'committed');
    assert.equal(record.error, null);
    assert.equal(record.sealed, true);
    assert.deepEqual(
      record.steps.map(({ action, result }) => [action, result]),
      [
        ['write /a', 'ok'],
        ['write /b', 'ok'],
      ],
    );
    for (const step of record.steps) ActionSchema.parse(step);
    assert.deepEqual(record.preState, { plan: [{ action: 'write /a' }, { action: 'write /b' }] });
    assert.deepEqual(record.postState, { verification: { ok: true, reasons: ['all cells are as wanted'] } });
    assert.deepEqual(record.meta, { principal: 'test' });
    assert.ok(record.startedAt !== null && record.endedAt !== null && record.endedAt >= record.startedAt);
    assert.equal('captured' in record, false);
    assert.deepEqual(world.sealed.get(record.bundleId)?.length, 1);
  });

  it('P-16: the same change again records zero steps and touches nothing', async () => {
    const { world, process } = await started();
    await request(process, 1, cellParams({ a: '1' }));
    const callsBefore = process.calls.length;
    const second = await request(process, 2, cellParams({ a: '1' }));
    assert.deepEqual([second.outcome, second.steps], ['committed', []]);
    assert.equal(
      process.calls.slice(callsBefore).some((call) => call.startsWith('write')),
      false,
    );
    assert.equal(world.cells.get('/a'), '1');
  });

  it('P-16: nothing to do, but the effect is not there: failed, not committed', async () => {
    const { process } = await started();
    await request(process, 1, cellParams({ a: '1' }));
    const record = await request(process, 2, cellParams({ a: '1' }, 'verify-fails'));
    assert.deepEqual([record.outcome, record.error?.code], ['failed', 'ERR_CHANGE_NOT_VERIFIED']);
  });

  const failures = [
    { flaw: 'verify-fails', code: 'ERR_CHANGE_NOT_VERIFIED' },
    { flaw: 'apply-throws', code: 'ERR_CHANGE_OPERATION_FAILED' },
  ] as const;
  for (const { flaw, code } of failures) {
    it(`P-13: a change that ${flaw} is reverted and says why without quoting anybody`, async () => {
      const { world, process } = await started();
      world.cells.set('/a', 'old');
      const record = await request(process, 1, cellParams({ a: 'new', b: 'new' }, flaw));
      assert.deepEqual([...world.cells], [['/a', 'old']]);
      assert.deepEqual([record.outcome, record.error?.code], ['reverted', code]);
      assert.equal(JSON.stringify(record).includes('hunter2'), false);
      const actions = record.steps.map(({ action }) => action);
      assert.deepEqual(actions, ['write /a', 'write /b', 'revert: write /a', 'revert: remove /b']);
      assert.deepEqual(
        record.steps.map(({ step }) => step),
        [0, 1, 2, 3],
      );
    });
  }

  it('P-13: a revert that fails freezes the host, durably, until somebody unfreezes it', async () => {
    const { world, process } = await started();
    world.cells.set('/a', 'cannot be restored');
    const record = await request(process, 1, cellParams({ a: 'new' }, 'verify-fails'));
    assert.deepEqual([record.outcome, record.error?.code], ['frozen', 'ERR_CHANGE_REVERT_FAILED']);
    assert.match(record.error?.message ?? '', /ERR_CHANGE_NOT_VERIFIED/);
    assert.equal(process.engine.frozen, true);
    await assert.rejects(request(process, 2, cellParams({ b: '1' })), has('ERR_CHANGE_FROZEN'));
    process.kill();
    const { process: restarted } = await started(world);
    assert.equal(restarted.engine.frozen, true);
    await assert.rejects(request(restarted, 2, cellParams({ b: '1' })), has('ERR_CHANGE_FROZEN'));
    await restarted.engine.unfreeze();
    assert.equal((await request(restarted, 2, cellParams({ b: '1' }))).outcome, 'committed');
    restarted.kill();
    const { process: again } = await started(world);
    assert.equal(again.engine.frozen, false);
  });

  it('P-13: what waits in the queue when the host freezes does not run', async () => {
    const { world, process } = await started();
    world.cells.set('/a', 'cannot be restored');
    const first = request(process, 1, cellParams({ a: 'new' }, 'verify-fails'));
    const second = request(process, 2, cellParams({ a: 'newer' }));
    assert.equal((await first).outcome, 'frozen');
    const { outcome, error } = await second;
    assert.deepEqual([outcome, error?.code], ['failed', 'ERR_CHANGE_FROZEN']);
  });

  it('P-14: changes that share a resource run in order, others side by side', async () => {
    const { world, process } = await started();
    const stop = new AbortController();
    const hanging = request(process, 1, cellParams({ a: '1' }, 'hangs'), { signal: stop.signal });
    const waiting = request(process, 2, cellParams({ a: '2', b: '2' }));
    const behind = request(process, 3, cellParams({ b: '3' }));
    const beside = await request(process, 4, cellParams({ c: '4' }));
    assert.equal(beside.outcome, 'committed', 'a hanging change does not delay the others');
    assert.equal(world.cells.has('/b'), false, 'nobody overtakes on a shared resource');
    stop.abort();
    const outcomes = (await Promise.all([hanging, waiting, behind])).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes, ['reverted', 'committed', 'committed']);
    assert.deepEqual(Object.fromEntries(world.cells), { '/a': '2', '/b': '3', '/c': '4' });
  });

  it('P-14: aborting stops between steps and reverts; a waiting change just fails', async () => {
    const { world, process } = await started();
    const stop = new AbortController();
    const hanging = request(process, 1, cellParams({ a: '1' }, 'hangs'), { signal: stop.signal });
    const waiting = request(process, 2, cellParams({ a: '2' }), { signal: stop.signal });
    while (!world.cells.has('/a')) await Promise.resolve();
    stop.abort(new Error('called off'));
    const [first, second] = await Promise.all([hanging, waiting]);
    assert.deepEqual([first.outcome, first.error?.code], ['reverted', 'ERR_CHANGE_ABORTED']);
    assert.deepEqual([second.outcome, second.error?.code], ['failed', 'ERR_CHANGE_ABORTED']);
    assert.equal(world.cells.size, 0);
  });

  it('P-14: the queue survives a restart of the daemon, in order, but not of the machine', async () => {
    for (const reboots of [false, true]) {
      const { world, process } = await started();
      const all = [
        request(process, 1, cellParams({ a: '1' }, 'hangs')),
        request(process, 2, cellParams({ a: '2' })),
        request(process, 3, cellParams({ a: '3' })),
      ];
      while (!world.cells.has('/a')) await Promise.resolve();
      process.kill();
      void Promise.allSettled(all); // they end with the process
      if (reboots) world.reboot();
      const { process: restarted } = await started(world);
      await restarted.engine.whenIdle();
      const records = (await restarted.engine.list(10)).toReversed();
      const expected = reboots ? ['reverted', 'failed', 'failed'] : ['reverted', 'committed', 'committed'];
      assert.deepEqual(
        records.map(({ outcome }) => outcome),
        expected,
      );
      assert.equal(world.cells.get('/a'), reboots ? undefined : '3');
      if (reboots) assert.equal(records[2]?.error?.code, 'ERR_CHANGE_STALE');
    }
  });

  it('P-17: a plan touches nothing and is never counted as a change', async () => {
    const { world, process } = await started();
    const steps = await process.engine.plan('cells.set', cellParams({ a: '1' }), never);
    assert.deepEqual(steps, [{ action: 'write /a' }]);
    assert.equal(world.cells.size, 0);
    assert.deepEqual(await process.engine.list(10), []);
    assert.equal(world.sealed.size, 0);
  });

  it('refuses unknown operations, bad parameters, bad ids and taken ids, before anything is written', async () => {
    const { world, process } = await started();
    await assert.rejects(request(process, 1, {}, { operation: 'no.such' }), has('ERR_CHANGE_OPERATION_UNKNOWN'));
    await assert.rejects(request(process, 1, { values: 'secret' }), has('ERR_INPUT_INVALID'));
    await assert.rejects(request(process, 1, { ...cellParams({}), extra: 1 }), has('ERR_INPUT_INVALID'));
    await assert.rejects(
      process.engine.request({ changeId: '../x', operation: 'cells.set', params: cellParams({}), meta: {} }, never),
      has('ERR_INPUT_INVALID'),
    );
    assert.deepEqual(await world.journal.listRecent(1), []);
    await request(process, 1, cellParams({ a: '1' }));
    await assert.rejects(request(process, 1, cellParams({ a: '2' })), has('ERR_CHANGE_CONFLICT'));
  });

  it('asking again with the same id is the same change, running or ended', async () => {
    const { world, process } = await started();
    const [first, twin] = await Promise.all([1, 1].map((n) => request(process, n, cellParams({ a: '1' }))));
    assert.deepEqual(first, twin);
    const again = await request(process, 1, cellParams({ a: '1' }));
    assert.equal(again.outcome, 'committed');
    assert.equal(world.sealed.size, 1);
  });

  it('a full queue refuses one more; a closed engine refuses all', async () => {
    const { process } = await started();
    const stop = new AbortController();
    const waiting = Array.from({ length: 256 }, (_, n) =>
      request(process, n + 1, cellParams({ a: String(n) }, 'hangs'), { signal: stop.signal }),
    );
    await assert.rejects(request(process, 300, cellParams({ b: '1' })), has('ERR_CHANGE_BUSY'));
    stop.abort();
    await Promise.all(waiting);
    await process.engine[Symbol.asyncDispose]();
    await assert.rejects(request(process, 301, cellParams({ b: '1' })), has('ERR_CHANGE_CLOSED'));
  });

  it('is not asked before it recovered', async () => {
    const process = new KillableWorld().start();
    await assert.rejects(request(process, 1, cellParams({ a: '1' })), TypeError);
  });

  it('a change the sealer could not take is offered again, with the same bundle id', async () => {
    const { world, process } = await started();
    let refusals = 1;
    const { sealed } = world;
    const set = sealed.set.bind(sealed);
    sealed.set = (bundleId, records) => {
      if (refusals-- > 0) throw new Error('evidence store is full');
      return set(bundleId, records);
    };
    const record = await request(process, 1, cellParams({ a: '1' }));
    assert.deepEqual([record.outcome, record.sealed, process.faults.length], ['committed', false, 1]);
    await process.engine.sealPending();
    assert.equal(sealed.get(record.bundleId)?.length, 1);
    assert.equal((await process.engine.get(record.changeId))?.sealed, true);
  });
});

describe('P-15: confirm-or-revert', () => {
  const tried = { operation: 'cells.try' };

  it('waits, holds its resources, and commits when confirmed', async () => {
    const { world, process } = await started();
    const record = await request(process, 1, cellParams({ a: '1' }), tried);
    assert.deepEqual(
      [record.state, record.outcome, record.confirmWithinMs],
      ['awaiting-confirmation', null, CONFIRM_WITHIN_MS],
    );
    const next = request(process, 2, cellParams({ a: '2' }));
    await Promise.resolve();
    assert.equal(world.cells.get('/a'), '1');
    const confirmed = await process.engine.confirm(record.changeId);
    assert.deepEqual([confirmed.outcome, confirmed.sealed, confirmed.confirmWithinMs], ['committed', true, null]);
    assert.equal((await next).outcome, 'committed');
    await assert.rejects(process.engine.confirm(record.changeId), has('ERR_CHANGE_STATE'));
    await assert.rejects(process.engine.revert(record.changeId), has('ERR_CHANGE_STATE'));
    await assert.rejects(process.engine.confirm(changeIdOf(9)), has('ERR_CHANGE_UNKNOWN'));
  });

  it('a millisecond before the deadline it can be confirmed, at the deadline it reverts', async () => {
    for (const [elapsedMs, outcome] of [
      [CONFIRM_WITHIN_MS - 1, 'committed'],
      [CONFIRM_WITHIN_MS, 'reverted'],
    ] as const) {
      const { world, process } = await started();
      const { changeId } = await request(process, 1, cellParams({ a: '1' }), tried);
      world.advance(elapsedMs);
      await process.engine.confirm(changeId).catch((error: unknown) => assert.ok(has('ERR_CHANGE_STATE')(error)));
      await process.engine.whenIdle();
      assert.equal((await process.engine.get(changeId))?.outcome, outcome);
      assert.equal(world.cells.has('/a'), outcome === 'committed');
    }
  });

  it('a late timer does not let a late confirmation through', async () => {
    const { world, process } = await started();
    const { changeId } = await request(process, 1, cellParams({ a: '1' }), tried);
    world.monotonicMs += CONFIRM_WITHIN_MS; // no timer fires
    await assert.rejects(process.engine.confirm(changeId), has('ERR_CHANGE_STATE'));
    const record = await process.engine.get(changeId);
    assert.deepEqual([record?.outcome, record?.error?.code], ['reverted', 'ERR_CHANGE_NOT_CONFIRMED']);
  });

  const restarts = [
    {
      name: 'a restart of the daemon with time left goes on waiting',
      elapsedMs: 1_000,
      reboots: false,
      state: 'awaiting-confirmation',
    },
    { name: 'a restart after the deadline reverts', elapsedMs: CONFIRM_WITHIN_MS, reboots: false, state: 'ended' },
    {
      name: 'a restart of the machine reverts, however much time is left',
      elapsedMs: 0,
      reboots: true,
      state: 'ended',
    },
  ] as const;
  for (const { name, elapsedMs, reboots, state } of restarts) {
    it(name, async () => {
      const { world, process } = await started();
      const { changeId } = await request(process, 1, cellParams({ a: '1' }), tried);
      process.kill();
      if (reboots) world.reboot();
      world.monotonicMs += elapsedMs;
      const { process: restarted } = await started(world);
      assert.equal((await restarted.engine.get(changeId))?.state, state);
      if (state === 'ended') {
        assert.equal(world.cells.size, 0);
        return;
      }
      assert.equal((await restarted.engine.get(changeId))?.confirmWithinMs, CONFIRM_WITHIN_MS - elapsedMs);
      const behind = request(restarted, 2, cellParams({ a: '2' }));
      world.advance(CONFIRM_WITHIN_MS - elapsedMs);
      assert.equal((await behind).outcome, 'committed');
      assert.equal((await restarted.engine.get(changeId))?.outcome, 'reverted');
    });
  }

  it('what somebody else changed while the daemon was away is not confirmed blindly', async () => {
    const { world, process } = await started();
    const { changeId } = await request(process, 1, cellParams({ a: '1' }), tried);
    process.kill();
    world.cells.set('/a', 'by another hand');
    const { process: restarted } = await started(world);
    const record = await restarted.engine.get(changeId);
    assert.deepEqual([record?.outcome, record?.error?.code], ['reverted', 'ERR_CHANGE_NOT_VERIFIED']);
  });
});
