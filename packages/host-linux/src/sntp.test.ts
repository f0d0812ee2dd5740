import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { encodeRequest, parseTimeSource, readAnswer } from './sntp.ts';

const NONCE = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const T1 = 1_800_000_000_000;

function writeTime(packet: Uint8Array, at: number, ms: number): void {
  const view = new DataView(packet.buffer);
  const seconds = Math.floor(ms / 1_000);
  view.setUint32(at, (seconds + 2_208_988_800) % 2 ** 32);
  view.setUint32(at + 4, Math.round(((ms - seconds * 1_000) / 1_000) * 2 ** 32) % 2 ** 32);
}

interface Answer {
  readonly first?: number;
  readonly stratum?: number;
  readonly receiveMs?: number;
  readonly transmitMs?: number;
}

function answer({ first = 0x24, stratum = 2, receiveMs = T1, transmitMs = T1 }: Answer = {}): Uint8Array {
  const packet = new Uint8Array(48);
  packet[0] = first;
  packet[1] = stratum;
  packet.set(NONCE, 24);
  writeTime(packet, 32, receiveMs);
  writeTime(packet, 40, transmitMs);
  return packet;
}

describe('readAnswer', () => {
  it('P-10: computes offset and delay as RFC 4330 §5 does', () => {
    const result = readAnswer(answer({ receiveMs: T1 + 5_010, transmitMs: T1 + 5_030 }), NONCE, T1, T1 + 40);
    assert.ok(typeof result === 'object');
    assert.ok(Math.abs(result.offsetMs - 5_000) < 0.01);
    assert.ok(Math.abs(result.roundTripMs - 20) < 0.01);
  });

  it('P-10: is right for any offset within 60 years and any way that takes as long there as back', () => {
    const years60 = 60 * 365 * 86_400_000;
    fc.assert(
      fc.property(fc.integer({ min: -years60, max: years60 }), fc.nat(1_000), fc.nat(1_000), (offset, way, inside) => {
        const receiveMs = T1 + offset + way;
        const result = readAnswer(
          answer({ receiveMs, transmitMs: receiveMs + inside }),
          NONCE,
          T1,
          T1 + 2 * way + inside,
        );
        assert.ok(typeof result === 'object');
        assert.ok(Math.abs(result.offsetMs - offset) < 0.01);
        assert.ok(Math.abs(result.roundTripMs - 2 * way) < 0.01);
      }),
    );
  });

  it('reads times of the next NTP era, after 2036', () => {
    const t = 2_100_000_000_000;
    const result = readAnswer(answer({ receiveMs: t + 1_000, transmitMs: t + 1_000 }), NONCE, t, t);
    assert.ok(typeof result === 'object' && Math.abs(result.offsetMs - 1_000) < 0.01);
  });

  const wrongEcho = answer();
  wrongEcho[31] = 9;
  const zeroTime = answer();
  zeroTime.fill(0, 40, 48);
  const refused: [string, Uint8Array, string][] = [
    ['an empty packet', new Uint8Array(0), 'malformed'],
    ['a short packet', answer().subarray(0, 47), 'malformed'],
    ['a request', answer({ first: 0x23 }), 'malformed'],
    ['a broadcast', answer({ first: 0x25 }), 'malformed'],
    ['version 2', answer({ first: 0x14 }), 'malformed'],
    ['an answer to another request', wrongEcho, 'not-mine'],
    ['a kiss-o’-death', answer({ stratum: 0 }), 'kiss-of-death'],
    ['stratum 16', answer({ stratum: 16 }), 'bad-stratum'],
    ['leap 3', answer({ first: 0xe4 }), 'unsynchronised'],
    ['no transmit time', zeroTime, 'no-time'],
    ['a time inside the server longer than the way', answer({ transmitMs: T1 + 60_000 }), 'impossible-delay'],
    ['a server that answers before it is asked', answer({ receiveMs: T1 + 60_000 }), 'impossible-delay'],
  ];
  for (const [name, packet, why] of refused) {
    it(`P-10: refuses ${name}`, () => assert.equal(readAnswer(packet, NONCE, T1, T1 + 10), why));
  }

  it('takes the outermost strata and both versions', () => {
    for (const packet of [answer({ stratum: 1 }), answer({ stratum: 15 }), answer({ first: 0x1c })]) {
      assert.equal(typeof readAnswer(packet, NONCE, T1, T1 + 10), 'object');
    }
  });

  it('takes any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (packet) => {
        assert.ok(['string', 'object'].includes(typeof readAnswer(packet, NONCE, T1, T1)));
      }),
    );
  });
});

it('a request tells no time: only version, mode and the nonce', () => {
  const packet = encodeRequest(NONCE);
  assert.equal(packet.length, 48);
  assert.deepEqual([packet[0], ...packet.subarray(40)], [0x23, ...NONCE]);
  assert.ok(packet.subarray(1, 40).every((byte) => byte === 0));
});

describe('parseTimeSource', () => {
  it('takes names, addresses and ports', () => {
    assert.deepEqual(parseTimeSource('pool.ntp.org'), { host: 'pool.ntp.org', port: 123 });
    assert.deepEqual(parseTimeSource('127.0.0.1:1234'), { host: '127.0.0.1', port: 1_234 });
    assert.deepEqual(parseTimeSource('[::1]:1234'), { host: '::1', port: 1_234 });
    assert.deepEqual(parseTimeSource('2001:db8::1'), { host: '2001:db8::1', port: 123 });
  });
  for (const text of ['', 'a b', 'a:0', 'a:65536', 'a:x', '[::1', ':123']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseTimeSource(text), undefined));
  }
});
