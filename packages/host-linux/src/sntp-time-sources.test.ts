import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { it } from 'node:test';
import { needs } from '@holdfast/testing';
import { SntpTimeSources } from './sntp-time-sources.ts';
import { systemClock } from './system-clock.ts';

/** Inodes of the sockets that this very process has open. */
function ownSockets(): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // the descriptor by which the directory was read
    }
  }
  return inodes;
}

/** Local addresses of this process's UDP sockets that take datagrams of everybody. */
function openToEverybody(): string[] {
  const own = ownSockets();
  return ['udp', 'udp6']
    .flatMap((table) => readFileSync(`/proc/self/net/${table}`, 'latin1').split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, , , , , , , inode]) => own.has(inode ?? '') && /^0+:0000$/.test(remote ?? ''))
    .map(([, local]) => local ?? '');
}

it(
  'C-13, C-16: asking the time opens no socket that looks like a listener, from its birth on',
  needs('linux'),
  async () => {
    const mute = createSocket('udp4');
    mute.bind(0, '127.0.0.1');
    await once(mute, 'listening');
    const before = openToEverybody();
    assert.equal(before.length, 1, 'the mute server itself is seen');
    const sources = new SntpTimeSources(systemClock(), { timeoutMs: 200 });
    const seen = new Set<string>();
    let looks = 0;
    const look = (left: number): void => {
      for (const local of openToEverybody()) seen.add(local);
      looks += 1;
      if (left > 0) process.nextTick(look, left - 1);
    };
    // From the birth of each socket on, between any two steps in which Node goes on with it.
    const onSocket = (): void => process.nextTick(look, 20);
    subscribe('udp.socket', onSocket);
    const asked = new Set<string>();
    mute.on('message', (_packet, { port }) => asked.add(String(port)));
    const { port } = mute.address();
    await sources.sample([`127.0.0.1:${port}`, `localhost:${port}`], new AbortController().signal);
    unsubscribe('udp.socket', onSocket);
    mute.close();
    assert.equal(asked.size, 2, 'both were asked');
    assert.ok(looks > 40);
    assert.deepEqual([...seen], before);
  },
);
