import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GOOD_RULESET } from '../test/in-memory-host.ts';
import { listLoopbackDrops } from './loopback-drops.ts';

const chain = (body: string): string => `table inet filter {\nchain input {\n${body}\n}\n}\n`;
const DROP = 'type filter hook input priority filter; policy drop;';

describe('listLoopbackDrops', () => {
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
    { name: 'accepting it in a set', ruleset: chain(`${DROP}\niifname { "eth0", "lo" } counter accept`), want: [] },
    { name: 'accepting it by address', ruleset: chain(`${DROP}\nip saddr 127.0.0.0/8 accept`), want: [] },
    { name: 'for a family without loopback', ruleset: chain(DROP).replace('inet', 'arp'), want: [] },
    {
      name: 'accepting a set without it',
      ruleset: chain(`${DROP}\niifname { "eth0", "lo1" } accept`),
      want: ['inet filter/input'],
    },
    { name: 'accepting by default', ruleset: chain(DROP.replace('drop', 'accept')), want: [] },
    { name: 'jumping elsewhere', ruleset: chain(`${DROP}\njump ours`), want: [] },
    {
      name: 'with a map of states',
      ruleset: chain(`${DROP}\nct state vmap { established : accept }`),
      want: ['inet filter/input'],
    },
    { name: 'forwarding only', ruleset: chain(DROP.replace('input', 'forward')), want: [] },
    { name: 'dropping output', ruleset: chain(DROP.replace('input', 'output')), want: ['inet filter/input'] },
  ];
  for (const { name, ruleset, want } of cases) {
    it(`C-22: loopback is looked for in a ruleset ${name}`, () => assert.deepEqual(listLoopbackDrops(ruleset), want));
  }
});
