/**
 * That a layer may be claimed because the launcher's steps succeeded: whichever step does not give
 * what is expected, the command never runs, although its job is already there to be read.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { needs } from '@holdfast/testing';
import type { Step } from '../../src/launcher/job-table.ts';
import { setUpSteps } from '../../src/plan-job.ts';
import { compileTestProfile, runInSlot } from './run-slot.ts';

/** No step here has this result. */
const IMPOSSIBLE = 0x7fff_fff0;
const NO_DESCRIPTOR = 999;

async function refusal(t: TestContext, at: number, change: (step: Step) => Step): Promise<string | null> {
  const { stdout, report, failedStep } = await runInSlot(t, ['/usr/bin/echo', 'RAN'], {
    tamper: ({ child, parent }) => ({
      child: child.map((step, index) => (index === at ? change(step) : step)),
      parent,
    }),
  });
  assert.equal(stdout, '');
  assert.notEqual(report?.ended?.exitCode, 0);
  return failedStep;
}

describe('a step that fails', needs('root', 'bubblewrap'), () => {
  const { child } = setUpSteps(compileTestProfile(), true);
  const places = new Map(child.map(({ name }, at) => [name, at] as const));
  // One signal stands for all of them; the fork has no single result; the last is the wait for the job.
  const names = [...places.keys()].filter((name) => !/^signal (?!1$)\d|^fork$|^job$/.test(name));

  it('X-04: never lets the command run, whichever it is, and is named', async (t) => {
    assert.ok(names.length > 20);
    for (const name of names) {
      const failed = await refusal(t, places.get(name) ?? -1, (step) => ({ ...step, expect: IMPOSSIBLE }));
      assert.equal(failed, name);
    }
  });

  /** One for each kind of call, refused by the kernel itself: the step, and arguments it does not take. */
  const refused: { step: string | RegExp; args: (step: Step) => Step['args'] }[] = [
    { step: /^mount: \/proc$/, args: ({ args }) => [NO_DESCRIPTOR, ...args.slice(1, 2), 0, 0, 0] },
    { step: 'capabilities', args: () => [0, 0] },
    { step: 'no new privileges', args: () => [38, 2, 0, 0, 0] },
    { step: 'limit CPU', args: ({ args }) => [0, 99, ...args.slice(2)] },
    { step: /^landlock.*(restrict|enforce)/i, args: ({ args }) => [NO_DESCRIPTOR, ...args.slice(1)] },
    { step: 'seccomp', args: () => [1, 0, 0] },
  ];
  for (const { step: wanted, args } of refused) {
    it(`X-04: never lets the command run when the kernel refuses ${String(wanted)}`, async (t) => {
      const name = [...places.keys()].find((one) => (typeof wanted === 'string' ? one === wanted : wanted.test(one)));
      assert.ok(name, [...places.keys()].join('; '));
      assert.equal(await refusal(t, places.get(name) ?? -1, (step) => ({ ...step, args: args(step) })), name);
    });
  }
});
