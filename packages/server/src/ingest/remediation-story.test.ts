import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { type RemediationState, type StoryStep, tellStory } from './remediation-story.ts';

/** `state@second` is progress, `state@second=bundle` evidence. */
function parseSteps(text: string): StoryStep[] {
  return text.split(' ').map((word) => {
    const [, state, at, bundle] = /^(\w+)@([\d.]+)(?:=(\w+))?$/.exec(word) ?? [];
    return { state: state as RemediationState, at: new Date(Number(at) * 1_000), bundleId: bundle ?? null };
  });
}
const formatStory = (steps: readonly StoryStep[]): string =>
  tellStory(steps)
    .map(({ state, bundleId }) => (bundleId === null ? state : `${state}=${bundleId}`))
    .join(' ');

const cases: { name: string; heard: string; told: string }[] = [
  {
    name: 'progress and evidence of one state are one stop',
    heard: 'detected@1=d detected@1.1 applying@1.2 verifying@1.3=c verifying@1.4 fixed@1.5=p fixed@1.6',
    told: 'detected=d applying=c verifying=c fixed=p',
  },
  {
    name: 'a confirmed change: the look that passed was taken before the confirmation, and ends the story',
    heard: 'detected@1=d applying@2 verifying@3 fixed@4=p confirming@4.1 verifying@4.2=c fixed@4.3',
    told: 'detected=d applying=c verifying=c confirming=c fixed=p',
  },
  {
    name: 'a drift that waits for a person stays an alert however often it is seen again',
    heard: 'detected@1=d detected@1.1 alert@1.2 detected@11=e detected@21=f detected@31=g',
    told: 'detected=d alert',
  },
  {
    name: 'a person put it right',
    heard: 'detected@1=d alert@2 detected@11=e fixed@21=p fixed@21.1',
    told: 'detected=d alert fixed=p',
  },
  {
    name: 'a second attempt follows a reverted one',
    heard:
      'detected@1=d applying@2 verifying@3 reverted@4=r reverted@4.1 applying@9 verifying@10 verifying@10.1=c fixed@11=p',
    told: 'detected=d applying=r verifying=r reverted=r applying=c verifying=c fixed=p',
  },
  {
    name: 'a committed change is not yet fixed',
    heard: 'detected@1=d applying@2 verifying@3=c',
    told: 'detected=d applying=c verifying=c',
  },
  {
    name: 'what evidence proved is not undone by progress',
    heard: 'detected@1=d fixed@2=p failed@3 applying@4',
    told: 'detected=d fixed=p',
  },
  {
    name: 'a proven revert is not made a fix by progress',
    heard: 'detected@1=d applying@2 reverted@3=r fixed@4',
    told: 'detected=d applying=r reverted=r',
  },
  {
    name: 'seen again after a proven fix, the fix did not hold',
    heard: 'detected@1=d fixed@2=p detected@3=e',
    told: 'detected=d fixed=p failed=e',
  },
  {
    name: 'evidence alone tells it too',
    heard: 'detected@1=d verifying@2=c fixed@3=p',
    told: 'detected=d verifying=c fixed=p',
  },
  {
    name: 'progress alone is told without proof',
    heard: 'detected@1 applying@2 verifying@3 fixed@4',
    told: 'detected applying verifying fixed',
  },
  {
    name: 'the change proves a confirmation whose verification was not heard',
    heard: 'detected@1=d applying@2 confirming@3 verifying@4=c',
    told: 'detected=d applying=c confirming=c',
  },
  {
    name: 'waiting for the window',
    heard: 'detected@1=d waiting@2 deferred@3=x applying@9 verifying@10=c fixed@11=p',
    told: 'detected=d waiting deferred=x applying=c verifying=c fixed=p',
  },
];

describe('tellStory', () => {
  for (const { name, heard, told } of cases) {
    it(`W-04: ${name}`, () => assert.equal(formatStory(parseSteps(heard)), told));
  }

  const step = fc.record({
    state: fc.constantFrom<RemediationState>(
      'detected',
      'waiting',
      'deferred',
      'applying',
      'verifying',
      'confirming',
      'fixed',
      'reverted',
      'failed',
      'alert',
    ),
    at: fc.integer({ min: 0, max: 20 }).map((second) => new Date(second * 1_000)),
    bundleId: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
  });

  it('W-04: the order of arrival and what arrives twice make no difference', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        (steps, keys) => {
          const shuffled = steps
            .map((one, index) => ({ one, key: keys[index] ?? 0 }))
            .toSorted((a, b) => a.key - b.key)
            .map(({ one }) => one);
          assert.deepEqual(tellStory([...shuffled, ...shuffled]), tellStory(steps));
        },
      ),
    );
  });

  it('W-04: no state follows itself, time never runs backwards, and nothing heard is something told', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const story = tellStory(steps);
        assert.ok(story.length > 0);
        for (const [index, { state, at }] of story.entries()) {
          const before = story[index - 1];
          assert.notEqual(state, before?.state);
          assert.ok(before === undefined || before.at <= at);
        }
      }),
    );
    assert.deepEqual(tellStory([]), []);
  });
});
