import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode, HoldfastError } from '@holdfast/core';
import { consistencyProof, leafHash, nodesOf, rootOf, signCheckpoint, signerFromSeed } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { LOG_ORIGIN, logSigner, testTrust } from '../test/agent-fixture.ts';
import { witnessCheckpoint } from './log-witness.ts';
import { type Memory, openMemory } from './memory.ts';

const { signal } = new AbortController();

/** A log whose entries are known; forks at `forkAt`. */
class Log {
  readonly leaves: Uint8Array[];

  constructor(size: number, forkAt = Infinity) {
    this.leaves = Array.from({ length: size }, (_, index) =>
      leafHash(Buffer.from(`${index >= forkAt ? 'forged' : 'entry'} ${index}`)),
    );
  }

  note(size: number, signer = logSigner, origin = LOG_ORIGIN): string {
    return signCheckpoint({ origin, size, root: rootOf(this.leaves.slice(0, size)) }, signer);
  }

  readonly server = {
    consistency: async (from: number, to: number) => ({
      from,
      to,
      hashes: consistencyProof(from, to, nodesOf(this.leaves.slice(0, to))).map((hash) =>
        Buffer.from(hash).toString('hex'),
      ),
    }),
  };
}

const wallMs = (): number => Date.UTC(2026, 5, 1);

function open(t: TestContext): { memory: Memory; witness: (log: Log, note: string) => Promise<void> } {
  const memory = openMemory(join(temporaryDirectory(t), 'memory.sqlite'));
  t.after(() => memory.close());
  return {
    memory,
    witness: (log, note) =>
      witnessCheckpoint(note, { trust: testTrust(''), memory, server: log.server, wallMs }, signal),
  };
}

const isRewritten = (error: unknown): boolean => hasCode(error, 'ERR_AGENT_LOG_REWRITTEN');

describe('the witness of the log', () => {
  it('P-34: follows a log that only grows, from empty on', async (t) => {
    const { memory, witness } = open(t);
    const log = new Log(40);
    for (const size of [0, 0, 1, 2, 7, 8, 8, 31, 40]) {
      await witness(log, log.note(size));
      assert.equal(memory.witness()?.size, size);
    }
  });

  it('P-34: a log that shrank, or has another root for the same size, was rewritten', async (t) => {
    for (const [size, log] of [
      [19, new Log(30)],
      [20, new Log(30, 5)],
    ] as const) {
      const { witness } = open(t);
      await witness(new Log(30), new Log(30).note(20));
      await assert.rejects(witness(log, log.note(size)), isRewritten);
    }
  });

  it('P-34: a longer log that does not begin with the known one was rewritten', async (t) => {
    for (let forkAt = 0; forkAt < 20; forkAt++) {
      const { memory, witness } = open(t);
      const honest = new Log(20);
      await witness(honest, honest.note(20));
      const forged = new Log(33, forkAt);
      await assert.rejects(witness(forged, forged.note(33)), isRewritten, `fork at ${forkAt}`);
      assert.equal(memory.witness()?.size, 20);
    }
  });

  it('P-34: both notes are kept as proof, and nothing after that is believed', async (t) => {
    const { memory, witness } = open(t);
    const honest = new Log(25);
    const forged = new Log(25, 3);
    await witness(honest, honest.note(20));
    await assert.rejects(witness(forged, forged.note(20)), isRewritten);
    await assert.rejects(witness(honest, honest.note(25)), isRewritten);
    assert.equal(memory.witness()?.note, honest.note(20));
    assert.equal(memory.witness()?.conflictingNote, forged.note(20));
  });

  it('P-34: without a proof nothing is remembered, and the next checkpoint is held against the old one', async (t) => {
    const { memory, witness } = open(t);
    const log = new Log(30);
    await witness(log, log.note(10));
    const silent = new Log(30);
    Object.assign(silent, {
      server: {
        consistency: async () => {
          throw new HoldfastError('no', { code: 'ERR_AGENT_PROTOCOL' });
        },
      },
    });
    await assert.rejects(witness(silent, silent.note(20)), (error) => hasCode(error, 'ERR_AGENT_PROTOCOL'));
    assert.equal(memory.witness()?.size, 10);
    const forged = new Log(30, 2);
    await assert.rejects(witness(forged, forged.note(30)), isRewritten);
  });

  it('P-04: a note by another key, of another origin, or changed is refused and remembered nowhere', async (t) => {
    const { memory, witness } = open(t);
    const log = new Log(5);
    const stranger = signerFromSeed(new Uint8Array(32).fill(1));
    const notes = [
      log.note(5, stranger),
      log.note(5, logSigner, 'other.test/org'),
      log.note(5).replace('\n5\n', '\n4\n'),
      '',
    ];
    for (const note of notes) {
      await assert.rejects(witness(log, note), (error) => hasCode(error, 'ERR_SIGNATURE_INVALID'));
    }
    assert.equal(memory.witness(), null);
  });

  it('P-04: a key that is pinned for something else, or no longer valid, signs no checkpoint', async (t) => {
    const { memory } = open(t);
    const log = new Log(5);
    const trust = testTrust('');
    const [pinned] = trust.keys;
    assert.ok(pinned);
    const changes = [{ purposes: ['order' as const] }, { validTo: '2026-01-01T00:00:00.000Z' }];
    for (const change of changes) {
      const deps = {
        trust: { ...trust, keys: [{ ...pinned, ...change }] },
        memory,
        server: log.server,
        wallMs,
      };
      await assert.rejects(witnessCheckpoint(log.note(5), deps, signal), (error) =>
        hasCode(error, 'ERR_SIGNATURE_INVALID'),
      );
    }
  });
});
