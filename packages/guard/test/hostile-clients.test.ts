/** G-01, G-02: whatever one client does, the others and the daemon do not notice. Over the real socket. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { makeSite, RawClient, start } from './harness.ts';

const STATUS = JSON.stringify({ v: 1, id: 's', kind: 'status' });

describe('the socket', needs('linux'), () => {
  const refused: { name: string; line: string | Uint8Array; code: string; isFramed: boolean }[] = [
    { name: 'no JSON', line: 'hello', code: 'ERR_GUARD_MALFORMED', isFramed: false },
    { name: 'an empty line', line: '', code: 'ERR_GUARD_MALFORMED', isFramed: false },
    {
      name: 'bytes that are no UTF-8',
      line: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
      code: 'ERR_GUARD_MALFORMED',
      isFramed: false,
    },
    { name: 'a NUL', line: `{"v":1,"id":"a\0","kind":"status"}`, code: 'ERR_GUARD_MALFORMED', isFramed: false },
    {
      name: 'nesting of 30,000 levels',
      line: '['.repeat(30_000) + ']'.repeat(30_000),
      code: 'ERR_GUARD_MALFORMED',
      isFramed: false,
    },
    {
      name: 'nesting in parameters',
      line: `{"v":1,"id":"n","kind":"plan","operation":"a.b","params":{"p":${'{"p":'.repeat(10_000)}1${'}'.repeat(10_001)}}`,
      code: 'ERR_GUARD_MALFORMED',
      isFramed: false,
    },
    { name: 'a number', line: '7', code: 'ERR_GUARD_MALFORMED', isFramed: true },
    { name: 'an array', line: '[]', code: 'ERR_GUARD_MALFORMED', isFramed: true },
    { name: 'an unknown kind', line: '{"v":1,"id":"x","kind":"shell"}', code: 'ERR_GUARD_MALFORMED', isFramed: true },
    {
      name: 'an unknown key',
      line: '{"v":1,"id":"x","kind":"status","uid":0}',
      code: 'ERR_GUARD_MALFORMED',
      isFramed: true,
    },
    { name: 'another version', line: '{"v":2,"id":"x","kind":"status"}', code: 'ERR_GUARD_MALFORMED', isFramed: true },
    {
      name: 'a prototype key',
      line: '{"v":1,"id":"x","kind":"status","__proto__":{"admin":true}}',
      code: 'ERR_GUARD_MALFORMED',
      isFramed: true,
    },
    {
      name: 'a prototype key in parameters',
      line: '{"v":1,"id":"x","kind":"plan","operation":"a.b","params":{"a":{"__proto__":{}}}}',
      code: 'ERR_GUARD_MALFORMED',
      isFramed: true,
    },
    {
      name: 'an operation named like a method',
      line: '{"v":1,"id":"x","kind":"plan","operation":"constructor","params":{}}',
      code: 'ERR_GUARD_MALFORMED',
      isFramed: true,
    },
    {
      name: 'a nonce of 120 bits',
      line: `{"v":1,"id":"x","kind":"request","operation":"a.b","params":{},"nonce":"${'a'.repeat(21)}","issuedAtMs":1,"cause":{"kind":"operator","remediationId":null,"check":null,"reason":null}}`,
      code: 'ERR_GUARD_MALFORMED',
      isFramed: true,
    },
  ];

  it('G-01: each malformed request gets one code and one correlation id, and nothing of it back', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    for (const { name, line, code, isFramed } of refused) {
      const raw = new RawClient(site.paths.socket);
      raw.write(line);
      raw.write('\n');
      if (isFramed) raw.write(`${STATUS}\n`);
      const answer = await raw.next();
      assert.equal(answer?.ok, false, name);
      assert.deepEqual(Object.keys(answer?.error ?? {}).toSorted(), ['code', 'correlationId'], name);
      assert.equal(answer?.error?.code, code, name);
      if (isFramed) assert.equal((await raw.next())?.id, 's', name);
      else {
        await raw.ended();
        assert.deepEqual(raw.lines, [], name);
      }
      raw.socket.destroy();
    }
    assert.equal((await client.status()).hostId, 'host-1');
  });

  it('G-01: the last byte that fits is taken, one more is not', async (t) => {
    const site = await makeSite(t);
    await start(t, site);
    const fits = new RawClient(site.paths.socket);
    fits.write(`${STATUS}${' '.repeat(65_536 - STATUS.length)}\n`);
    assert.equal((await fits.next())?.ok, true);
    fits.socket.destroy();
    const tooLong = new RawClient(site.paths.socket);
    tooLong.write(`${STATUS}${' '.repeat(65_537 - STATUS.length)}\n`);
    assert.equal((await tooLong.next())?.error?.code, 'ERR_GUARD_REQUEST_TOO_LARGE');
    await tooLong.ended();
    const endless = new RawClient(site.paths.socket);
    for (let sent = 0; sent < 4_000_000 && !endless.isClosed; sent += 100_000) endless.write('x'.repeat(100_000));
    await endless.ended();
  });

  it('G-01: a request that does not end in time ends its connection, and no other', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site, { config: { limits: { readTimeoutMs: 50 } } });
    const slow = new RawClient(site.paths.socket);
    slow.write(STATUS.slice(0, 5));
    await client.status();
    assert.equal((await slow.next())?.error?.code, 'ERR_GUARD_REQUEST_SLOW');
    await slow.ended();
    await client.status();
  });

  it('G-01: a client that trickles whole requests byte by byte is served', async (t) => {
    const site = await makeSite(t);
    await start(t, site);
    const raw = new RawClient(site.paths.socket);
    for (const byte of `${STATUS}\n${STATUS}\n`) raw.write(byte);
    assert.equal((await raw.next())?.ok, true);
    assert.equal((await raw.next())?.ok, true);
    raw.socket.destroy();
  });

  it('G-01: an idle connection is closed, and the client opens another by itself', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site, { config: { limits: { idleTimeoutMs: 20 } } });
    await client.status();
    const idle = new RawClient(site.paths.socket);
    await idle.ended();
    await client.status();
  });

  it('G-01: a flood of connections from one user leaves the daemon answering', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site, { config: { limits: { maxConnectionsPerUid: 20 } } });
    await client.status();
    const flood = Array.from({ length: 300 }, () => new RawClient(site.paths.socket));
    const answers = await Promise.all(
      flood.slice(100).map(async (raw) => {
        const answer = await raw.next();
        return answer?.error?.code;
      }),
    );
    assert.ok(answers.every((code) => code === 'ERR_GUARD_BUSY'));
    await client.status();
    for (const raw of flood) raw.socket.destroy();
    await Promise.all(flood.map(async (raw) => raw.ended()));
    await start(t, await makeSite(t)); // a second guard elsewhere is not in the way
    assert.equal((await client.status()).frozen, false);
  });

  it('G-01: clients that vanish in the middle of an answer leave no trace', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    for (let round = 0; round < 50; round += 1) {
      const raw = new RawClient(site.paths.socket);
      raw.write(`${STATUS}\n`.repeat(20));
      if (round % 2 === 0) await raw.next();
      raw.socket.destroy();
    }
    assert.equal((await client.status()).audit.writable, true);
  });

  it('G-01: a client that never reads is not read from for ever, and is dropped', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site, { config: { limits: { writeTimeoutMs: 50 } } });
    const deaf = new RawClient(site.paths.socket);
    deaf.socket.pause();
    await once(deaf.socket, 'connect');
    const closed = once(deaf.socket, 'error'); // writing on fails once the guard has dropped it
    const timer = setInterval(() => deaf.write(`${STATUS}\n`.repeat(100)), 1);
    await closed;
    clearInterval(timer);
    await client.status();
  });

  it('G-01: 200 clients at once all get their own answers', async (t) => {
    const site = await makeSite(t);
    await start(t, site, { config: { limits: { maxConnections: 400, maxConnectionsPerUid: 200 } } });
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const raw = new RawClient(site.paths.socket);
        for (let n = 0; n < 5; n += 1) raw.write(`${JSON.stringify({ v: 1, id: `${index}-${n}`, kind: 'status' })}\n`);
        const ids = new Set<string | undefined>();
        for (let n = 0; n < 5; n += 1) ids.add((await raw.next())?.id);
        raw.socket.destroy();
        return [0, 1, 2, 3, 4].every((n) => ids.has(`${index}-${n}`));
      }),
    );
    assert.ok(answers.every(Boolean));
  });

  it('G-01: the socket is 0660 in a directory that is 0755, and the configured group owns it', async (t) => {
    const site = await makeSite(t);
    await start(t, site);
    const stat = lstatSync(site.paths.socket);
    assert.equal(stat.mode & 0o7777, 0o660);
    assert.equal(stat.gid, site.config.socketGid);
    assert.equal(lstatSync(dirname(site.paths.socket)).mode & 0o7777, 0o755);
  });

  it('G-01: a directory that is a symlink is refused', async (t) => {
    const site = await makeSite(t);
    const directory = dirname(site.paths.socket);
    renameSync(directory, `${directory}.real`);
    symlinkSync(`${directory}.real`, directory);
    await assert.rejects(start(t, site), { code: 'ERR_GUARD_SOCKET' });
  });

  it('G-01: a stale socket is replaced, one that answers and a file are not', async (t) => {
    const site = await makeSite(t);
    mkdirSync(dirname(site.paths.socket), { recursive: true });
    writeFileSync(site.paths.socket, '');
    await assert.rejects(start(t, site), { code: 'ERR_GUARD_SOCKET' });
    const other = await makeSite(t);
    const server = createServer().listen(other.paths.socket);
    t.after(() => void server.close());
    await once(server, 'listening');
    await assert.rejects(start(t, other), { code: 'ERR_GUARD_SOCKET' });
    // Listening in a child that is gone leaves the file: here the server's handle is closed under it.
    renameSync(other.paths.socket, `${other.paths.socket}.kept`);
    server.close();
    await once(server, 'close');
    renameSync(`${other.paths.socket}.kept`, other.paths.socket);
    const { client } = await start(t, other);
    assert.equal((await client.status()).hostId, 'host-1');
  });
});
