import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { deriveBoard } from '../src/board/derive-board.ts';
import { assess } from '../src/verdict/assess.ts';
import { exitCodeOf } from '../src/verdict/exit-code.ts';
import { planVerdict } from '../src/verdict/plan-verdict.ts';
import { FIXED, goStory, SHOP, SOURCE, Story, TESTS } from './story.ts';
import { assessAt, at, now, told } from './told.ts';

/** A GO from which records are missing; what a person would have been refused to do is left out too. */
const tryStory = (omit: (appended: number) => boolean): Story => goStory({ omit });

const withSurface = (surface: object) => ({
  ...SHOP,
  scope: { surfaces: [...SHOP.scope.surfaces, { title: 'More', paths: ['src/more/**'], ...surface }] },
});

describe('assess: the verdict', () => {
  it('R-19: GO when nothing is open, all is approved and the milestone is green', () => {
    const assessment = now(goStory());
    assert.equal(told(assessment), 'GO');
    assert.deepEqual(assessment.counts, {
      packets: 3,
      approved: 3,
      surfaces: 2,
      covered: 2,
      commands: 3,
      runs: 8,
      validRuns: 8,
      tests: 6,
      findings: { P0: 0, P1: 0, P2: 0 },
      conditions: 0,
      risks: 0,
    });
  });

  it('R-19: NO_GO without records, and before the first freeze', () => {
    assert.equal(told(now(new Story())), 'NO_GO not-frozen');
  });

  it('R-34: no single record can be left out of a GO', () => {
    const { asked } = goStory();
    for (let left = 0; left < asked; left++) {
      const story = tryStory((appended) => appended === left);
      assert.notEqual(now(story).verdict, 'GO', `without record ${left}`);
    }
  });

  it('R-34: no set of records can be left out of a GO', () => {
    const { asked } = goStory();
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: asked - 1 }), { minLength: 1, maxLength: 8 }), (left) => {
        assert.notEqual(now(tryStory((appended) => left.includes(appended))).verdict, 'GO');
      }),
      { numRuns: 60 },
    );
  });

  it('R-03: NO_GO when the gate file in the tree is not the frozen one', () => {
    const story = goStory();
    const input = { records: story.records, candidate: SOURCE, nowMs: story.nowMs };
    assert.equal(told(assess({ ...input, current: { digest: 'a'.repeat(64) } })), 'NO_GO gate-file-changed');
    assert.equal(told(assess({ ...input, current: null })), 'GO');
  });

  it('R-34: NO_GO while the fix is not committed', () => {
    assert.match(told(now(goStory(), { ...SOURCE, dirtyFiles: 1 })), /^NO_GO candidate-dirty/);
  });

  it('R-20: the milestone is judged at the candidate, packets where they were submitted', () => {
    const story = goStory();
    story.redo('b', FIXED);
    assert.equal(told(now(story, FIXED)), 'NO_GO evidence-invalid milestone-misses-surface');
    assert.equal(told(now(story.milestone(FIXED), FIXED)), 'GO');
  });

  it('R-14: no GO for what nobody reviewed, however green', () => {
    const later = goStory().milestone(FIXED);
    assert.equal(told(now(later, FIXED)), 'NO_GO unreviewed-changes');
    // A packet that begins where nobody reviewed what came before reviews only what it adds.
    const gap = new Story().freeze().carry('00').carry('a').carry('b', FIXED).milestone(FIXED);
    assert.equal(told(now(gap, FIXED)), 'NO_GO unreviewed-changes');
  });

  it('R-14: work that was taken back is still part of what its packet shows to its reviewer', () => {
    const story = new Story().freeze().carry('00').carry('a').move('b', 'start');
    story.move('a', 'reopen').move('b', 'start', FIXED); // pending meanwhile: not legal, moves nothing
    const board = deriveBoard(story.records);
    assert.deepEqual(board.packets.get('b')?.startedSource, SOURCE);
  });

  it('R-34: a milestone smaller than the packets', () => {
    const story = new Story().freeze().carry('00').carry('a').carry('b');
    story.run({
      command: 'unit',
      role: 'milestone',
      tests: TESTS.map(({ status }, n) => ({ id: `db > ${n}`, status })),
    });
    story.run({ command: 'secrets', role: 'milestone' });
    assert.equal(told(now(story)), 'NO_GO milestone-misses-surface');
  });

  it('R-34: a surface that no command touches', () => {
    const story = goStory({ gate: withSurface({ id: 'mail', tests: ['mail > *'], p0: false }) });
    assert.equal(told(now(story)), 'NO_GO surface-uncovered');
  });

  it('R-06: a surface whose tests were only skipped is not covered', () => {
    const story = new Story().freeze().carry('00').carry('b');
    const tests = [
      ...TESTS.slice(0, 1),
      { id: 'web > pays', status: 'passed' },
      { id: 'db > keeps an order', status: 'skipped' },
    ] as const;
    story.move('a', 'start');
    story.run({ command: 'unit', packet: 'a', tests });
    story.move('a', 'submit').run({ command: 'unit', packet: 'a', role: 'reviewer', tests });
    story.review('a').run({ command: 'unit', role: 'milestone', tests });
    story.run({ command: 'secrets', role: 'milestone' });
    assert.equal(told(now(story)), 'NO_GO surface-uncovered milestone-misses-surface');
  });

  it('R-11: evidence of a lower tier than the surface asks for does not cover it', () => {
    const drill = { id: 'drill', kind: 'drill', argv: ['drill'], tier: 'local-rehearsal' };
    const gate = {
      ...withSurface({ id: 'live', tests: ['web > *'], p0: false, minTier: 'local-rehearsal' }),
      commands: [...SHOP.commands, { ...drill, floor: 1, report: { format: 'tap', from: 'stdout' } }],
      packets: [...SHOP.packets.slice(0, 2), { ...SHOP.packets[2], commands: ['secrets', 'build', 'drill'] }],
      milestone: ['unit', 'secrets', 'drill'],
    };
    assert.equal(told(now(goStory({ gate }))), 'GO');
    const story = new Story({ gate }).freeze().carry('00').carry('a').move('b', 'start');
    const runAs = (role: 'implementer' | 'reviewer' | 'milestone', commands: readonly string[]): void => {
      const tests = [{ id: 'db > is switched over', status: 'passed' }] as const;
      const packet = role === 'milestone' ? null : 'b';
      for (const command of commands) story.run({ command, role, packet, ...(command === 'drill' ? { tests } : {}) });
    };
    runAs('implementer', ['secrets', 'build', 'drill']);
    story.move('b', 'submit');
    runAs('reviewer', ['secrets', 'build', 'drill']);
    story.review('b');
    runAs('milestone', ['unit', 'secrets', 'drill']);
    assert.equal(told(now(story)), 'NO_GO surface-tier-too-low');
  });

  it('R-04: NO_GO while an illegal record stands', () => {
    const story = goStory();
    story.move('a', 'unblock');
    assert.equal(told(now(story)), 'NO_GO illegal-record');
  });

  it('R-34: one key for two people counts for neither', () => {
    const story = goStory();
    const last = story.records.at(-1);
    assert.ok(last !== undefined);
    story.records[story.records.length - 1] = { ...last, keyId: 'SHA256:ann' };
    assert.equal(told(now(story)), 'NO_GO shared-key');
  });

  it('R-05: NO_GO when a packet is opened again', () => {
    const story = goStory().move('a', 'reopen');
    assert.match(told(now(story)), /^NO_GO packet-not-approved/);
  });

  it('R-08: evidence expires in the millisecond after its last', () => {
    const story = goStory();
    const first = story.records.find(({ kind }) => kind === 'command-run');
    assert.ok(first?.kind === 'command-run');
    const lastMs = at(first.predicate.runs[0]?.startedAt ?? '') + 168 * 3_600_000;
    assert.equal(told(assessAt(story, lastMs)), 'GO');
    assert.equal(told(assessAt(story, lastMs + 1)), 'NO_GO evidence-invalid');
  });

  it('R-08: a clock that was set back does not lengthen anything', () => {
    const story = goStory();
    assert.equal(told(assessAt(story, story.nowMs - 5 * 60_000)), 'GO');
    assert.match(told(assessAt(story, story.nowMs - 5 * 60_000 - 1)), /^NO_GO record-from-the-future/);
  });

  it('R-25: INCONCLUSIVE when all that is wrong is that something could not be judged', () => {
    const story = goStory();
    story.run({ command: 'secrets', role: 'milestone', scan: { state: 'inconclusive', reasons: ['no data'] } });
    assert.equal(told(now(story)), 'INCONCLUSIVE evidence-inconclusive');
    story.run({ command: 'unit', role: 'milestone', run: { exitCode: 1 } });
    assert.match(told(now(story)), /^NO_GO evidence-invalid evidence-inconclusive/);
  });

  it('R-23: exit codes', () => {
    const results = ['GO', 'GO_WITH_CONDITIONS', 'NO_GO', 'STALE', 'NONE', 'INCONCLUSIVE'] as const;
    assert.deepEqual(results.map(exitCodeOf), [0, 10, 20, 20, 20, 30]);
  });

  it('R-05: the records of packets that need not wait for one another may come in any order', () => {
    const turns = fc.array(fc.nat({ max: 3 }), { minLength: 60, maxLength: 60 });
    const inTurn = verdictOf(interleaved([]));
    assert.equal(inTurn.verdict, 'GO');
    fc.assert(
      fc.property(turns, (order) => {
        const story = interleaved(order);
        assert.deepEqual(deriveBoard(story.records).illegal, []);
        assert.deepEqual(verdictOf(story), inTurn);
      }),
      { numRuns: 60 },
    );
  });
});

/** The verdict with all that it is made of, but for the digest of the log. */
function verdictOf(story: Story) {
  const verdict = planVerdict(now(story), { author: 'dan', artifacts: [], head: story.head });
  return { ...verdict, inputs: { ...verdict.inputs, root: '' } };
}

/**
 * Four packets beside one another, from the start to the review.
 *
 * @param turns whose step comes next, by number; at the end the packets finish one after the other
 */
function interleaved(turns: readonly number[]): Story {
  const template = SHOP.packets.find(({ id }) => id === 'a');
  const ids = ['a', 'b', 'c', 'd'];
  const packets = ids.map((id) => ({ ...template, id, title: `Packet ${id}`, commands: ['unit', 'secrets'] }));
  const story = new Story({ gate: { ...SHOP, packets: [...SHOP.packets.slice(0, 1), ...packets] } });
  story.freeze().carry('00');
  const steps = ids.map((id) => stepsOf(story, id));
  for (const turn of turns) steps[turn]?.shift()?.();
  for (const rest of steps) for (const step of rest) step();
  return story.milestone();
}

function stepsOf(story: Story, packet: string): (() => unknown)[] {
  const commands = ['unit', 'secrets'];
  const ownSession = (): string | null => {
    const own = story.records.findLast(
      ({ kind, predicate }) => kind === 'command-run' && predicate.packet === packet && predicate.role === 'reviewer',
    );
    return own?.kind === 'command-run' ? own.predicate.session : null;
  };
  return [
    () => story.move(packet, 'start'),
    ...commands.map((command) => () => story.run({ command, packet })),
    () => story.finding({ id: `F-${packet}`, packet, severity: 'P2' }),
    () => story.move(packet, 'submit'),
    ...commands.map((command) => () => story.run({ command, packet, role: 'reviewer' })),
    () => story.review(packet, { session: ownSession() }),
  ];
}
