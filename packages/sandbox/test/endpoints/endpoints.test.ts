/** Listed endpoints through the whole path: a command in an empty network, the launcher's sockets, the spawner, real servers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { hasCode } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import { MAX_CONNECTIONS } from '../../src/endpoints/forward-endpoints.ts';
import { connectTo, openHere, type Outcome, perl, profileFor, textOf } from './commands.ts';

const { signal } = new AbortController();

interface Listening {
  readonly port: number;
  readonly sockets: Socket[];
}

/** A server on this machine's loopback, for as long as the test. */
async function serve(t: TestContext, onConnection: (socket: Socket) => void): Promise<Listening> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined); // the other end may reset
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const echo = (socket: Socket): void => void socket.pipe(socket);

/** Descriptors of this process, which is the spawner here, that lead to TCP sockets or namespaces of runs. */
const openDescriptors = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false; // the one the directory was read with
    }
  }).length;

describe('endpoints', needs('root', 'bubblewrap'), () => {
  it('X-01: a listed endpoint is reached; another port, UDP and a name service are not', async (t) => {
    const { port } = await serve(t, echo);
    const { port: unlisted } = await serve(t, echo);
    await using here = await openHere();
    const run = await here.client.start(
      perl(
        profileFor([{ host: 'localhost', port }]),
        `${connectTo('localhost', port)} print $s "hello\\n"; print scalar <$s>;
         print connected('localhost', ${unlisted}); print connected('127.0.0.2', ${port});
         print connected('192.0.2.1', ${port}); print connected('::1', ${port});
         print gethostbyname('example.org') ? 'resolved' : 'unknown', "\\n";
         socket(my $u, 2, 2, 17); my $sent = send($u, 'x', 0, pack_sockaddr_in(53, inet_aton('192.0.2.1')));
         print $sent ? "sent\\n" : "no UDP\\n";`,
      ),
      signal,
    );
    const [stdout, stderr] = await Promise.all([textOf(run.stdout), textOf(run.stderr)]);
    assert.deepEqual(stdout.split('\n'), ['hello', 'no', 'no', 'no', 'no', 'unknown', 'no UDP', ''], stderr);
  });

  it('X-01: megabytes go both ways, and the end of one direction is not the end of the other', async (t) => {
    const sizeBytes = 8 * 1_024 * 1_024;
    const { port } = await serve(t, (socket) => {
      let seen = 0;
      socket.on('data', (bytes) => (seen += bytes.length));
      // Answers only when the command has said that it is done.
      socket.on('end', () => socket.end(Buffer.concat([Buffer.from(`${seen}\n`), Buffer.alloc(sizeBytes, 'z')])));
    });
    await using here = await openHere();
    const run = await here.client.start(
      perl(
        profileFor([{ host: 'localhost', port }]),
        `${connectTo('localhost', port)} print $s 'a' x ${sizeBytes}; shutdown($s, 1);
         print scalar <$s>; my $n = 0; while (my $r = read($s, my $b, 65536)) { $n += $r } print "$n\\n";`,
      ),
      signal,
    );
    assert.equal(await textOf(run.stdout), `${sizeBytes}\n${sizeBytes}\n`);
  });

  it('X-01: what a command sent just before it ended arrives', async (t) => {
    const arrived = Promise.withResolvers<string>();
    const { port } = await serve(t, (socket) => void textOf(socket).then(arrived.resolve));
    await using here = await openHere();
    const run = await here.client.start(
      perl(profileFor([{ host: 'localhost', port }]), `${connectTo('localhost', port)} print $s 'last words';`),
      signal,
    );
    await run.result;
    assert.equal(await arrived.promise, 'last words');
  });

  it('X-01: a server that is down is a reset and not a wait', async (t) => {
    const { port } = await serve(t, (socket) => socket.resetAndDestroy());
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: down } = closed.address() as AddressInfo;
    closed.close();
    await using here = await openHere();
    for (const dead of [port, down]) {
      const run = await here.client.start(
        perl(
          profileFor([{ host: 'localhost', port: dead }]),
          `${connectTo('localhost', dead)} my $r = sysread($s, my $b, 1); print defined $r ? "read $r" : "$!";`,
        ),
        signal,
      );
      assert.equal(await textOf(run.stdout), 'Connection reset by peer');
    }
    const unknown = await here.client.start(
      perl(
        profileFor([{ host: 'nowhere.invalid', port: 80 }]),
        `${connectTo('nowhere.invalid', 80)} my $r = sysread($s, my $b, 1); print defined $r ? "read $r" : "$!";`,
      ),
      signal,
    );
    assert.equal(await textOf(unknown.stdout), 'Connection reset by peer');
  });

  it('X-01: above the cap a connection is reset, and the others live', async (t) => {
    const { port } = await serve(t, echo);
    await using here = await openHere();
    const run = await here.client.start(
      perl(
        profileFor([{ host: 'localhost', port }]),
        `my @s; for (0 .. ${MAX_CONNECTIONS}) { ${connectTo('localhost', port)} $s->autoflush; print $s "x\\n"; push @s, $s }
         my $alive = 0; for (@s) { my $l = readline($_); $alive++ if defined $l } print $alive;`,
      ),
      signal,
    );
    assert.equal(await textOf(run.stdout), String(MAX_CONNECTIONS));
  });

  it('X-07: the end of a run, however it comes, closes its connections and leaves no descriptor', async (t) => {
    const ends: Promise<unknown>[] = [];
    const { port, sockets } = await serve(t, (socket) => void ends.push(once(socket.resume(), 'end')));
    await using here = await openHere();
    const profile = profileFor([{ host: 'localhost', port }]);
    const before = openDescriptors();
    const waits = `$| = 1; ${connectTo('localhost', port)} print "up\\n"; sleep 60;`;
    const killed = await here.client.start(perl(profile, waits), signal);
    const timedOut = await here.client.start({ ...perl(profile, waits), timeoutMs: 500 }, signal);
    for await (const chunk of killed.stdout) {
      assert.equal(Buffer.from(chunk).toString(), 'up\n');
      killed.kill();
    }
    assert.equal((await timedOut.result).endedBy, 'timeout');
    const never = await here.client.start({ ...perl(profile, ''), argv: ['/usr/bin/none'] }, signal);
    await assert.rejects(never.result, (error) => hasCode(error, 'ERR_SANDBOX_START'));
    await Promise.all(ends);
    assert.equal(sockets.length, 2);
    for (const socket of sockets) socket.destroy();
    assert.equal(openDescriptors(), before);
  });

  it('X-01: host names and ports below 1024, in a network of its own', needs('network-namespaces'), async () => {
    const driver = new URL('./in-own-network.ts', import.meta.url).pathname;
    const argv = ['--net', '--mount', process.execPath, '--disable-warning=ExperimentalWarning', driver];
    const { stdout } = await promisify(execFile)('/usr/bin/unshare', argv);
    assert.deepEqual(JSON.parse(stdout) as Outcome, {
      web: 'from port 80 of web.example\n',
      database: 'from port 5432 of db.example\n',
      elsewhere: 'no\n',
    });
  });
});
