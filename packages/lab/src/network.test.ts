import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseNetwork, gatewayAddress, hostAddress, labNames, parseRoutes, planHost, planRouter } from './network.ts';

const ROUTES = [
  'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT',
  'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  '',
].join('\n');

describe('the network of a lab', () => {
  it('reads the routes of the machine and leaves the default route out', () => {
    assert.deepEqual(parseRoutes(ROUTES), [{ network: 0xc0_00_02_00, mask: 0xff_ff_ff_00 }]);
  });

  it('gives the same id the same network and other ids others', () => {
    const chosen = ['a', 'b', 'c', 'd'].map((id) => chooseNetwork(id, []));
    assert.equal(chooseNetwork('a', []), chosen[0]);
    assert.equal(new Set(chosen).size, 4);
  });

  it('goes around what the machine routes, whichever prefix is the shorter', () => {
    const net = chooseNetwork('a', []);
    assert.ok(net);
    const network = net.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0) * 256;
    for (const mask of [0xff_ff_00_00, 0xff_ff_ff_00, 0xff_ff_ff_ff]) {
      assert.notEqual(chooseNetwork('a', [{ network: (network & mask) >>> 0, mask }]), net);
    }
    const tenSlashEight = { network: 0x0a_00_00_00, mask: 0xff_00_00_00 };
    assert.match(chooseNetwork('a', [tenSlashEight]) ?? '', /^198\.1[89]\./);
  });

  it('refuses to choose when everything is taken', () => {
    assert.equal(
      chooseNetwork('a', [
        { network: 0, mask: 0x80_00_00_00 },
        { network: 0x80_00_00_00, mask: 0x80_00_00_00 },
      ]),
      undefined,
    );
  });

  it('names what it puts on the machine by the id, within the 15 characters of an interface name', () => {
    const names = labNames('abcdefgh');
    assert.equal(names.uplink.length <= 15, true);
    const touched = [...planRouter(names, '10.99.1'), ...planHost(names, '10.99.1', 64)].filter(
      (args) => args[0] !== '-n',
    );
    for (const args of touched) assert.match(args.join(' '), /hfabcdefgh/);
  });

  it('keeps hosts and gateway apart', () => {
    assert.equal(hostAddress('10.99.1', 1), '10.99.1.11');
    assert.equal(hostAddress('10.99.1', 64), '10.99.1.74');
    assert.equal(gatewayAddress('10.99.1'), '10.99.1.254');
  });
});
