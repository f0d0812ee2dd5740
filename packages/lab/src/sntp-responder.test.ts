import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { answerSntp, encodeNtpTimestamp, serveSntp } from './sntp-responder.ts';

function request(first = 0x23): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = first; // version 4, mode 3
  packet.write('client!!', 40, 'latin1');
  return packet;
}

describe('the time sources of a lab', () => {
  it('answer a client as RFC 4330 has it', () => {
    const answer = answerSntp(request(), 0);
    assert.ok(answer);
    assert.equal(answer[0], 0x24); // no warning, version 4, server
    assert.equal(answer[1], 2);
    assert.equal(answer.toString('latin1', 24, 32), 'client!!');
    assert.equal(answer.readUInt32BE(40), 2_208_988_800);
  });

  it('encode halves of a second and the wrap of the era in 2036', () => {
    assert.equal(encodeNtpTimestamp(500).toString('hex'), '83aa7e8080000000');
    assert.equal(encodeNtpTimestamp(Date.parse('2036-02-07T06:28:16Z')).toString('hex'), '0000000000000000');
  });

  const refused = [
    { name: 'an empty packet', packet: Buffer.alloc(0) },
    { name: 'one octet too few', packet: request().subarray(0, 47) },
    { name: 'a server', packet: request(0x24) },
    { name: 'version 0', packet: request(0x03) },
    { name: 'version 5', packet: request(0x2b) },
  ];
  for (const { name, packet } of refused) {
    it(`do not answer ${name}`, () => assert.equal(answerSntp(packet, 0), undefined));
  }

  it('tell each client its own time, as the control file says at that moment', async (t) => {
    const controlPath = join(temporaryDirectory(t), 'time.json');
    const stop = new AbortController();
    const [server] = await serveSntp({ addresses: ['127.0.0.1'], port: 0, controlPath }, stop.signal);
    t.after(() => stop.abort());
    assert.ok(server);
    const client = createSocket({ type: 'udp4', signal: stop.signal }).bind(0, '127.0.0.1');
    await once(client, 'listening');
    const ask = async (): Promise<number> => {
      client.send(request(), server.address().port, '127.0.0.1');
      const [answer] = (await once(client, 'message')) as [Buffer];
      return Math.round(answer.readUInt32BE(40) - 2_208_988_800 - Date.now() / 1000);
    };
    assert.ok(Math.abs(await ask()) <= 1);
    writeFileSync(
      controlPath,
      JSON.stringify({ '127.0.0.1': { '127.0.0.1': 60_000 }, '127.0.0.9': { '127.0.0.1': -1 } }),
    );
    assert.ok(Math.abs((await ask()) - 60) <= 1);
    writeFileSync(controlPath, '{ torn');
    assert.ok(Math.abs(await ask()) <= 1);
  });
});
