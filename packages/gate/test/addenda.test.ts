import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { FIXED, goStory, SHOP, SOURCE, type Story } from './story.ts';
import { assessAt, issue, now, secret, told } from './told.ts';

const conditional = (): Story => {
  const story = goStory();
  story.finding();
  story.accept();
  story.finding({ id: 'F-2' });
  const second = { id: 'C-2', text: 'the other', command: 'unit', owner: 'ann', due: '2026-03-05' };
  story.accept({ finding: 'F-2', condition: second });
  issue(story);
  return story;
};
const lift = (condition: string, run: string) => ({ condition, run, fix: 'corrected', commit: FIXED.commit });
const addTo = (story: Story, lifts: ReturnType<typeof lift>[], source = FIXED): void => {
  const verdict = story.records.findLast(({ kind }) => kind === 'gate-verdict')?.leaf ?? '';
  story.add('addendum', 'ann', { verdict, source, lifts });
};

describe('assess: verdicts and addenda', () => {
  it('R-21: an addendum lifts all conditions, and the verdict after it is GO; the earlier one stays readable', () => {
    const story = conditional();
    const run = story.run({ command: 'unit', role: 'milestone', source: FIXED });
    story.run({ command: 'secrets', role: 'milestone', source: FIXED });
    addTo(story, [lift('C-1', run), lift('C-2', run)]);
    assert.equal(told(now(story, FIXED)), 'NO_GO unreviewed-changes', 'R-14: nobody reviewed the fix');
    story.redo('b', FIXED);
    assert.equal(told(now(story, FIXED)), 'GO');
    issue(story, FIXED);
    const after = now(story, FIXED);
    assert.deepEqual(
      after.verdicts.map(({ verdict, addendum }) => `${verdict} ${addendum}`),
      ['GO_WITH_CONDITIONS false', 'GO true'],
    );
    assert.equal(after.standing, 'GO');
    assert.deepEqual(
      after.conditions.map(({ status }) => status),
      ['lifted', 'lifted'],
    );
  });

  it('R-21: an addendum names each condition', () => {
    const story = conditional().redo('b', FIXED).milestone(FIXED);
    const run = story.run({ command: 'unit', role: 'milestone', source: FIXED });
    addTo(story, [lift('C-1', run)]);
    assert.equal(told(now(story, FIXED)), 'NO_GO condition-standing addendum-incomplete');
  });

  it('R-21: a lift is shown by a run of the condition’s command, on the new sources, after the verdict', () => {
    const old = conditional();
    const wrong = [
      old.run({ command: 'unit', role: 'milestone' }),
      old.milestone(FIXED).run({ command: 'build', role: 'milestone', source: FIXED }),
      old.run({ command: 'unit', role: 'milestone', source: FIXED, run: { exitCode: 1 } }),
      old.id(),
    ];
    for (const run of wrong) {
      addTo(old, [lift('C-1', run), lift('C-2', run)]);
      assert.match(told(now(old, FIXED)), /addendum-run-invalid/);
    }
  });

  it('R-21: an addendum about other sources than the candidate does not serve', () => {
    const story = conditional();
    const run = story.run({ command: 'unit', role: 'milestone', source: FIXED });
    addTo(story, [lift('C-1', run), lift('C-2', run)]);
    assert.equal(told(now(story)), 'NO_GO addendum-other-source');
  });

  it('R-13: a verdict by an implementer, a reviewer or a person without the role does not count', () => {
    for (const author of ['ann', 'bob', 'cleo', 'eve']) {
      const story = goStory();
      issue(story, SOURCE, author);
      const { standing, verdicts, standingReasons } = now(story);
      assert.deepEqual([standing, verdicts], ['NONE', []]);
      assert.deepEqual(
        standingReasons.map(({ code }) => code),
        ['verdict-not-by-issuer'],
      );
    }
  });

  it('R-19: a later NO_GO supersedes', () => {
    const story = goStory();
    issue(story);
    assert.equal(now(story).standing, 'GO');
    story.finding();
    assert.equal(now(story).standing, 'STALE');
    issue(story);
    assert.equal(now(story).standing, 'NO_GO');
  });

  it('R-21: a verdict is stale for other sources, after a new freeze, and when its evidence expired', () => {
    const story = goStory();
    issue(story);
    assert.equal(now(story, FIXED).standing, 'STALE');
    assert.equal(assessAt(story, story.nowMs + 169 * 3_600_000).standing, 'STALE');
    story.freeze({ ...SHOP, operatorList: ['turn it on'] });
    assert.equal(now(story).standing, 'STALE');
  });

  it('R-34: nothing that goes wrong turns a worse verdict into GO', () => {
    const mishaps: readonly ((story: Story) => void)[] = [
      (story) => story.finding({ id: story.id(), severity: 'P1' }),
      (story) => story.finding({ id: story.id(), severity: 'P0', packet: null }),
      (story) => story.run({ command: 'unit', role: 'milestone', without: ['command-run'] }),
      (story) => story.run({ command: 'unit', role: 'milestone', run: { exitCode: 1 } }),
      (story) => story.run({ command: 'secrets', role: 'milestone', scan: { findings: [secret] } }),
      (story) => story.run({ command: 'unit', packet: 'a', session: { toolchain: [] } }),
      (story) => story.move('b', 'unblock'),
      (story) =>
        story.add('residual-risk', 'bob', {
          id: 'R',
          text: 't',
          owner: 'ann',
          due: '2026-03-01',
          status: 'open',
          waivers: 0,
        }),
      (story) => (story.nowMs += 200 * 3_600_000),
    ];
    fc.assert(
      fc.property(fc.array(fc.nat({ max: mishaps.length - 1 }), { minLength: 1, maxLength: 5 }), (chosen) => {
        const story = goStory();
        for (const each of chosen) {
          mishaps[each]?.(story);
          assert.equal(now(story).verdict, 'NO_GO');
        }
      }),
      { numRuns: 60 },
    );
  });
});
