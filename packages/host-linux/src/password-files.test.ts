import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  isExpired,
  isShadowLine,
  lockedLine,
  parsePasswd,
  parseShadow,
  passwordState,
  replaceShadowLine,
} from './password-files.ts';

const DAY_MS = 86_400_000;

describe('parsePasswd', () => {
  it('C-01: keeps every line, also a second root under another name', () => {
    const entries = parsePasswd('root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:\n');
    assert.deepEqual(entries, [
      { name: 'root', password: 'x', uid: 0, gid: 0, home: '/root', shell: '/bin/bash' },
      { name: 'toor', password: 'x', uid: 0, gid: 0, home: '/root', shell: '/bin/sh' },
    ]);
  });
  for (const line of [
    'root',
    'root:x:0',
    ':x:0:0::/:/bin/sh',
    'a:x:-1:0::/:/bin/sh',
    'a:x::0::/:/bin/sh',
    'a:x:4294967295:0::/:/bin/sh',
    'a:x:0x0:0::/:/bin/sh',
    'a:x:0:0::/:/bin/sh:more',
  ]) {
    it(`C-01: passes over no line it does not understand: ${line}`, () =>
      assert.equal(parsePasswd(`${line}\n`), undefined));
  }
});

describe('passwordState', () => {
  const cases: [string | undefined, string][] = [
    [undefined, 'unknown'],
    ['', 'empty'],
    ['!', 'locked'],
    ['!!', 'locked'],
    ['*', 'locked'],
    ['!$6$salt$hash', 'locked'],
    ['$6$salt$hash', 'set'],
    ['$y$j9T$salt$hash', 'set'],
    ['abcdefghijklm', 'set'],
    ['abcdefghijkl', 'unknown'],
    ['x', 'unknown'],
    ['$6', 'unknown'],
  ];
  for (const [field, want] of cases)
    it(`C-01: ${JSON.stringify(field)} is ${want}`, () => assert.equal(passwordState(field), want));
});

const line = (expire: string): string => `a:!:19000:0:99999:7::${expire}:`;

describe('isExpired', () => {
  it('the day itself is expired, the day before is not', () => {
    assert.equal(isExpired(line('20000'), 20_000 * DAY_MS), true);
    assert.equal(isExpired(line('20000'), 20_000 * DAY_MS - 1), false);
  });
  it('none, zero and nonsense are not expired', () => {
    for (const expire of ['', '0', '-1', 'x']) assert.equal(isExpired(line(expire), 20_000 * DAY_MS), false);
  });
});

describe('lockedLine', () => {
  it('does what usermod -L -e 1 does, once', () => {
    const locked = lockedLine('a:$6$s$h:19000:0:99999:7:::');
    assert.equal(locked, 'a:!$6$s$h:19000:0:99999:7::1:');
    assert.equal(lockedLine(locked), locked);
  });
  it('completes a line that ends early', () => assert.equal(lockedLine('a:'), 'a:!::::::1:'));
});

describe('shadow lines', () => {
  it('the first line of a name counts, and only that is replaced', () => {
    const text = 'root:*:1::::::\nab:1:2::::::\na:x:3::::::\na:y:4::::::\n';
    assert.equal(parseShadow(text).get('a'), 'a:x:3::::::');
    assert.equal(replaceShadowLine(text, 'a', 'a:NEW'), 'root:*:1::::::\nab:1:2::::::\na:NEW\na:y:4::::::\n');
  });
  it('a captured line has nine fields, the right name and no line end', () => {
    assert.equal(isShadowLine('a:h:1::::::', 'a'), true);
    for (const line of ['b:h:1::::::', 'a:h:1:::::', 'a:h:1:::::::', 'a:h:1::::::\nroot::1::::::', '']) {
      assert.equal(isShadowLine(line, 'a'), false);
    }
  });
});
