import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { goStory, type Story } from './story.ts';
import { assessAt, at, issue, now, told } from './told.ts';

describe('assess: acceptances, conditions and risks', () => {
  it('R-19: an accepted P1 makes GO_WITH_CONDITIONS, with the condition', () => {
    const story = goStory();
    story.finding();
    story.accept();
    const assessment = now(story);
    assert.equal(told(assessment), 'GO_WITH_CONDITIONS condition-standing');
    assert.equal(assessment.conditions[0]?.status, 'standing');
    assert.equal(assessment.findings[0]?.status, 'accepted');
  });

  const refused: readonly { name: string; over: Parameters<Story['accept']>[0]; want: string }[] = [
    { name: 'for another release', over: { release: '0.9.0' }, want: 'acceptance-refused' },
    { name: 'by somebody who is no approver', over: { author: 'bob' }, want: 'acceptance-refused' },
    { name: 'by the implementer', over: { author: 'ann' }, want: 'acceptance-refused' },
    { name: 'for longer than the policy', over: { expires: '2026-06-01' }, want: 'acceptance-refused' },
    {
      name: 'with a control that nothing shows',
      over: { control: { text: 'c', command: 'nothing' } },
      want: 'acceptance-refused',
    },
    { name: 'that expired', over: { expires: '2026-03-01' }, want: 'acceptance-expired' },
    { name: 'waived three times in a row by one', over: { waivers: 3 }, want: 'acceptance-needs-second' },
  ];
  for (const { name, over, want } of refused)
    it(`R-17: an acceptance ${name} does not count`, () => {
      const story = goStory();
      story.finding();
      story.accept(over);
      assert.equal(told(now(story)), `NO_GO open-finding ${want}`);
    });

  it('R-17: the longest acceptance of the policy counts', () => {
    const story = goStory();
    story.finding();
    story.accept({ expires: '2026-05-31' });
    assert.equal(now(story).verdict, 'GO_WITH_CONDITIONS');
  });

  it('R-17: an acceptance from before the finding does not count', () => {
    const story = goStory();
    story.accept();
    story.finding();
    assert.equal(told(now(story)), 'NO_GO open-finding');
  });

  it('R-18: three waivers in a row, in the record or in the log, take two approvers; two do not', () => {
    const story = goStory();
    story.finding();
    for (let waived = 0; waived <= 2; waived++) story.accept();
    assert.equal(now(story).verdict, 'GO_WITH_CONDITIONS');
    story.accept();
    assert.equal(told(now(story)), 'NO_GO open-finding acceptance-needs-second');
    story.accept({ author: 'eve' });
    assert.equal(now(story).verdict, 'GO_WITH_CONDITIONS');
  });

  it('R-17: a P0 takes two different approvers and seven days at most', () => {
    const story = goStory();
    story.finding({ severity: 'P0' });
    story.review('a', { author: 'cleo' });
    story.accept({ expires: '2026-03-09' });
    story.accept({ expires: '2026-03-09' });
    assert.equal(told(now(story)), 'NO_GO open-finding acceptance-needs-second');
    story.accept({ author: 'eve', expires: '2026-03-10' });
    assert.equal(told(now(story)), 'NO_GO open-finding acceptance-needs-second');
    story.accept({ author: 'eve', expires: '2026-03-09' });
    assert.equal(told(now(story)), 'GO_WITH_CONDITIONS condition-standing');
    assert.deepEqual(now(story).conditions[0]?.approvers, ['cleo', 'eve']);
  });

  it('R-19: a condition lapses with the last millisecond of its day, and the verdict with it', () => {
    const story = goStory();
    story.finding();
    story.accept();
    issue(story);
    const before = assessAt(story, at('2026-03-05T23:59:59.999Z'));
    assert.deepEqual([before.verdict, before.standing], ['GO_WITH_CONDITIONS', 'GO_WITH_CONDITIONS']);
    const after = assessAt(story, at('2026-03-06T00:00:00.000Z'));
    assert.deepEqual([after.verdict, after.standing], ['NO_GO', 'NO_GO']);
    assert.deepEqual(
      after.standingReasons.map(({ code }) => code),
      ['condition-lapsed'],
    );
    assert.equal(after.conditions[0]?.status, 'lapsed');
  });

  it('R-19: an acceptance expires with its day', () => {
    const story = goStory();
    story.finding();
    story.accept({ condition: { id: 'C-1', text: 'x', command: 'unit', owner: 'ann', due: '2026-03-20' } });
    issue(story);
    assert.equal(assessAt(story, at('2026-03-06T23:59:59.999Z')).standing, 'GO_WITH_CONDITIONS');
    assert.equal(assessAt(story, at('2026-03-07T00:00:00.000Z')).standing, 'NO_GO');
  });

  it('R-19: one condition id for two findings is none', () => {
    const story = goStory();
    story.finding();
    story.finding({ id: 'F-2' });
    story.accept();
    story.accept({ finding: 'F-2' });
    assert.equal(told(now(story)), 'NO_GO condition-standing condition-id-reused');
  });

  const risk = {
    id: 'RISK-1',
    text: 'one region only',
    owner: 'ann',
    due: '2026-03-04',
    status: 'open',
    waivers: 0,
  } as const;

  it('R-18: an overdue residual risk makes the verdict stale, and the next one NO_GO', () => {
    const story = goStory();
    story.add('residual-risk', 'bob', risk);
    issue(story);
    assert.equal(assessAt(story, at('2026-03-04T23:59:59.999Z')).standing, 'GO');
    const after = assessAt(story, at('2026-03-05T00:00:00.000Z'));
    assert.deepEqual([after.standing, told(after)], ['STALE', 'NO_GO risk-overdue']);
    story.add('residual-risk', 'bob', { ...risk, status: 'closed' });
    assert.equal(assessAt(story, at('2026-03-05T00:00:00.000Z')).standing, 'GO');
  });

  it('R-18: a residual risk has an owner who can be reached', () => {
    const story = goStory();
    story.add('residual-risk', 'bob', { ...risk, owner: 'nobody' });
    assert.equal(told(now(story)), 'NO_GO risk-owner-unknown');
  });

  it('R-18: a date that was moved three times takes two approvers, whatever the record counts', () => {
    const story = goStory();
    for (const due of ['2026-03-04', '2026-03-05', '2026-03-06', '2026-03-07'])
      story.add('residual-risk', 'cleo', { ...risk, due });
    assert.equal(told(now(story)), 'NO_GO risk-waived-alone');
    story.add('residual-risk', 'eve', { ...risk, due: '2026-03-07' });
    assert.equal(told(now(story)), 'GO');
  });
});
