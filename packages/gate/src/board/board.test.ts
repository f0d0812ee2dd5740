import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GrowingTree, leafHash, sha256Hex } from '@holdfast/crypto';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import type { GateRecord, PredicateOf, RecordKind } from '../records/statements.ts';
import { isOnlyRevert } from '../review/refuse-review.ts';
import { deriveBoard } from './derive-board.ts';
import { CONSEQUENCES, PACKET_STATES, type PacketState, SIGNED_EVENTS, TRANSITIONS } from './states.ts';

const SOURCE = { commit: 'a'.repeat(40), tree: 'b'.repeat(64), dirtyFiles: 0 };
const LATER = { commit: 'c'.repeat(40), tree: 'd'.repeat(64), dirtyFiles: 0 };
const RUN_SESSION = '0198a000-0000-7000-8000-000000000001';

interface Shape {
  readonly needs: Readonly<Record<string, readonly string[]>>;
  readonly titles?: Readonly<Record<string, string>>;
}

const person = (id: string, roles: string[]) => ({
  id,
  name: id,
  contact: `${id}@example.com`,
  roles,
  keys: [Buffer.from(sha256Hex(id), 'hex').toString('base64')],
  git: [`${id}@example.com`],
});

function gateFile({ needs, titles = {} }: Shape): string {
  return stringify({
    version: 1,
    id: 'shop',
    title: 'Shop',
    release: '1.0.0',
    resource: 'pkg:npm/shop',
    base: 'v0.9.0',
    scope: { surfaces: [{ id: 'all', title: 'All', paths: ['src/**'], tests: ['*'] }] },
    rubric: {
      P0: [{ id: 'p0', text: 'leak' }],
      P1: [{ id: 'p1', text: 'wrong' }],
      P2: [{ id: 'p2', text: 'ugly' }],
    },
    toolchain: [{ name: 'node', argv: ['node', '--version'], release: 'v26.10.0' }],
    commands: [
      { id: 'unit', kind: 'test', argv: ['npm', 'test'], report: { format: 'tap', from: 'stdout' }, floor: 1 },
    ],
    packets: ['00', ...Object.keys(needs)].map((id) => ({
      id,
      title: titles[id] ?? `Packet ${id}`,
      checklist: ['all read'],
      needs: needs[id] ?? [],
      commands: id === '00' ? [] : ['unit'],
      implementer: 'ann',
      reviewer: 'bob',
      secondReviewer: 'cleo',
    })),
    milestone: ['unit'],
    people: [
      person('ann', ['implementer']),
      person('bob', ['reviewer']),
      person('cleo', ['reviewer', 'approver']),
      person('dan', ['issuer']),
    ],
  });
}

/** Appends records and keeps the log's head as a log would. */
class Log {
  readonly records: GateRecord[] = [];
  readonly #tree = new GrowingTree();
  readonly #tick = { ms: Date.UTC(2026, 0, 1) };

  add<K extends RecordKind>(kind: K, predicate: Omit<PredicateOf<K>, 'gate' | 'at'> & { at?: string }): void {
    this.#tick.ms += 1_000;
    const full = { gate: 'shop', at: new Date(this.#tick.ms).toISOString(), ...predicate };
    const leaf = leafHash(Buffer.from(JSON.stringify(full)));
    const record = {
      kind,
      predicate: full,
      index: this.records.length,
      leaf: Buffer.from(leaf).toString('hex'),
      keyId: '',
    };
    this.records.push(record as unknown as GateRecord); // the pairing of kind and predicate is this function's signature
    this.#tree.append(leaf);
  }

  freeze(text: string, revision: number): void {
    const gateFile = { text, digest: sha256Hex(text) };
    this.add('freeze', { revision, author: 'ann', gateFile, source: SOURCE });
  }

  move(packet: string, event: PredicateOf<'transition'>['event'], over: Partial<PredicateOf<'transition'>> = {}): void {
    this.add('transition', { revision: 1, author: 'ann', packet, event, source: SOURCE, reason: null, ...over });
  }

  /** The reviewer's own run; what it came to is not the board's business. */
  rerun(packet: string, author: string): void {
    this.add('command-run', {
      revision: 1,
      author,
      session: RUN_SESSION,
      role: 'reviewer',
      packet,
      host: { name: 'desk', system: 'linux', release: '6.1', architecture: 'x64' },
      toolchain: [],
      environmentDigest: sha256Hex(''),
      cachesOff: true,
      pack: { digest: sha256Hex(''), bytes: 0 },
      runs: [],
    });
  }

  review(packet: string, over: Partial<PredicateOf<'packet-review'>> = {}): void {
    this.rerun(packet, over.author ?? 'bob');
    this.add('packet-review', {
      revision: 1,
      author: 'bob',
      packet,
      decision: 'approve',
      source: SOURCE,
      changes: [{ path: 'src/a.ts', reason: 'the feature' }],
      authors: ['ann@example.com'],
      session: RUN_SESSION,
      checklist: [{ item: 'all read', done: true }],
      checks: {
        integrity: { result: 'PASS', note: null },
        behaviour: { result: 'PASS', note: null },
        record: { result: 'PASS', note: null },
      },
      residualRisk: 'none that we know',
      rollback: { plan: 'revert the commit', changesDataOrConfiguration: false },
      checkpoint: {
        size: this.records.length,
        root: Buffer.from(this.#tree.root()).toString('hex'),
        commit: SOURCE.commit,
      },
      ...over,
    });
  }

  /** From whatever is legal to approved. */
  carry(packet: string): void {
    if (packet !== '00') this.move(packet, 'start');
    this.move(packet, 'submit');
    this.review(packet);
  }

  stateOf(packet: string): PacketState | undefined {
    return deriveBoard(this.records).packets.get(packet)?.state;
  }

  get illegal(): string[] {
    return deriveBoard(this.records).illegal.map(({ rule }) => rule);
  }
}

function started(shape: Shape): Log {
  const log = new Log();
  log.freeze(gateFile(shape), 1);
  log.carry('00');
  return log;
}

const DIAMOND: Shape = { needs: { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] } };

describe('TRANSITIONS', () => {
  it('R-04: has a cell for every state and event, and no cell leads out of the states', () => {
    for (const state of PACKET_STATES)
      for (const event of [...SIGNED_EVENTS, ...CONSEQUENCES]) {
        const next = TRANSITIONS[state][event];
        assert.ok(next === null || PACKET_STATES.includes(next.state));
        if (next?.review === 'APPROVED') assert.equal(next.state, 'DONE');
      }
  });

  it('R-04: approves only what is DONE', () => {
    for (const state of PACKET_STATES) if (state !== 'DONE') assert.equal(TRANSITIONS[state].approve, null);
  });
});

describe('deriveBoard', () => {
  it('R-03: nothing starts before the freeze, and nothing but packet 00 before its approval', () => {
    const log = new Log();
    log.move('a', 'start');
    assert.deepEqual(log.illegal, ['R-03']);
    log.freeze(gateFile(DIAMOND), 1);
    log.move('a', 'start');
    assert.deepEqual(log.illegal, ['R-03', 'R-05']);
    assert.equal(log.stateOf('00'), 'IN_PROGRESS');
    log.carry('00');
    assert.equal(log.stateOf('a'), 'READY');
    assert.equal(log.stateOf('b'), 'PENDING');
  });

  it('R-05: a packet leaves PENDING only when all its predecessors are approved', () => {
    const log = started(DIAMOND);
    log.carry('a');
    log.carry('b');
    assert.equal(log.stateOf('d'), 'PENDING');
    assert.deepEqual(deriveBoard(log.records).packets.get('d')?.waitsFor, ['c']);
    log.carry('c');
    assert.equal(log.stateOf('d'), 'READY');
    assert.deepEqual(log.illegal, []);
  });

  it('R-02: the board follows from the records alone, and each of its moments from those before', () => {
    const log = started(DIAMOND);
    log.carry('a');
    const stateAt = (size: number) => deriveBoard(log.records.slice(0, size)).packets.get('a')?.state;
    assert.deepEqual(deriveBoard(log.records), deriveBoard(structuredClone(log.records)));
    assert.deepEqual(
      [...new Set(log.records.map((_, index) => stateAt(index + 1)))],
      ['PENDING', 'READY', 'IN_PROGRESS', 'DONE'],
    );
  });

  it('R-05: packets that do not need one another may be done in any order, with the same board', () => {
    const orders = [
      ['b', 'c'],
      ['c', 'b'],
    ].map((order) => {
      const log = started(DIAMOND);
      for (const packet of ['a', ...order, 'd']) log.carry(packet);
      return [...deriveBoard(log.records).packets.values()].map(({ id, state, review }) => ({ id, state, review }));
    });
    assert.deepEqual(orders[0], orders[1]);
    assert.ok(orders[0]?.every(({ review }) => review === 'APPROVED'));
  });

  it('R-05: re-opening a packet starts all that was built on it again, and nothing else', () => {
    const log = started(DIAMOND);
    for (const packet of ['a', 'b', 'c', 'd']) log.carry(packet);
    log.move('b', 'reopen', { author: 'bob', reason: 'a test is missing' });
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((packet) => log.stateOf(packet)),
      ['DONE', 'IN_PROGRESS', 'DONE', 'PENDING'],
    );
    assert.match(deriveBoard(log.records).packets.get('d')?.note ?? '', /packet b/);
  });

  it('R-03: a new freeze re-opens what it changes and what rests on that', () => {
    const log = started(DIAMOND);
    for (const packet of ['a', 'b', 'c', 'd']) log.carry(packet);
    log.freeze(gateFile({ ...DIAMOND, titles: { b: 'Another packet b' } }), 2);
    assert.deepEqual(
      ['00', 'a', 'b', 'c', 'd'].map((packet) => log.stateOf(packet)),
      ['IN_PROGRESS', 'DONE', 'PENDING', 'DONE', 'PENDING'],
    );
    log.move('00', 'submit', { revision: 2 });
    log.review('00', { revision: 2 });
    assert.equal(log.stateOf('b'), 'READY');
  });

  it('R-03: what was decided under an older revision moves nothing', () => {
    const log = started(DIAMOND);
    log.freeze(gateFile({ ...DIAMOND, titles: { a: 'Other' } }), 2);
    log.move('00', 'submit', { revision: 1 });
    assert.deepEqual(log.illegal, ['R-03']);
  });

  it('R-03: refuses a freeze that skips a revision, repeats the last, is of another gate, or of a file that lint refuses', () => {
    const cases: [string, number][] = [
      [gateFile({ ...DIAMOND, titles: { a: 'Other' } }), 3],
      [gateFile(DIAMOND), 2],
      [gateFile(DIAMOND).replace('id: shop', 'id: other'), 2],
      [gateFile(DIAMOND).replace('reviewer: bob', 'reviewer: nobody'), 2],
    ];
    for (const [text, revision] of cases) {
      const log = started(DIAMOND);
      log.freeze(text, revision);
      assert.equal(log.illegal.length, 1);
      assert.equal(deriveBoard(log.records).freeze?.revision, 1);
    }
  });

  it('R-13: only the implementer starts and submits; strangers and reviewers do not', () => {
    for (const author of ['bob', 'cleo', 'dan', 'mallory']) {
      const log = started(DIAMOND);
      log.move('a', 'start', { author });
      assert.deepEqual(log.illegal, ['R-13']);
      assert.equal(log.stateOf('a'), 'READY');
    }
  });

  it('R-08: refuses to submit a dirty tree', () => {
    const log = started(DIAMOND);
    log.move('a', 'start');
    log.move('a', 'submit', { source: { ...SOURCE, dirtyFiles: 1 } });
    assert.deepEqual(log.illegal, ['R-08']);
  });

  it('goes through 2,000 packets in a row without running out of stack', () => {
    const ids = Array.from({ length: 2_000 }, (_, at) => `p${at}`);
    const log = started({ needs: Object.fromEntries(ids.map((id, at) => [id, at === 0 ? [] : [`p${at - 1}`]])) });
    log.freeze(gateFile({ needs: { p0: [] } }), 2);
    assert.equal(deriveBoard(log.records).packets.size, 2);
  });

  it('R-04, R-05: whatever is forced into the log, no packet is further on than its predecessors allow', () => {
    const packets = ['00', 'a', 'b', 'c', 'd'];
    const step = fc.record({
      packet: fc.constantFrom(...packets),
      event: fc.constantFrom('start', 'submit', 'approve', 'block', 'unblock', 'reopen', 'request-changes' as const),
      author: fc.constantFrom('ann', 'bob', 'cleo', 'mallory'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const log = started(DIAMOND);
        for (const { packet, event, author } of steps) {
          if (event === 'approve' || event === 'request-changes') log.review(packet, { author, decision: event });
          else log.move(packet, event, { author, reason: 'because' });
          const board = deriveBoard(log.records);
          for (const { id, state } of board.packets.values()) {
            const needs = DIAMOND.needs[id] ?? [];
            const open = needs.filter((need) => board.packets.get(need)?.review !== 'APPROVED');
            assert.ok(
              state === 'PENDING' || open.length === 0,
              `${id} is ${state} although ${open.join()} is not approved`,
            );
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** Packet `a`, waiting for its reviewer. */
const submitted = (): Log => {
  const log = started(DIAMOND);
  log.move('a', 'start');
  log.move('a', 'submit');
  return log;
};

describe('reviews', () => {
  const refused: { name: string; rule: string; over: Partial<PredicateOf<'packet-review'>> }[] = [
    { name: 'R-13: by the implementer', rule: 'R-13', over: { author: 'ann', authors: [] } },
    { name: 'R-13: by somebody who is not its reviewer', rule: 'R-13', over: { author: 'cleo' } },
    { name: 'R-13: by an author of the change', rule: 'R-13', over: { authors: ['BOB@example.com'] } },
    { name: 'R-14: of other sources than were submitted', rule: 'R-14', over: { source: LATER } },
    { name: 'R-08: of a dirty tree', rule: 'R-08', over: { source: { ...SOURCE, dirtyFiles: 1 } } },
    {
      name: 'R-15: with the checkpoint of another log',
      rule: 'R-15',
      over: { checkpoint: { size: 3, root: 'e'.repeat(64), commit: SOURCE.commit } },
    },
    { name: 'R-14: without a session of the reviewer', rule: 'R-14', over: { session: null } },
    {
      name: 'R-14: with an open item on the checklist',
      rule: 'R-14',
      over: { checklist: [{ item: 'all read', done: false }] },
    },
    { name: 'R-14: with another checklist', rule: 'R-14', over: { checklist: [{ item: 'something', done: true }] } },
    {
      name: 'R-14: with N/A on integrity',
      rule: 'R-14',
      over: {
        checks: {
          integrity: { result: 'N/A', note: 'not needed' },
          behaviour: { result: 'PASS', note: null },
          record: { result: 'PASS', note: null },
        },
      },
    },
    {
      name: 'R-14: with a rollback that only reverts although data changed',
      rule: 'R-14',
      over: { rollback: { plan: 'Revert the commit.', changesDataOrConfiguration: true } },
    },
    {
      name: 'R-14: with a file listed twice',
      rule: 'R-14',
      over: {
        changes: [
          { path: 'a', reason: 'x' },
          { path: 'a', reason: 'y' },
        ],
      },
    },
  ];
  for (const { name, rule, over } of refused)
    it(`refuses one ${name}`, () => {
      const log = submitted();
      log.review('a', over);
      assert.ok(log.illegal.includes(rule), log.illegal.join());
      assert.equal(deriveBoard(log.records).packets.get('a')?.review, 'none');
      assert.equal(log.stateOf('b'), 'PENDING');
    });

  it('R-04: an approval of what was not submitted is refused', () => {
    const log = started(DIAMOND);
    log.review('a');
    assert.deepEqual(log.illegal, ['R-04']);
  });

  it('R-14: a failed check sends the packet back, and an approval does not go with one', () => {
    const log = submitted();
    const checks = {
      integrity: { result: 'PASS', note: null },
      behaviour: { result: 'FAIL', note: 'refunds are wrong' },
      record: { result: 'PASS', note: null },
    } as const;
    log.review('a', { checks });
    assert.deepEqual(log.illegal, ['R-14']);
    log.review('a', { checks, decision: 'request-changes' });
    const a = deriveBoard(log.records).packets.get('a');
    assert.deepEqual([a?.state, a?.review, a?.note], ['CHANGES_REQUESTED', 'CHANGES_REQUESTED', 'refunds are wrong']);
  });

  const P0: PredicateOf<'finding'> = {
    gate: 'shop',
    at: '2026-01-01T00:00:00.000Z',
    revision: 1,
    author: 'bob',
    id: 'F-1',
    title: 'leak',
    surface: 'all',
    packet: 'a',
    location: 'src/a.ts',
    severity: 'P0',
    clause: 'p0',
    defect: 'code',
    disposition: 'open',
    fingerprint: null,
    evidence: [],
    reason: 'seen',
  };

  it('R-13: two different people approve where a P0 was found, and one person twice is one', () => {
    const log = submitted();
    log.add('finding', P0);
    log.review('a');
    assert.equal(deriveBoard(log.records).packets.get('a')?.review, 'none');
    log.review('a');
    assert.deepEqual(log.illegal, ['R-13']);
    assert.equal(log.stateOf('b'), 'PENDING');
    log.review('a', { author: 'cleo' });
    assert.equal(deriveBoard(log.records).packets.get('a')?.review, 'APPROVED');
    assert.equal(log.stateOf('b'), 'READY');
  });

  it('R-13: a P0 found after the approval takes it back until a second person approves', () => {
    const log = submitted();
    log.review('a');
    log.add('finding', P0);
    assert.equal(deriveBoard(log.records).packets.get('a')?.review, 'none');
    log.review('a', { author: 'cleo' });
    assert.equal(deriveBoard(log.records).packets.get('a')?.review, 'APPROVED');
  });
});

describe('isOnlyRevert', () => {
  const cases: { plan: string; want: boolean }[] = [
    { plan: 'revert the commit', want: true },
    { plan: 'Roll back to the previous release and deploy.', want: true },
    { plan: 'Revert the commit, then restore table orders from the backup of 02:00', want: false },
    { plan: '…', want: true },
  ];
  for (const { plan, want } of cases)
    it(`R-14: ${JSON.stringify(plan)} ${want ? 'only reverts' : 'is a plan'}`, () =>
      assert.equal(isOnlyRevert(plan), want));
});
