/** P-12: a change killed at every journal write and every host call, and again during recovery. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { changeIdOf } from '../src/conformance/index.ts';
import {
  cellParams,
  CONFIRM_WITHIN_MS,
  type Flaw,
  type Kill,
  type KillableProcess,
  KillableWorld,
} from './killable-world.ts';

const never = new AbortController().signal;
const BEFORE = { a: 'old a', b: 'old b' };
const AFTER = { a: 'new a', b: 'new b', c: 'new c' };

interface Scenario {
  readonly name: string;
  readonly operation: 'cells.set' | 'cells.try';
  readonly flaw: Flaw;
  /** What the caller does after `request` resolved. */
  readonly afterwards?: (process: KillableProcess, world: KillableWorld) => Promise<unknown>;
  readonly restart: 'same boot' | 'reboot' | 'too late';
  readonly outcomes: readonly string[];
}

const confirm = (process: KillableProcess): Promise<unknown> => process.engine.confirm(changeIdOf(1));
const revert = (process: KillableProcess): Promise<unknown> => process.engine.revert(changeIdOf(1));
const expire = async (process: KillableProcess, world: KillableWorld): Promise<void> => {
  world.advance(CONFIRM_WITHIN_MS);
  await process.engine.whenIdle();
};

const either = ['committed', 'reverted'] as const;
const scenarios: readonly Scenario[] = [
  { name: 'a good change', operation: 'cells.set', flaw: 'none', restart: 'same boot', outcomes: either },
  {
    name: 'a good change, rebooted',
    operation: 'cells.set',
    flaw: 'none',
    restart: 'reboot',
    outcomes: [...either, 'failed'],
  },
  {
    name: 'a change that does not verify',
    operation: 'cells.set',
    flaw: 'verify-fails',
    restart: 'same boot',
    outcomes: ['reverted'],
  },
  {
    name: 'a change that throws',
    operation: 'cells.set',
    flaw: 'apply-throws',
    restart: 'same boot',
    outcomes: ['reverted'],
  },
  {
    name: 'a confirmed change',
    operation: 'cells.try',
    flaw: 'none',
    afterwards: confirm,
    restart: 'too late',
    outcomes: either,
  },
  {
    name: 'a confirmed change, rebooted',
    operation: 'cells.try',
    flaw: 'none',
    afterwards: confirm,
    restart: 'reboot',
    outcomes: [...either, 'failed'],
  },
  {
    name: 'a change nobody confirms',
    operation: 'cells.try',
    flaw: 'none',
    afterwards: expire,
    restart: 'same boot',
    outcomes: ['reverted'],
  },
  {
    name: 'a change reverted by hand',
    operation: 'cells.try',
    flaw: 'none',
    afterwards: revert,
    restart: 'reboot',
    outcomes: ['reverted', 'failed'],
  },
];

/** Runs the scenario in a process that dies as `kill` says; true when it got to the end instead. */
async function runUntilKilled(world: KillableWorld, scenario: Scenario, kill: Kill | null): Promise<KillableProcess> {
  const process = world.start(kill);
  const { operation, flaw } = scenario;
  try {
    await process.engine.recover(never);
    await process.engine.request(
      { changeId: changeIdOf(1), operation, params: cellParams(AFTER, flaw), meta: {} },
      never,
    );
    await scenario.afterwards?.(process, world);
  } catch (error) {
    assert.ok(process.isDead, String(error));
  }
  return process;
}

async function recoverUntilKilled(world: KillableWorld, kill: Kill | null): Promise<KillableProcess> {
  const process = world.start(kill);
  try {
    await process.engine.recover(never);
    await process.engine.whenIdle();
    // What still awaits confirmation does so with time left: let it pass.
    world.advance(CONFIRM_WITHIN_MS);
    await process.engine.whenIdle();
    await process.engine.sealPending();
  } catch (error) {
    assert.ok(process.isDead, String(error));
  }
  return process;
}

function newWorld(): KillableWorld {
  const world = new KillableWorld();
  for (const [cell, value] of Object.entries(BEFORE)) world.cells.set(`/${cell}`, value);
  return world;
}

function passTime(world: KillableWorld, restart: Scenario['restart']): void {
  if (restart === 'reboot') world.reboot();
  if (restart === 'too late') world.advance(CONFIRM_WITHIN_MS);
}

async function assertWhole(world: KillableWorld, scenario: Scenario, where: string): Promise<void> {
  const [entry, ...others] = await world.journal.listRecent(10);
  assert.equal(others.length, 0, where);
  const cells = Object.fromEntries([...world.cells].map(([path, value]) => [path.slice(1), value]));
  if (entry === undefined) {
    assert.deepEqual(cells, BEFORE, where); // killed before the intent was durable
    return;
  }
  assert.equal(entry.state, 'ended', where);
  assert.ok(entry.sealed, `${where}: sealed`);
  assert.ok(scenario.outcomes.includes(entry.outcome ?? ''), `${where}: ${entry.outcome}`);
  assert.deepEqual(cells, entry.outcome === 'committed' ? AFTER : BEFORE, `${where}: ${entry.outcome}`);
  assert.equal(entry.captured, null, `${where}: captured state is erased`);
  assert.deepEqual([...world.sealed.keys()], [entry.bundleId], `${where}: one bundle`);
  for (const record of world.sealed.get(entry.bundleId) ?? []) assert.equal(record.outcome, entry.outcome, where);
}

for (const scenario of scenarios) {
  describe(`P-12: killed anywhere: ${scenario.name}`, () => {
    it('ends committed or reverted after one restart, and after a restart that was killed anywhere too', async () => {
      const clean = newWorld();
      const whole = await runUntilKilled(clean, scenario, null);
      await recoverUntilKilled(clean, null);
      await assertWhole(clean, scenario, 'not killed');
      let rounds = 0;
      for (let at = 1; at <= whole.calls.length; at += 1) {
        for (const after of [false, true]) {
          const first = { at, after };
          for (let again = 1; ; again += 1) {
            const world = newWorld();
            const killed = await runUntilKilled(world, scenario, first);
            assert.ok(killed.isDead, `call ${at} is made`);
            passTime(world, scenario.restart);
            // What is durable after one call is what is durable before the next: here one of them will do.
            const recovering = await recoverUntilKilled(world, { at: again, after: false });
            const where = `${whole.calls[at - 1]} ${after ? 'after' : 'before'}, then ${recovering.calls.at(-1)}`;
            if (recovering.isDead) await recoverUntilKilled(world, null);
            await assertWhole(world, scenario, where);
            rounds += 1;
            if (!recovering.isDead) break; // every call of the recovery has been killed once
          }
        }
      }
      assert.ok(rounds > 100, `${rounds} rounds`);
    });
  });
}

describe('P-12: one failing journal write', () => {
  it('never leaves the host and the journal apart', async () => {
    for (const scenario of scenarios.filter(({ restart }) => restart !== 'reboot')) {
      for (let write = 1; write <= 8; write += 1) {
        const world = newWorld();
        const process = world.start();
        process.failJournalWrite = write;
        const { operation, flaw } = scenario;
        const params = cellParams(AFTER, flaw);
        await process.engine.recover(never);
        await process.engine
          .request({ changeId: changeIdOf(1), operation, params, meta: {} }, never)
          .then(() => scenario.afterwards?.(process, world))
          .catch(() => undefined); // whether the caller saw it is not the point here
        process.kill();
        passTime(world, scenario.restart);
        await recoverUntilKilled(world, null);
        const outcomes = [...scenario.outcomes, 'reverted'];
        await assertWhole(world, { ...scenario, outcomes }, `${scenario.name}, write ${write}`);
      }
    }
  });
});
