/**
 * P-12, P-14, P-15: any history of requests, confirmations, passing time, kills and restarts leaves
 * the host as the journal's committed changes, taken in order, make it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { changeIdOf } from '../src/conformance/index.ts';
import { cellParams, CONFIRM_WITHIN_MS, type KillableProcess, KillableWorld } from './killable-world.ts';

const never = new AbortController().signal;

type Event =
  | {
      kind: 'request';
      operation: 'cells.set' | 'cells.try';
      cells: string[];
      flaw: 'none' | 'verify-fails' | 'apply-throws';
      waits: boolean;
    }
  | { kind: 'confirm' | 'revert'; pick: number }
  | { kind: 'pass'; ms: number }
  | { kind: 'kill'; reboots: boolean; nextKill: { at: number; after: boolean } | null };

const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('request' as const),
      operation: fc.constantFrom('cells.set' as const, 'cells.try' as const),
      cells: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 }),
      flaw: fc.constantFrom('none' as const, 'none' as const, 'verify-fails' as const, 'apply-throws' as const),
      waits: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('confirm' as const, 'revert' as const), pick: fc.nat(3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1, CONFIRM_WITHIN_MS / 2, CONFIRM_WITHIN_MS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      reboots: fc.boolean(),
      nextKill: fc.option(fc.record({ at: fc.integer({ min: 1, max: 40 }), after: fc.boolean() })),
    }),
  },
);

async function restart(world: KillableWorld, kill: { at: number; after: boolean } | null): Promise<KillableProcess> {
  for (const attempt of [kill, null]) {
    const process = world.start(attempt);
    try {
      await process.engine.recover(never);
      return process;
    } catch (error) {
      assert.ok(process.isDead, String(error)); // killed while it recovered
    }
  }
  throw new Error('a process that nobody kills recovers');
}

const byPath = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);

async function assertWorldIsAsJournaled(world: KillableWorld): Promise<void> {
  const wanted = new Map<string, string>();
  for (const entry of (await world.journal.listRecent(1_000)).toReversed()) {
    assert.ok(entry.state === 'ended' || entry.state === 'awaiting-confirmation', entry.state);
    if (entry.state === 'ended') {
      assert.equal(entry.sealed, true);
      for (const record of world.sealed.get(entry.bundleId) ?? []) assert.equal(record.outcome, entry.outcome);
      assert.ok((world.sealed.get(entry.bundleId)?.length ?? 0) > 0);
    }
    const holds = entry.outcome === 'committed' || entry.state === 'awaiting-confirmation';
    if (!holds) continue;
    for (const [cell, value] of Object.entries(entry.params['values'] ?? {})) wanted.set(`/${cell}`, String(value));
  }
  assert.deepEqual([...world.cells].toSorted(byPath), [...wanted].toSorted(byPath));
}

async function play(history: readonly Event[]): Promise<void> {
  const world = new KillableWorld();
  let process = await restart(world, null);
  let requests = 0;
  for (const event of history) {
    if (event.kind === 'request') {
      requests += 1;
      const values = Object.fromEntries(event.cells.map((cell) => [cell, `value ${requests}`]));
      const { operation, flaw } = event;
      const request = { changeId: changeIdOf(requests), operation, params: cellParams(values, flaw), meta: {} };
      void process.engine.request(request, never).catch(() => undefined); // the journal has the truth
      // One that waits for a confirmation of another must not be waited for here.
      if (event.waits) for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
    } else if (event.kind === 'pass') {
      world.advance(event.ms);
    } else if (event.kind === 'kill') {
      process.kill();
      if (event.reboots) world.reboot();
      process = await restart(world, event.nextKill);
    } else {
      const waiting = (await process.engine.list(100)).filter(({ state }) => state === 'awaiting-confirmation');
      const picked = waiting[event.pick % Math.max(1, waiting.length)];
      if (picked !== undefined) await process.engine[event.kind](picked.changeId).catch(() => undefined);
    }
  }
  process.kill();
  process = await restart(world, null);
  // Whatever waits for a confirmation, or behind one, gets its end when the time is over.
  for (let round = 0; round <= requests; round += 1) {
    for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
    world.advance(CONFIRM_WITHIN_MS);
  }
  await process.engine.whenIdle();
  await process.engine.sealPending();
  await assertWorldIsAsJournaled(world);
  assert.deepEqual(process.faults, []);
}

describe('ChangeEngine, any history', () => {
  it('P-12: the host is what the committed changes make of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(events, { maxLength: 25 }), (history) => play(history)),
      { numRuns: 400 },
    );
  });
});
