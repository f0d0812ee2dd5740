import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assess } from '../src/verdict/assess.ts';
import { nextSteps } from '../src/verdict/next-steps.ts';
import { DAY_MS } from '../src/verdict/calendar.ts';
import { FIXED, goStory, SOURCE, Story } from './story.ts';

const stepsOf = (story: Story, laterMs = 0, candidate = SOURCE): string[] => {
  const assessment = assess({
    records: story.records,
    current: null,
    candidate,
    nowMs: story.nowMs + laterMs,
  });
  return nextSteps(story.gate, assessment).map(
    ({ who, due, command }) => `${who.join('|')} ${due ?? 'now'}: ${command ?? ''}`,
  );
};

describe('nextSteps', () => {
  it('R-14: what nobody reviewed is submitted and reviewed before a verdict', () => {
    assert.deepEqual(stepsOf(goStory().milestone(FIXED), 0, FIXED), ['ann now: holdfast gate reopen b --reason "…"']);
  });

  const cases: { name: string; story: () => Story; laterMs?: number; want: string[] }[] = [
    {
      name: 'R-05: independent packets can start at the same time',
      story: () => new Story().freeze().carry('00'),
      want: ['ann now: holdfast gate start a', 'ann now: holdfast gate start b'],
    },
    {
      name: 'R-04: what was started is run, and what was run is submitted',
      story: () => {
        const story = new Story().freeze().carry('00').carry('b').move('a', 'start');
        story.run({ command: 'unit', packet: 'a' });
        return story;
      },
      want: ['ann now: holdfast gate submit a'],
    },
    {
      name: 'R-19: when all is good, an issuer issues the verdict',
      story: () => goStory(),
      want: ['dan now: holdfast gate verdict'],
    },
    {
      name: 'R-08: expired evidence of approved packets is asked for again, of both who gave it',
      story: () => goStory(),
      laterMs: 8 * DAY_MS,
      want: [
        'ann now: holdfast gate run a',
        'bob now: holdfast gate run a',
        'ann now: holdfast gate run b',
        'bob now: holdfast gate run b',
        'anybody now: holdfast gate run --milestone',
      ],
    },
    {
      name: 'R-18: an open risk asks its owner until its date',
      story: () => {
        const story = new Story().freeze();
        const risk = { text: 'the bank moves', owner: 'bob', due: '2026-04-01', status: 'open', waivers: 0 } as const;
        story.add('residual-risk', 'cleo', { id: 'RISK-1', ...risk });
        return story;
      },
      want: ['ann now: holdfast gate submit 00', 'bob 2026-04-01: holdfast gate risk close RISK-1'],
    },
  ];
  for (const { name, story, laterMs, want } of cases) it(name, () => assert.deepEqual(stepsOf(story(), laterMs), want));
});
