import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';
import * as fc from 'fast-check';

import { normalizeRuleset } from './ruleset.ts';

const chain = (...rules: string[]): string =>
  `table inet t {\n\tchain c {\n${rules.map((r) => `\t\t${r}\n`).join('')}\t}\n}\n`;
const set = (...lines: string[]): string =>
  `table inet t {\n\tset s {\n${lines.map((l) => `\t\t${l}\n`).join('')}\t}\n}\n`;

const same: { name: string; a: string; b: string }[] = [
  {
    name: 'counter values',
    a: chain('counter packets 7 bytes 88 accept'),
    b: chain('counter packets 0 bytes 0 accept'),
  },
  {
    name: 'counter values and none',
    a: chain('tcp dport 22 counter packets 7 bytes 88'),
    b: chain('tcp dport 22 counter'),
  },
  { name: 'handles and comments', a: chain('accept # handle 4'), b: chain('accept') },
  {
    name: 'what iptables-nft warns',
    a: `# Warning: table ip t is managed by iptables-nft\n${chain('accept')}`,
    b: chain('accept'),
  },
  {
    name: 'indentation and blank lines',
    a: chain('  ip   saddr 10.0.0.1\taccept', ''),
    b: chain('ip saddr 10.0.0.1 accept'),
  },
  { name: 'line ends of Windows', a: chain('accept\r'), b: chain('accept') },
  {
    name: 'the order of an anonymous set',
    a: chain('tcp dport { 80, 22 } accept'),
    b: chain('tcp dport { 22, 80 } accept'),
  },
  {
    name: 'the order of a verdict map',
    a: chain('ct state vmap { new : drop, established : accept }'),
    b: chain('ct state vmap { established : accept, new : drop }'),
  },
  {
    name: 'the order and wrapping of a named set',
    a: set('elements = { 10.0.0.2,\n\t\t\t     10.0.0.1 }'),
    b: set('elements = { 10.0.0.1, 10.0.0.2 }'),
  },
  {
    name: 'counters of set elements',
    a: set('elements = { 10.0.0.1 counter packets 1 bytes 2 }'),
    b: set('elements = { 10.0.0.1 counter }'),
  },
  {
    name: 'the remaining life of set elements',
    a: set('elements = { 10.0.0.1 timeout 30m expires 19m59s984ms }'),
    b: set('elements = { 10.0.0.1 timeout 30m expires 3s }'),
  },
  {
    name: 'the elements of a set that packets fill',
    a: set('flags dynamic,timeout', 'elements = { 10.0.0.1 expires 3s }'),
    b: set('flags dynamic,timeout'),
  },
  {
    name: 'the use of a quota',
    a: chain('quota over 10 mbytes used 5 bytes drop'),
    b: chain('quota over 10 mbytes drop'),
  },
  {
    name: 'a named counter’s value',
    a: 'table ip t {\n\tcounter c {\n\t\tpackets 5 bytes 100\n\t}\n}\n',
    b: 'table ip t {\n\tcounter c {\n\t}\n}\n',
  },
  {
    name: 'semicolons and lines',
    a: chain('type filter hook input priority filter; policy drop;'),
    b: chain('type filter hook input priority filter', 'policy drop'),
  },
];

const different: { name: string; a: string; b: string }[] = [
  { name: 'the order of rules', a: chain('accept', 'drop'), b: chain('drop', 'accept') },
  { name: 'a rule more', a: chain('accept'), b: chain('accept', 'drop') },
  { name: 'the policy', a: chain('policy drop'), b: chain('policy accept') },
  { name: 'a set element more', a: set('elements = { 10.0.0.1 }'), b: set('elements = { 10.0.0.1, 10.0.0.2 }') },
  {
    name: 'a permanent element in a set with timeouts',
    a: set('flags timeout'),
    b: set('flags timeout', 'elements = { 10.0.0.1 }'),
  },
  {
    name: 'the text of a comment',
    a: chain('accept comment "packets 1 bytes 2"'),
    b: chain('accept comment "packets 1 bytes 3"'),
  },
  { name: 'the order inside a quoted list', a: chain('log prefix "{ b, a }"'), b: chain('log prefix "{ a, b }"') },
  { name: 'the name of a table', a: 'table inet a {\n}\n', b: 'table inet b {\n}\n' },
  { name: 'whether a rule counts', a: chain('counter accept'), b: chain('accept') },
  { name: 'a verdict of a map', a: chain('tcp dport vmap { 22 : accept }'), b: chain('tcp dport vmap { 22 : drop }') },
];

describe('normalizeRuleset', () => {
  for (const { name, a, b } of same) {
    it(`C-11: does not see ${name}`, () => assert.equal(normalizeRuleset(a), normalizeRuleset(b)));
  }
  for (const { name, a, b } of different) {
    it(`C-11: sees ${name}`, () => assert.notEqual(normalizeRuleset(a), normalizeRuleset(b)));
  }

  it('an empty ruleset is the empty string', () => {
    for (const text of ['', '\n\n', '  \t', '# nothing\n', ';']) assert.equal(normalizeRuleset(text), '');
  });

  const refused = [
    'accept',
    'table',
    'table inet t',
    'table inet t {',
    '}',
    'table inet t {\n}}\n',
    'flush ruleset\n',
    'define x = 1\ntable inet t {\n}\n',
    'include "x"\n',
    'table inet t {\n\tinclude "x"\n}\n',
    'table inet t {\n\tchain c {\n\t\tinclude "x"\n\t}\n}\n',
    'table wrong t {\n}\n',
    'table inet t$x {\n}\n',
    'chain c {\n}\n',
    'table inet t {\n\tchain c {\n\t\tlog prefix "open\n\t}\n}\n',
    chain('accept\0'),
    `table inet t {\n${'a {\n'.repeat(20)}${'}\n'.repeat(20)}}\n`,
    chain(`tcp dport ${'{ '.repeat(2_000)}`),
    `table inet t {\n}\n#${'x'.repeat(8 * 1024 * 1024)}`,
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 50))}`, () => {
      assert.throws(
        () => normalizeRuleset(text),
        (error) => hasCode(error, 'ERR_HOST_PACKET_FILTER_REFUSED'),
      );
    });
  }

  const word = fc.constantFrom(
    'accept',
    'drop',
    'counter',
    'packets',
    'bytes',
    '7',
    'used',
    'expires',
    '3s',
    '"a, { b"',
    'tcp',
    ',',
    '{ 2, 1 }',
    '{',
    '}',
    ';',
    '\n',
    '#',
    '{ a : { 2, 1 }, b }',
    'table inet t',
    'chain c',
    'elements =',
  );
  it('is idempotent for every text it takes, and throws only its own code', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        const text = `table inet t {\n\tchain c {\n${words.join(' ')}\n\t}\n}\n`;
        let once: string;
        try {
          once = normalizeRuleset(text);
        } catch (error) {
          assert.ok(hasCode(error, 'ERR_HOST_PACKET_FILTER_REFUSED'));
          return;
        }
        assert.equal(normalizeRuleset(once), once);
      }),
      { numRuns: 2_000 },
    );
  });

  it('C-11: any order of any elements has one text', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.ipV4(), { minLength: 1, maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        (ips, random) => {
          const keyed = ips.map((ip) => [random.next().value as number, ip] as const);
          const shuffled = keyed.toSorted(([a], [b]) => a - b).map(([, ip]) => ip);
          assert.equal(
            normalizeRuleset(set(`elements = { ${ips.join(', ')} }`)),
            normalizeRuleset(set(`elements = { ${shuffled.join(', ')} }`)),
          );
        },
      ),
    );
  });

  it('takes 10,000 rules and 10,000 elements in well under a second', () => {
    const rules = Array.from(
      { length: 10_000 },
      (_, n) => `ip saddr 10.${n >> 8}.${n & 255}.1 tcp dport { 443, 22 } counter accept`,
    );
    const started = performance.now();
    normalizeRuleset(chain(...rules));
    normalizeRuleset(set(`elements = { ${rules.map((_, n) => `10.0.${n >> 8}.${n & 255}`).join(', ')} }`));
    assert.ok(performance.now() - started < 2_000);
  });
});
