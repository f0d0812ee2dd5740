import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MEANINGS, planStops, type RemediationState } from './plan-stops.ts';

const historyOf = (text: string) =>
  text.split(' ').map((word, second) => {
    const [state, bundleId] = word.split('=');
    return { state: state as RemediationState, at: new Date(second * 1_000).toISOString(), bundleId: bundleId ?? null };
  });
/** Past plain, present in brackets, ahead with a question mark. */
const format = (text: string): string =>
  planStops({ history: historyOf(text) })
    .stops.map(({ state, place }) => (place === 'past' ? state : place === 'present' ? `[${state}]` : `${state}?`))
    .join(' ');

describe('planStops', () => {
  const cases: { name: string; history: string; stops: string }[] = [
    {
      name: 'what was just seen has everything before it',
      history: 'detected',
      stops: '[detected] applying? verifying? fixed?',
    },
    {
      name: 'waiting comes before the application',
      history: 'detected waiting',
      stops: 'detected [waiting] applying? verifying? fixed?',
    },
    {
      name: 'what is applied is next looked at',
      history: 'detected applying',
      stops: 'detected [applying] verifying? fixed?',
    },
    {
      name: 'a confirmation is the last thing before the end',
      history: 'detected applying verifying confirming',
      stops: 'detected applying verifying [confirming] fixed?',
    },
    {
      name: 'fixed is an end',
      history: 'detected applying verifying fixed',
      stops: 'detected applying verifying [fixed]',
    },
    { name: 'reverted is an end', history: 'detected applying reverted', stops: 'detected applying [reverted]' },
    { name: 'an alert promises nothing', history: 'detected alert', stops: 'detected [alert]' },
    {
      name: 'a state told twice is one stop',
      history: 'detected detected=e applying fixed=f fixed',
      stops: 'detected applying [fixed]',
    },
    {
      name: 'of many attempts the newest is shown',
      history: 'detected applying reverted applying failed applying verifying',
      stops: 'detected applying [verifying] fixed?',
    },
    {
      name: 'deferred again is before the application',
      history: 'detected applying verifying reverted deferred',
      stops: 'detected applying verifying reverted [deferred] applying? verifying? fixed?',
    },
  ];
  for (const { name, history, stops } of cases) it(`W-04: ${name}`, () => assert.equal(format(history), stops));

  it('W-04: a doubled state keeps its evidence, and attempts are counted', () => {
    const { stops, earlierAttempts } = planStops({
      history: historyOf('detected detected=e applying reverted applying fixed'),
    });
    assert.equal(stops[0]?.bundleId, 'e');
    assert.equal(earlierAttempts, 1);
    assert.deepEqual(planStops({ history: [] }), { stops: [], earlierAttempts: 0 });
  });

  it('W-04: every state has a meaning', () => assert.ok(Object.values(MEANINGS).every((text) => text.length > 0)));
});
