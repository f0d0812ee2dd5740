import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';

import { fingerprintOf } from './fingerprint.ts';
import { isExpired, parseSuppressions } from './suppressions.ts';

const FINGERPRINT = 'ab'.repeat(32);
const entry = (text: string): string => `format: holdfast-secrets/v1\nsuppressions:\n  - ${text}\n`;
const good = `fingerprint: ${FINGERPRINT}\n    reason: a key made for tests\n    owner: ada`;

describe('R-24: the file of suppressions', () => {
  it('an entry is an exact fingerprint with reason and owner', () => {
    assert.deepEqual(parseSuppressions(entry(good)), [
      { fingerprint: FINGERPRINT, reason: 'a key made for tests', owner: 'ada' },
    ]);
  });

  const refused: Record<string, string> = {
    'no reason': entry(`fingerprint: ${FINGERPRINT}\n    owner: ada`),
    'a reason that says nothing': entry(`fingerprint: ${FINGERPRINT}\n    reason: ok\n    owner: ada`),
    'no owner': entry(`fingerprint: ${FINGERPRINT}\n    reason: a key made for tests`),
    'part of a fingerprint': entry(good.replace(FINGERPRINT, FINGERPRINT.slice(0, 12))),
    'a pattern': entry('path: "test/**"\n    reason: a key made for tests\n    owner: ada'),
    'the same twice': `${entry(good)}  - ${good}\n`,
    'a day that does not exist': entry(`${good}\n    expires: 2026-02-30`),
    'another format': 'format: holdfast-secrets/v2\nsuppressions: []\n',
    'no YAML': 'format: [',
    empty: '',
    aliases: `format: holdfast-secrets/v1\nsuppressions: [&a {fingerprint: ${FINGERPRINT}, reason: "a key made for tests", owner: ada}, *a]\n`,
  };
  for (const [name, text] of Object.entries(refused)) {
    it(`refuses: ${name}`, () => {
      assert.throws(
        () => parseSuppressions(text),
        (error) => hasCode(error, 'ERR_SCAN_INPUT'),
      );
    });
  }

  it('ends after its last day, in UTC', () => {
    const [one] = parseSuppressions(entry(`${good}\n    expires: 2026-06-01`));
    assert.equal(isExpired(one!, Date.UTC(2026, 5, 1, 23, 59, 59, 999)), false);
    assert.equal(isExpired(one!, Date.UTC(2026, 5, 2)), true);
  });
});

describe('R-24: fingerprints', () => {
  const chosen = { id: 'url-password', title: '', chosen: true };
  const issued = { id: 'github-token', title: '', chosen: false };

  it('of a guessable secret leave many candidates', () => {
    const words = Array.from({ length: 300_000 }, (_, index) => `word${index}`);
    const target = fingerprintOf({ rule: chosen, secret: 'word7' }, 'a');
    const fitting = words.filter((secret) => fingerprintOf({ rule: chosen, secret }, 'a') === target);
    assert.ok(fitting.length > 1);
  });

  it('differ by rule, path and secret', () => {
    const names = [
      fingerprintOf({ rule: issued, secret: 'x' }, 'a'),
      fingerprintOf({ rule: issued, secret: 'y' }, 'a'),
      fingerprintOf({ rule: issued, secret: 'x' }, 'b'),
      fingerprintOf({ rule: chosen, secret: 'x' }, 'a'),
    ];
    assert.equal(new Set(names).size, names.length);
  });
});
