import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { describe, it } from 'node:test';

import { parseSocketTable, sortSockets } from './proc-net.ts';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const row = (local: string, state: string): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n`;
/** The kernel writes 32-bit words in the byte order of the machine. */
const words = (hex: string): string => {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  return bytes.toString('hex').toUpperCase();
};

describe('parseSocketTable', () => {
  const addresses: [string, string][] = [
    ['7f000001', '127.0.0.1'],
    ['00000000', '0.0.0.0'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000000000000010001', '2001:db8::1:1'],
    ['20010db8000100010001000000010001', '2001:db8:1:1:1:0:1:1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['fe800000000000000000000000000000', 'fe80::'],
    ['00000000000000000000ffff0a000001', '::ffff:10.0.0.1'],
  ];
  for (const [hex, address] of addresses) {
    it(`C-01: reads ${address} (RFC 5952)`, () => {
      const table = hex.length === 8 ? 'tcp' : 'tcp6';
      assert.deepEqual(parseSocketTable(HEADER + row(`${words(hex)}:0016`, '0A'), table), [
        { protocol: 'tcp', address, port: 22 },
      ]);
    });
  }

  it('takes TCP in LISTEN and UDP that is not connected, nothing else', () => {
    const text = HEADER + row('00000000:0016', '0A') + row('00000000:0035', '07') + row('00000000:0050', '01');
    assert.deepEqual(
      parseSocketTable(text, 'tcp')?.map(({ port }) => port),
      [22],
    );
    assert.deepEqual(
      parseSocketTable(text, 'udp')?.map(({ port }) => port),
      [53],
    );
  });

  for (const text of [
    '',
    'nonsense\n',
    HEADER + row('0:0016', '0A'),
    `${HEADER}x\n`,
    HEADER + row('00000000:16', '0A'),
  ]) {
    it(`passes over nothing it does not understand: ${JSON.stringify(text.slice(-30))}`, () =>
      assert.equal(parseSocketTable(text, 'tcp'), undefined));
  }

  it('lists each socket once, by protocol, port and address', () => {
    const a = { protocol: 'udp', address: '::', port: 53 } as const;
    const b = { protocol: 'tcp', address: '::', port: 443 } as const;
    const c = { protocol: 'tcp', address: '0.0.0.0', port: 22 } as const;
    assert.deepEqual(sortSockets([a, b, c, b]), [c, b, a]);
  });
});
