/**
 * Many runs, some of them killed at random points, after which the machine is as it was:
 * HOLDFAST_SOAK_RUNS and HOLDFAST_SOAK_KILLS say how many.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { it } from 'node:test';
import { needs } from '@holdfast/testing';
import type { SandboxRun } from '../../src/index.ts';
import {
  childrenOf,
  descriptorsOf,
  DIRECTORY,
  groupsOf,
  memoryOf,
  mounts,
  openHere,
  shell,
  testProfile,
  until,
} from './machine.ts';

const { signal } = new AbortController();
const RUNS = Number(process.env['HOLDFAST_SOAK_RUNS'] ?? 300);
const KILLS = Number(process.env['HOLDFAST_SOAK_KILLS'] ?? 60);
const AT_ONCE = 6;
/** Before the first look: pools, compiled profiles and the heap have their size by then. */
const WARM_UP = 60;
const MAX_GROWTH_BYTES = 48 * 1_024 * 1_024;

it(
  `X-07: ${RUNS} runs, ${KILLS} of them killed at random points, leave nothing`,
  needs('root', 'bubblewrap'),
  async (t) => {
    const before = { mounts: mounts(), files: readdirSync(DIRECTORY).length, children: childrenOf(process.pid) };
    const descriptorsBefore = descriptorsOf(process.pid);
    const job = shell('echo a; (setsid sleep 30 &); /bin/true & wait; cat');
    let [done, killed, settled] = [0, 0, { descriptors: 0, bytes: 0 }];
    {
      await using here = await openHere();
      await here.client.warm(testProfile(), 2, signal);
      const burst = async (): Promise<void> => {
        const runs: SandboxRun[] = await Promise.all(
          Array.from({ length: AT_ONCE }, () => here.client.start(job, signal)),
        );
        for (const run of runs) {
          if (done++ % Math.max(1, Math.floor(RUNS / KILLS)) !== 0) void run.end();
          else {
            killed += 1;
            setTimeout(() => run.kill(), Math.random() * 15);
          }
        }
        const results = await Promise.all(runs.map(({ result }) => result));
        for (const { endedBy, exitCode } of results) assert.ok(endedBy === 'abort' || exitCode === 0);
      };
      for (let bursts = 1; bursts <= Math.ceil(RUNS / AT_ONCE); bursts++) {
        await burst();
        if (bursts * AT_ONCE === WARM_UP) {
          settled = { descriptors: descriptorsOf(process.pid), bytes: memoryOf(process.pid, 'VmRSS') };
        }
      }
      const isSettled = (): boolean =>
        descriptorsOf(process.pid) <= settled.descriptors && groupsOf(process.pid).length <= 2 * 5;
      await until(isSettled, 'descriptors and groups are back to those of the waiting slots');
      const grown = memoryOf(process.pid, 'VmRSS') - settled.bytes;
      t.diagnostic(`${done} runs, ${killed} killed; memory ${grown} bytes more than after the first ${WARM_UP}`);
      assert.ok(grown < MAX_GROWTH_BYTES, `grew by ${grown} bytes`);
    }
    await until(() => groupsOf(process.pid).length === 0, 'groups gone');
    await until(() => descriptorsOf(process.pid) <= descriptorsBefore, 'descriptors closed');
    assert.deepEqual(
      { mounts: mounts(), files: readdirSync(DIRECTORY).length, children: childrenOf(process.pid) },
      before,
    );
  },
);
