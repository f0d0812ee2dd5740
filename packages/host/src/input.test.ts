import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';

import { hasToken, parseHostPath, parseLogLine, parseLogToken, parseMode, parseUnitName } from './input.ts';

const table: { parse: (text: string) => unknown; good: string[]; bad: string[] }[] = [
  {
    parse: parseHostPath,
    good: ['/', '/a', '/a/b.c', '/a/..b', `/${'a'.repeat(4_094)}`],
    bad: ['', 'a', './a', '//', '/a/', '/a//b', '/.', '/..', '/a/../b', '/a\0', `/${'a'.repeat(4_095)}`],
  },
  { parse: parseMode, good: ['0000', '0644', '7777'], bad: ['', '644', '00644', '0888', '-644', ' 0644'] },
  {
    parse: parseUnitName,
    good: [
      'ssh.service',
      'getty@tty1.service',
      'systemd-journald.socket',
      'dev-disk-by\\x2duuid.mount',
      `${'a'.repeat(247)}.service`,
    ],
    bad: [
      '',
      'ssh',
      '.service\n',
      '*.service',
      'a[b].service',
      '--all.service',
      '-.mount',
      '../a.service',
      'a b.service',
      'a/b.service',
      `${'a'.repeat(248)}.service`,
    ],
  },
  { parse: parseLogLine, good: ['a', '--help', 'x'.repeat(1_024)], bad: ['', 'a\nb', 'a\0', 'ä', 'x'.repeat(1_025)] },
  { parse: parseLogToken, good: ['a', 'x'.repeat(128)], bad: ['', 'a b', 'a\n', 'x'.repeat(129)] },
];

for (const { parse, good, bad } of table) {
  describe(parse.name, () => {
    for (const text of good)
      it(`C-01: takes ${JSON.stringify(text.slice(0, 40))}`, () => assert.doesNotThrow(() => parse(text)));
    for (const text of bad) {
      it(`C-01: refuses ${JSON.stringify(text.slice(0, 40))} of ${text.length}`, () =>
        assert.throws(
          () => parse(text),
          (error) => hasCode(error, 'ERR_INPUT_INVALID'),
        ));
    }
  });
}

it('a token is a word of its own', () => {
  assert.equal(hasToken('canary abc', 'abc'), true);
  assert.equal(hasToken('canary abcd', 'abc'), false);
});
