/** What can happen to a log on disk: other processes, kills, full disks, and everybody who edits it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { signCheckpoint, treeRoot, leafHash, nodesOf } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { type GateLog, openGateLog, sealRecord } from '../src/index.ts';
import { lockLog } from '../src/log/log-lock.ts';
import { ANN, BOB, freeze, GATE_ID, note, signerOf } from './sample-gate.ts';

const WRITER = join(import.meta.dirname, 'append-notes.ts');
const signal = new AbortController().signal;
const open = async (directory: string, create = true): Promise<GateLog> =>
  openGateLog(directory, { gateId: GATE_ID, create, signal });
const isInvalid = (error: unknown): boolean => hasCode(error, 'ERR_GATE_LOG_INVALID');

function textsOf(log: GateLog): string[] {
  return log.records.flatMap((record) => (record.kind === 'residual-risk' ? [record.predicate.text] : []));
}

/** A log with a freeze and three notes of two people, appended in three batches. */
async function filled(directory: string): Promise<GateLog> {
  const log = await open(directory);
  await log.append([freeze(), note('one')], ANN);
  await log.append([note('two', 'bob')], BOB);
  await log.append([note('three')], ANN);
  return log;
}

describe('R-10: a changed log is found', () => {
  it('any changed byte of the lines and of the head', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    await filled(directory);
    for (const name of ['log.jsonl', 'checkpoint']) {
      const path = join(directory, name);
      const whole = readFileSync(path);
      // Every byte of the head; of the lines those at their ends, and a sample that hits all parts of an envelope.
      const step = name === 'checkpoint' ? 1 : 97;
      const ends = [...whole.entries()].flatMap(([at, byte]) => (byte === 0x0a ? [at - 1, at, at + 1] : []));
      const sampled = Array.from({ length: Math.ceil(whole.length / step) }, (_, at) => at * step);
      for (const at of new Set([...sampled, ...ends])) {
        if (at >= whole.length) continue;
        for (const flip of [0x01, 0x20, 0x80]) {
          const changed = Buffer.from(whole);
          changed[at] = (changed[at] ?? 0) ^ flip;
          writeFileSync(path, changed);
          await assert.rejects(open(directory), isInvalid, `${name}, byte ${at} ^ ${flip}`);
        }
      }
      writeFileSync(path, whole);
    }
    assert.equal((await open(directory)).head.size, 4);
  });

  const lineCases: { name: string; change: (lines: string[]) => string[] }[] = [
    { name: 'two lines swapped', change: ([a = '', b = '', c = '', d = '']) => [a, c, b, d] },
    { name: 'the last line dropped', change: (lines) => lines.slice(0, -1) },
    { name: 'a line in the middle dropped', change: (lines) => lines.toSpliced(1, 1) },
    { name: 'a line twice', change: ([a = '', b = '', ...rest]) => [a, b, b, ...rest] },
    { name: 'all lines dropped', change: () => [] },
    { name: 'an empty line', change: ([a = '', ...rest]) => [a, '', ...rest] },
    {
      name: 'a record sealed anew by a stranger',
      change: (lines) => lines.with(1, Buffer.from(sealRecord(note('one'), signerOf('mallory'))).toString()),
    },
    {
      name: 'a record of another person of the gate in its place',
      change: (lines) => lines.with(1, Buffer.from(sealRecord(note('won', 'bob'), BOB)).toString()),
    },
  ];
  for (const { name, change } of lineCases) {
    it(name, async (t) => {
      const directory = join(temporaryDirectory(t), 'log');
      await filled(directory);
      const path = join(directory, 'log.jsonl');
      const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
      writeFileSync(
        path,
        change(lines)
          .map((line) => `${line}\n`)
          .join(''),
      );
      await assert.rejects(open(directory), isInvalid);
    });
  }

  it('a line without its newline', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    await filled(directory);
    const path = join(directory, 'log.jsonl');
    truncateSync(path, readFileSync(path).length - 1);
    await assert.rejects(open(directory), isInvalid);
  });

  it('a head that is missing, empty, of a stranger, or with a second signature', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    await filled(directory);
    const path = join(directory, 'checkpoint');
    const whole = readFileSync(path, 'utf8');
    const lines = readFileSync(join(directory, 'log.jsonl'), 'utf8').split('\n').slice(0, -1);
    const root = treeRoot(lines.length, nodesOf(lines.map((line) => leafHash(Buffer.from(line)))));
    const claim = { origin: `holdfast-gate/${GATE_ID}`, size: lines.length, root };
    assert.equal(signCheckpoint(claim, ANN), whole, 'the head is what this test thinks it is');
    const strange = signCheckpoint(claim, signerOf('mallory'));
    const otherGate = signCheckpoint({ ...claim, origin: 'holdfast-gate/other' }, ANN);
    for (const changed of ['', strange, otherGate, `${whole}${strange.split('\n').at(-2)}\n`, `${whole}\n`]) {
      writeFileSync(path, changed);
      await assert.rejects(open(directory), isInvalid, changed);
    }
    rmSync(path);
    await assert.rejects(open(directory), isInvalid);
  });

  it('a log of another gate in its place', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const other = await openGateLog(directory, { gateId: 'other', create: true, signal });
    await other.append([freeze(1, 'ann', { id: 'other' })], ANN);
    await assert.rejects(open(directory), isInvalid);
  });

  it('an object that was changed, cut or taken away', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const log = await filled(directory);
    const digest = await log.putObject(Buffer.from('all tests passed\n'));
    const path = join(directory, 'objects', digest.slice(0, 2), digest.slice(2));
    writeFileSync(path, 'all tests failed\n');
    await assert.rejects(log.getObject(digest), isInvalid);
    truncateSync(path, 3);
    await assert.rejects(log.getObject(digest), isInvalid);
    rmSync(path);
    await assert.rejects(log.getObject(digest), (error) => hasCode(error, 'ERR_GATE_OBJECT_MISSING'));
    await log.putObject(Buffer.from('all tests passed\n'));
    assert.equal(Buffer.from(await log.getObject(digest)).toString(), 'all tests passed\n');
  });

  it('files that are symlinks or directories', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    await filled(directory);
    for (const name of ['log.jsonl', 'checkpoint']) {
      const path = join(directory, name);
      renameSync(path, `${path}.real`);
      symlinkSync(`${path}.real`, path);
      await assert.rejects(open(directory), isInvalid, name);
      rmSync(path);
      mkdirSync(path);
      await assert.rejects(open(directory), isInvalid, name);
      rmSync(path, { recursive: true });
      renameSync(`${path}.real`, path);
    }
    assert.equal((await open(directory)).head.size, 4);
  });
});

describe('who may sign at which revision', () => {
  const CLEO = signerOf('cleo');
  const DORA = signerOf('dora');
  const withoutBob = {
    ann: [ANN.publicKey],
    bob: [signerOf('new bob').publicKey],
    cleo: [CLEO.publicKey],
    dora: [DORA.publicKey],
  };

  it('R-03: a replaced key counts for nothing from the next revision on, and what it signed before stands', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const log = await filled(directory);
    await log.append([freeze(2, 'ann', { keys: withoutBob })], ANN);
    await assert.rejects(log.append([note('late', 'bob', 2)], BOB), (error) => hasCode(error, 'ERR_GATE_KEY'));
    await assert.rejects(
      log.append([note('backdated', 'bob', 1)], BOB),
      (error) => hasCode(error, 'ERR_GATE_RULE') || hasCode(error, 'ERR_GATE_KEY'),
    );
    await log.append([note('new key', 'bob', 2)], signerOf('new bob'));
    assert.deepEqual(textsOf(await open(directory)), ['one', 'two', 'three', 'new key']);
  });

  it('R-03: a revision is signed by a person of the one before', async (t) => {
    const log = await filled(join(temporaryDirectory(t), 'log'));
    const coup = { ...withoutBob, bob: [signerOf('mallory').publicKey] };
    await assert.rejects(log.append([freeze(2, 'bob', { keys: coup })], signerOf('mallory')), (error) =>
      hasCode(error, 'ERR_GATE_KEY'),
    );
    // Who signs themselves out cannot be held to it afterwards.
    await assert.rejects(log.append([freeze(2, 'bob', { keys: withoutBob })], BOB), (error) =>
      hasCode(error, 'ERR_GATE_KEY'),
    );
    await assert.rejects(log.append([freeze(3)], ANN), (error) => hasCode(error, 'ERR_GATE_RULE'));
    assert.equal(log.head.size, 4);
  });
});

describe('R-10: appends', () => {
  it('ignores what is behind the signed head, and cuts it with the next append', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const whole = await filled(directory);
    const path = join(directory, 'log.jsonl');
    const committed = readFileSync(path);
    const tails = [
      Buffer.from('{"torn'),
      Buffer.concat([sealRecord(note('never acknowledged'), ANN), Buffer.from('\n')]),
      Buffer.alloc(100_000),
    ];
    for (const tail of tails) {
      const copy = join(temporaryDirectory(t), 'log');
      cpSync(directory, copy, { recursive: true });
      appendFileSync(join(copy, 'log.jsonl'), tail);
      const log = await open(copy);
      assert.deepEqual(log.head, whole.head);
      await log.append([note('four')], ANN);
      assert.deepEqual(textsOf(await open(copy)), ['one', 'two', 'three', 'four']);
      assert.deepEqual(readFileSync(join(copy, 'log.jsonl')).subarray(0, committed.length), committed);
    }
  });

  it('refuses when another appended since the log was opened, writes nothing, and has then what is new', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    await filled(directory);
    const [mine, theirs] = [await open(directory), await open(directory)];
    await theirs.append([note('theirs')], ANN);
    const before = readFileSync(join(directory, 'log.jsonl'));
    await assert.rejects(mine.append([note('mine')], ANN), (error) => hasCode(error, 'ERR_GATE_LOG_MOVED'));
    assert.deepEqual(readFileSync(join(directory, 'log.jsonl')), before);
    assert.deepEqual(textsOf(mine), ['one', 'two', 'three', 'theirs']);
    await mine.append([note('mine')], ANN);
    assert.deepEqual(textsOf(await open(directory)), ['one', 'two', 'three', 'theirs', 'mine']);
  });

  it('opens what is not there only when told to create it, and creates nothing before the first append', async (t) => {
    const directory = join(temporaryDirectory(t), 'records', 'log');
    await assert.rejects(open(directory, false), isInvalid);
    const log = await open(directory);
    assert.throws(() => readdirSync(directory), { code: 'ENOENT' });
    await log.append([freeze()], ANN);
    assert.deepEqual(readdirSync(directory).toSorted(), [
      '.gitattributes',
      '.gitignore',
      'checkpoint',
      'lock',
      'log.jsonl',
    ]);
  });

  it('waits for whoever appends, until it is aborted', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const log = await filled(directory);
    const held = await lockLog(join(directory, 'lock'), signal);
    const aborted = new AbortController();
    const waiting = await openGateLog(directory, { gateId: GATE_ID, signal: aborted.signal });
    const refused = assert.rejects(waiting.append([note('never')], ANN), { name: 'Error', message: 'enough' });
    aborted.abort(new Error('enough'));
    await refused;
    const later = log.append([note('four')], ANN);
    held[Symbol.dispose]();
    await later;
    assert.deepEqual(textsOf(await open(directory)), ['one', 'two', 'three', 'four']);
  });

  it('keeps each record of two processes exactly once', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    await (await open(directory)).append([freeze()], ANN);
    const writers = ['left', 'right'].map(async (name) => {
      const child = spawn(process.execPath, [WRITER, directory, name, '15'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    });
    await Promise.all(writers);
    const wanted = ['left', 'right'].flatMap((name) => Array.from({ length: 15 }, (_, at) => `${name} ${at}`));
    assert.deepEqual(textsOf(await open(directory)).toSorted(), wanted.toSorted());
  });

  it('loses nothing that was acknowledged to a writer that is killed, and always opens again', async (t) => {
    const directory = join(temporaryDirectory(t), 'log');
    const acknowledged: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      const child = spawn(process.execPath, [WRITER, directory, `round-${round}`, '100000'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      const exit = once(child, 'exit');
      let seen = 0;
      // Kills fall on different steps: some with the first acknowledgement, some a while after another.
      for await (const text of createInterface({ input: child.stdout })) {
        acknowledged.push(text);
        seen += 1;
        if (seen === 1 + (round % 4)) setTimeout(() => child.kill('SIGKILL'), (round * 7) % 11);
      }
      assert.deepEqual(await exit, [null, 'SIGKILL']);
      const texts = textsOf(await open(directory));
      assert.deepEqual(new Set(texts).size, texts.length);
      assert.deepEqual(
        acknowledged.filter((text) => !texts.includes(text)),
        [],
      );
      // At most the one whose acknowledgement the kill cut off.
      assert.ok(texts.length <= acknowledged.length + round + 1, `${texts.length} of ${acknowledged.length}`);
    }
  });
});
