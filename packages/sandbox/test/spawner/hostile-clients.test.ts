/** One spawner, many clients, one of them hostile: it loses its connection, and the others notice nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { connectSandbox, type SandboxJob, serveSpawner } from '../../src/index.ts';
import { type Access } from '../../src/spawner/serve-spawner.ts';
import {
  encodeCredit,
  encodeFrame,
  encodeJsonFrame,
  FRAME,
  HEADER_BYTES,
  MAX_FRAME_BYTES,
} from '../../src/spawner/frames.ts';
import { descriptorsOf, DIRECTORY, groupsOf, memoryOf, shell, textOf, until } from './machine.ts';

const { signal } = new AbortController();
const MIB = 1_024 * 1_024;

async function serve(t: TestContext, accessOf: (count: number) => Access = () => 'any-job') {
  const socketPath = join(temporaryDirectory(t), 'spawner.sock');
  let count = 0;
  const service = await serveSpawner(
    { socketPath, gid: 0, accessOf: () => accessOf(++count) },
    { directory: DIRECTORY },
  );
  return { socketPath, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

async function dial(socketPath: string): Promise<Socket> {
  const socket = connect(socketPath).on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

function header(length: number, kind: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt8(kind, 4);
  return bytes;
}

const start = (run: number, job: SandboxJob) => encodeJsonFrame(FRAME.start, run, job);

/** Closed by the spawner when `isFatal`, and otherwise answered with an error or not at all. */
const hostile: { name: string; bytes: Buffer; isFatal: boolean }[] = [
  { name: 'text of another protocol', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), isFatal: true },
  { name: 'a length of 4 GiB', bytes: header(0xffff_ffff, FRAME.start), isFatal: true },
  { name: 'a length one above the limit', bytes: header(MAX_FRAME_BYTES + 1, FRAME.stdin), isFatal: true },
  { name: 'an unknown kind', bytes: header(0, 99), isFatal: true },
  { name: 'a frame that only the spawner sends', bytes: encodeFrame(FRAME.ended, 1), isFatal: true },
  {
    name: 'the same number twice',
    bytes: Buffer.concat([start(1, shell('sleep 60')), start(1, shell('sleep 60'))]),
    isFatal: true,
  },
  {
    name: 'input before the run has started',
    bytes: Buffer.concat([start(1, shell('cat')), encodeFrame(FRAME.stdin, 1, Buffer.alloc(9))]),
    isFatal: true,
  },
  {
    name: 'a credit for a stream there is not',
    bytes: Buffer.concat([start(1, shell('sleep 60')), encodeCredit(1, 9, 1)]),
    isFatal: true,
  },
  { name: 'half a frame, and then silence', bytes: header(1_000, FRAME.start), isFatal: false },
  {
    name: 'frames for runs that are not there',
    bytes: Buffer.concat(
      [FRAME.stdin, FRAME.stdinEnd, FRAME.kill, FRAME.credit].map((kind) => encodeFrame(kind, 77, Buffer.alloc(5))),
    ),
    isFatal: false,
  },
  { name: 'a job that is no JSON', bytes: encodeFrame(FRAME.start, 1, Buffer.from('{')), isFatal: false },
  {
    name: 'a job nested very deep',
    bytes: encodeFrame(FRAME.start, 1, Buffer.from('['.repeat(MAX_FRAME_BYTES))),
    isFatal: false,
  },
  {
    name: 'a job with fields nobody knows',
    bytes: encodeJsonFrame(FRAME.start, 1, { ...shell('true'), layers: [] }),
    isFatal: false,
  },
  {
    name: 'a program that is not an absolute path',
    bytes: encodeJsonFrame(FRAME.start, 1, { ...shell('true'), argv: ['sh'] }),
    isFatal: false,
  },
  {
    name: 'a profile named like a property of every object',
    bytes: encodeJsonFrame(FRAME.start, 1, { ...shell('true'), profile: '__proto__' }),
    isFatal: false,
  },
  {
    name: 'more slots than there may be',
    bytes: encodeJsonFrame(FRAME.warm, 1, { profile: shell('true').profile, slots: 1e9 }),
    isFatal: false,
  },
];

describe('a hostile client', needs('root', 'bubblewrap'), () => {
  it('X-07: sends what is no protocol, and the others are served', async (t) => {
    await using spawner = await serve(t);
    await using honest = await connectSandbox(spawner.socketPath, signal);
    await using long = await honest.start(shell('read line; echo "$line"'), signal);
    for (const { name, bytes, isFatal } of hostile) {
      const socket = await dial(spawner.socketPath);
      const closed = once(socket.resume(), 'close');
      socket.write(bytes);
      if (isFatal) await closed;
      const run = await honest.start(shell('echo served'), signal);
      assert.equal(await textOf(run.stdout), 'served\n', name);
      assert.equal(socket.destroyed, isFatal, name);
      socket.destroy();
    }
    await long.write(Buffer.from('to the end\n'));
    assert.equal(await textOf(long.stdout), 'to the end\n');
  });

  it('X-07: asks without end and never reads: it is not listened to any further, and memory stays', async (t) => {
    await using spawner = await serve(t);
    await using honest = await connectSandbox(spawner.socketPath, signal);
    const before = memoryOf(process.pid, 'VmRSS');
    const sockets = await Promise.all(Array.from({ length: 3 }, () => dial(spawner.socketPath)));
    // Each question of 9 bytes has an answer of some 2 KB: 200,000 are 400 MB for every client. What one read
    // from the socket holds is answered, and no more.
    const questions = Buffer.concat(Array.from({ length: 200_000 }, (_, run) => encodeFrame(FRAME.layers, run)));
    for (const socket of sockets) socket.pause().write(questions);
    for (let count = 0; count < 5; count++) {
      const run = await honest.start(shell('echo served'), signal);
      assert.equal(await textOf(run.stdout), 'served\n');
    }
    // A quarter of the answers; what the garbage collector has not taken yet is in it.
    assert.ok(memoryOf(process.pid, 'VmRSS') - before < 300 * MIB);
    for (const socket of sockets) socket.destroy();
  });

  it('X-07: floods the spawner with starts: above the limit it is told so, and the others are served', async (t) => {
    const job = shell('sleep 60');
    await using spawner = await serve(t, (count) => (count === 1 ? 'any-job' : { onlyJob: job }));
    await using honest = await connectSandbox(spawner.socketPath, signal);
    await using flood = await connectSandbox(spawner.socketPath, signal);
    const descriptors = descriptorsOf(process.pid);
    const settled = Promise.allSettled(Array.from({ length: 160 }, () => flood.start(job, signal)));
    const run = await honest.start(shell('echo served'), signal);
    assert.equal(await textOf(run.stdout), 'served\n');
    const outcomes = await settled;
    const refused = outcomes.filter((one) => one.status === 'rejected');
    assert.equal(refused.length, 160 - 128); // of those who may run one job, and not of the others
    assert.ok(refused.every(({ reason }) => hasCode(reason, 'ERR_SANDBOX_BUSY')));
    await flood[Symbol.asyncDispose]();
    await until(
      () => groupsOf(process.pid).length === 0 && descriptorsOf(process.pid) <= descriptors,
      'its runs are gone',
    );
  });

  it('X-07: opens every connection it can: those who may do everything still get one', async (t) => {
    let isAgent = true;
    await using spawner = await serve(t, () => (isAgent ? { onlyJob: shell('true') } : 'any-job'));
    const sockets = await Promise.all(Array.from({ length: 80 }, () => dial(spawner.socketPath)));
    for (const socket of sockets) socket.resume();
    await until(() => sockets.filter((socket) => socket.destroyed).length === 16, 'those above 64 are closed');
    isAgent = false;
    await using honest = await connectSandbox(spawner.socketPath, signal);
    assert.equal(await textOf((await honest.start(shell('echo served'), signal)).stdout), 'served\n');
    for (const socket of sockets) socket.destroy();
  });

  it('X-07: many clients at once get each what is theirs', async (t) => {
    await using spawner = await serve(t);
    const texts = await Promise.all(
      Array.from({ length: 6 }, async (_, client) => {
        await using sandbox = await connectSandbox(spawner.socketPath, signal);
        const runs = Array.from({ length: 4 }, async (__, number) => {
          const run = await sandbox.start(shell(`cat; echo ${client}-${number}`), signal);
          await run.write(Buffer.from(`${client}:`));
          await run.end();
          return textOf(run.stdout);
        });
        return await Promise.all(runs);
      }),
    );
    const wanted = texts.map((_, client) => [0, 1, 2, 3].map((number) => `${client}:${client}-${number}\n`));
    assert.deepEqual(texts, wanted);
  });
});
