import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostReader, ListeningSocket } from '@holdfast/host';
import { goodParts, inMemoryHost, NOW_MS, unreadable } from '../../test/in-memory-host.ts';
import { ports, PortsExpectation } from './ports.ts';

const SSH: ListeningSocket = { protocol: 'tcp', address: '0.0.0.0', port: 22 };
const FLEETING: ListeningSocket = { protocol: 'udp', address: '0.0.0.0', port: 40_123 };
const BACKDOOR: ListeningSocket = { protocol: 'tcp', address: '::', port: 4444 };
const expectation = PortsExpectation.parse({ listening: [SSH] });

/** Each look at the sockets gives the next of these lists; there must be no more looks than lists. */
function hostSeeing(...looks: readonly (readonly ListeningSocket[] | 'unreadable')[]): {
  host: HostReader;
  left: () => number;
} {
  const waiting = [...looks];
  const list = async (): Promise<ListeningSocket[]> => {
    const next = waiting.shift();
    assert.ok(next !== undefined, 'looked more often than it had to');
    return next === 'unreadable' ? unreadable() : [...next];
  };
  return { host: { ...inMemoryHost(goodParts()), sockets: { list } }, left: () => waiting.length };
}

async function run(host: HostReader, signal = new AbortController().signal): Promise<string[]> {
  const findings = await ports.run(expectation, { host, nowMs: NOW_MS, randomBytes: () => new Uint8Array() }, signal);
  return findings.map(({ status, kind, subject }) => `${status} ${kind} ${subject}`);
}

const GOOD = ['pass port-ok tcp 0.0.0.0:22'];

describe('ports', () => {
  const cases: { name: string; looks: (ListeningSocket[] | 'unreadable')[]; want: string[] }[] = [
    { name: 'what is as it should be is looked at once', looks: [[SSH]], want: GOOD },
    { name: 'a socket that was there for a moment is nobody’s service', looks: [[SSH, FLEETING], [SSH]], want: GOOD },
    { name: 'a listener that was gone for a moment is there', looks: [[], [SSH]], want: GOOD },
    {
      name: 'another socket each time is two moments, not one listener',
      looks: [
        [SSH, FLEETING],
        [SSH, { ...FLEETING, port: 40_124 }],
      ],
      want: GOOD,
    },
    {
      name: 'what is still there is a finding',
      looks: [
        [SSH, BACKDOOR, FLEETING],
        [SSH, BACKDOOR],
      ],
      want: [...GOOD, 'fail port-unexpected tcp [::]:4444'],
    },
    { name: 'what is still gone is a finding', looks: [[], []], want: ['fail port-missing tcp 0.0.0.0:22'] },
    {
      name: 'a second look that fails is unknown',
      looks: [[SSH, BACKDOOR], 'unreadable'],
      want: ['unknown ports-unreadable sockets'],
    },
  ];
  for (const { name, looks, want } of cases) {
    it(`C-13, C-16: ${name}`, async () => {
      const { host, left } = hostSeeing(...looks);
      assert.deepEqual(await run(host), want);
      assert.equal(left(), 0);
    });
  }

  it('C-06: ends with its signal while it waits for the second look', async () => {
    const { host, left } = hostSeeing([SSH, BACKDOOR], []);
    const stop = new AbortController();
    const running = run(host, stop.signal);
    setImmediate(() => stop.abort(new Error('enough')));
    await assert.rejects(running, /enough/);
    assert.equal(left(), 1);
  });
});
