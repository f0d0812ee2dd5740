import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GOOD_RULESET } from '../test/in-memory-host.ts';
import { listLoopbackDrops, normaliseRuleset } from './ruleset.ts';

const chain = (body: string): string => `table inet filter {\nchain input {\n${body}\n}\n}\n`;
const DROP = 'type filter hook input priority filter; policy drop;';

describe('rulesets', () => {
  it('C-11: normalising twice changes nothing', () => {
    assert.equal(normaliseRuleset(GOOD_RULESET), GOOD_RULESET);
    assert.equal(normaliseRuleset(normaliseRuleset('x {\n y\n}')), normaliseRuleset('x {\n y\n}'));
    assert.equal(normaliseRuleset(' \n# only a comment\n'), '');
  });

  it('C-11: a number sign inside quotes is no comment', () => {
    const rule = chain('tcp dport 1 accept comment "ticket #5"');
    assert.match(normaliseRuleset(rule), /ticket #5"/);
    assert.equal(
      normaliseRuleset(chain('tcp dport 1 accept comment "a" # handle 3')),
      normaliseRuleset(chain('tcp dport 1 accept comment "a"')),
    );
  });

  it('C-11: counted packets do not matter, a counter does', () => {
    const counted = (n: number): string => normaliseRuleset(chain(`counter packets ${n} bytes ${n * 60} drop`));
    assert.equal(counted(1), counted(2));
    assert.notEqual(counted(1), normaliseRuleset(chain('drop')));
  });

  const cases: { name: string; ruleset: string; want: string[] }[] = [
    { name: 'the good one', ruleset: GOOD_RULESET, want: [] },
    { name: 'dropping by default without loopback', ruleset: chain(DROP), want: ['inet filter/input'] },
    { name: 'accepting loopback by name', ruleset: chain(`${DROP}\niifname "lo" accept`), want: [] },
    {
      name: 'accepting another interface',
      ruleset: chain(`${DROP}\niifname "lo1" accept`),
      want: ['inet filter/input'],
    },
    {
      name: 'accepting loopback only for one port',
      ruleset: chain(`${DROP}\niif "lo" tcp dport 1 accept`),
      want: ['inet filter/input'],
    },
    { name: 'accepting by default', ruleset: chain(DROP.replace('drop', 'accept')), want: [] },
    { name: 'jumping elsewhere', ruleset: chain(`${DROP}\njump ours`), want: [] },
    { name: 'forwarding only', ruleset: chain(DROP.replace('input', 'forward')), want: [] },
    { name: 'dropping output', ruleset: chain(DROP.replace('input', 'output')), want: ['inet filter/input'] },
  ];
  for (const { name, ruleset, want } of cases) {
    it(`C-22: loopback is looked for in a ruleset ${name}`, () => assert.deepEqual(listLoopbackDrops(ruleset), want));
  }
});
