import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { matchesTestPattern } from './test-pattern.ts';

describe('matchesTestPattern', () => {
  const cases: { pattern: string; id: string; matches: boolean }[] = [
    { pattern: 'a > b', id: 'a > b', matches: true },
    { pattern: 'a > b', id: 'a > b2', matches: false },
    { pattern: '*', id: '', matches: true },
    { pattern: 'ab*ba', id: 'aba', matches: false },
    { pattern: 'ab*ba', id: 'abba', matches: true },
    { pattern: 'a*b*c', id: 'a b b c', matches: true },
    { pattern: 'a*bc*c', id: 'abc', matches: false },
    { pattern: 'a.b', id: 'axb', matches: false },
    { pattern: '', id: 'a', matches: false },
  ];
  for (const { pattern, id, matches } of cases) {
    it(`R-06: ${pattern} ${matches ? 'selects' : 'does not select'} "${id}"`, () =>
      assert.equal(matchesTestPattern(pattern, id), matches));
  }

  it('R-06: selects what the same pattern does as a regular expression', () => {
    const piece = fc.stringMatching(/^[ab*.]{0,8}$/);
    fc.assert(
      fc.property(piece, fc.stringMatching(/^[ab.]{0,10}$/), (pattern, id) => {
        const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        assert.equal(matchesTestPattern(pattern, id), expression.test(id));
      }),
    );
  });
});
