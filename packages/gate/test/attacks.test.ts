/** Attacks by people who hold valid keys, against the verdict: each is a story that was GO, or could have become one, and must not. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ScanFinding } from '@holdfast/scan';
import { temporaryDirectory } from '@holdfast/testing';
import { readTestReport } from '../src/reports/read-test-report.ts';
import { findGit } from '../src/source/git.ts';
import { type RunRecord, RunRecordSchema } from '../src/records/run-record.ts';
import { countMatches } from '../src/run/output-signs.ts';
import { LogReader } from '../src/log/log-reader.ts';
import { sealRecord } from '../src/records/seal-record.ts';
import { ANN, BOB, freeze, GATE_ID, note } from './sample-gate.ts';
import { goStory, SHOP, Story, type StoryOptions } from './story.ts';
import { issue, now, secret, SECRET_ID, told } from './told.ts';

const vulnerability: ScanFinding = { ...secret, rule: 'GHSA-0000-0000-0000', location: 'pkg:npm/left-pad@1.0.0' };

/** The shop, with a second team: `zed` implements packet b. */
const TWO_TEAMS: StoryOptions = {
  gate: {
    ...SHOP,
    packets: SHOP.packets.map((packet) => (packet.id === 'b' ? { ...packet, implementer: 'eve' } : packet)),
    people: SHOP.people.map((person) =>
      person.id === 'eve' ? { ...person, roles: ['implementer', 'approver'] } : person,
    ),
  },
};

const lastRun = (story: Story): RunRecord => {
  const record = story.records.findLast(({ kind }) => kind === 'command-run');
  const [run] = record?.kind === 'command-run' ? record.predicate.runs : [];
  if (run === undefined) throw new TypeError('the story has no run');
  return run;
};

describe('attacks by people with keys', () => {
  it('R-08: a second run under the id of a scan hides nothing that the scan found', () => {
    const story = goStory();
    story.run({
      command: 'secrets',
      role: 'milestone',
      scan: { scanner: 'dependencies', findings: [vulnerability] },
    });
    assert.equal(told(now(story)), 'NO_GO open-finding');
    const { id } = lastRun(story);
    story.run({ command: 'build', author: 'ann', role: 'implementer', packet: 'b', run: { id } });
    assert.equal(now(story).verdict, 'NO_GO');
  });

  it('R-24: what a SARIF report found is open like the findings of any other scan', () => {
    const sarif = { format: 'sarif', from: 'stdout' };
    const commands = SHOP.commands.map((command) =>
      command.id === 'secrets' ? { ...command, report: sarif } : command,
    );
    const story = new Story({ gate: { ...SHOP, commands } }).freeze();
    for (const { id } of story.gate.packets) story.carry(id);
    story.milestone();
    assert.equal(told(now(story)), 'GO');
    const scan = { scanner: 'imported' } as const;
    story.run({ command: 'secrets', role: 'milestone', scan: { ...scan, findings: [vulnerability] } });
    assert.equal(told(now(story)), 'NO_GO open-finding');
    story.run({
      command: 'secrets',
      role: 'milestone',
      scan: { ...scan, state: 'inconclusive', reasons: ['it failed'] },
    });
    assert.equal(told(now(story)), 'INCONCLUSIVE evidence-inconclusive');
    story.run({ command: 'secrets', role: 'milestone', without: ['scan-result'] });
    assert.match(told(now(story)), /^NO_GO evidence-invalid/);
  });

  it('R-16: the implementer does not lower the severity of what others found in their packet', () => {
    const story = goStory();
    story.finding({ author: 'bob', severity: 'P1' });
    story.finding({ author: 'ann', severity: 'P2', disposition: 'false-positive' });
    assert.equal(told(now(story)), 'NO_GO open-finding severity-lowering-ignored dismissal-ignored');
  });

  it('R-16: moving a finding to a packet of somebody else does not let its implementer dismiss it', () => {
    const story = goStory(TWO_TEAMS);
    story.finding({ author: 'bob', packet: 'a' });
    story.finding({ author: 'ann', packet: 'b', disposition: 'false-positive' });
    assert.equal(told(now(story)), 'NO_GO open-finding dismissal-ignored');
  });

  it('R-16: what was dismissed or deferred as a P2 is open again when it becomes a P1', () => {
    for (const disposition of ['deferred', 'false-positive'] as const) {
      const story = goStory();
      story.finding({ severity: 'P2' });
      story.finding({ author: 'ann', severity: 'P2', disposition });
      assert.equal(told(now(story)), 'GO');
      story.finding({ author: 'ann', severity: 'P1', disposition: 'deferred' });
      assert.match(told(now(story)), /^NO_GO open-finding/);
    }
  });

  it('R-24: a run that does not exist proves no revocation', () => {
    const story = goStory();
    story.run({ command: 'secrets', role: 'milestone', scan: { findings: [secret] } });
    const evidence = ['revoked: at the provider', 'replaced: in the vault'].map((note) => ({
      run: story.id(),
      digest: null,
      note,
    }));
    story.finding({ id: SECRET_ID, packet: null, severity: 'P0', disposition: 'resolved', evidence });
    assert.equal(told(now(story)), 'NO_GO open-finding secret-not-closed');
  });

  it('R-09: a flake is resolved by runs of the command that was flaky, not of another', () => {
    const story = goStory();
    story.run({ command: 'unit', role: 'milestone', run: { exitCode: 1 } });
    story.run({ command: 'unit', role: 'milestone' });
    const run = story.run({ command: 'build', role: 'milestone' });
    const about = { id: 'FLAKE-unit', packet: null, disposition: 'resolved' } as const;
    story.finding({ ...about, evidence: [{ run, digest: null, note: 'green' }] });
    assert.equal(told(now(story)), 'NO_GO open-finding resolution-not-evidenced');
  });

  it('R-16: a defect in the code is resolved by tests that reach its surface, not by a build', () => {
    const story = goStory();
    story.finding();
    const resolve = (run: string) =>
      story.finding({ disposition: 'resolved', evidence: [{ run, digest: null, note: 'green' }] });
    resolve(story.run({ command: 'build', role: 'milestone' }));
    assert.equal(told(now(story)), 'NO_GO open-finding resolution-not-evidenced');
    resolve(story.run({ command: 'unit', role: 'milestone' }));
    assert.equal(told(now(story)), 'GO');
  });

  it('R-21: an addendum lifts no condition that nobody accepted, though a verdict names it', () => {
    const story = goStory();
    story.finding({ author: 'bob' });
    issue(story);
    const forged = story.records.at(-1);
    if (forged?.kind !== 'gate-verdict') throw new TypeError('no verdict was issued');
    const { gate: _, revision: __, author: ___, at: ____, ...typed } = forged.predicate;
    const condition = { id: 'C-1', finding: 'F-1', text: 'x', command: 'build', owner: 'ann' };
    const dates = { due: '2026-03-05', expires: '2026-03-06' };
    const verdict = story.add('gate-verdict', 'dan', {
      ...typed,
      verdict: 'GO_WITH_CONDITIONS',
      conditions: [{ ...condition, ...dates }],
    });
    const run = story.run({ command: 'build', role: 'milestone' });
    const { commit } = typed.source;
    story.add('addendum', 'dan', {
      verdict: verdict?.leaf ?? '',
      source: typed.source,
      lifts: [{ condition: 'C-1', fix: 'none', commit, run }],
    });
    assert.match(told(now(story)), /^NO_GO open-finding/);
  });

  it('R-19: an acceptance that does not count makes no condition that stands, nor one that an addendum lifts', () => {
    const story = goStory();
    story.finding({ author: 'bob' });
    story.accept({ author: 'ann' });
    assert.match(told(now(story)), /^NO_GO open-finding/);
    issue(story);
    const verdict = story.records.at(-1);
    assert.deepEqual(verdict?.kind === 'gate-verdict' && verdict.predicate.conditions, []);
  });

  it('R-19: an acceptance that does not count takes no condition away from one that does', () => {
    const condition = { id: 'C-1', text: 'none', command: 'unit', owner: 'ann', due: '2026-03-01' };
    for (const over of [{ condition }, { control: { text: 'none', command: 'build' } }, { expires: '2026-03-01' }]) {
      const story = goStory();
      story.finding({ author: 'bob' });
      story.accept({ author: 'cleo' });
      story.accept({ author: 'ann', ...over });
      assert.equal(told(now(story)), 'GO_WITH_CONDITIONS condition-standing');
    }
  });

  it('R-14: a review names a session of its own author, with the commands, before it', () => {
    for (const [author, role] of [
      ['ann', 'implementer'],
      ['dan', 'milestone'],
    ] as const) {
      const story = new Story().freeze().carry('00').move('a', 'start');
      story.run({ command: 'unit', packet: 'a' });
      story.move('a', 'submit');
      story.run({ command: 'unit', packet: role === 'milestone' ? null : 'a', author, role });
      const ran = story.records.findLast((record) => record.kind === 'command-run');
      story.review('a', { session: ran?.predicate.session ?? null });
      assert.equal(now(story).packets[1]?.review, 'none');
      assert.match(told(now(story)), /illegal-record/);
    }
  });
});

describe('attacks on the log', () => {
  it('R-10: a record that was signed by another is not said again in their name', async () => {
    const [first, said] = [sealRecord(freeze(), ANN), sealRecord(note('we can live with it', 'bob'), BOB)];
    const taken = sealRecord(note('we cannot', 'bob'), BOB);
    const reader = new LogReader(GATE_ID);
    await reader.read([first, said, taken]);
    await assert.rejects(reader.copy().read([said]), { code: 'ERR_GATE_LOG_INVALID', fields: REPEATED });
    await assert.rejects(new LogReader(GATE_ID).read([first, said, taken, said]), { code: 'ERR_GATE_LOG_INVALID' });
  });
});
const REPEATED = { record: 3, rule: 'R-10', reason: 'it repeats an earlier record' };

const readJunit = (text: string) => readTestReport('junit', Buffer.from(text), '/');

describe('attacks by the code under test', () => {
  it('R-06: a JUnit suite that failed outside of its tests, or passed at the second attempt, did not pass', () => {
    const refused = { code: 'ERR_REPORT_MALFORMED' };
    assert.throws(() => readJunit('<testsuite><error>no module</error><testcase name="x"/></testsuite>'), refused);
    for (const again of ['flakyFailure', 'flakyError', 'rerunFailure', 'rerunError']) {
      const { results } = readJunit(`<testsuite><testcase name="x"><${again}/></testcase></testsuite>`);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['failed'],
      );
    }
  });

  it('R-07: a dependency that brings a program called git is not asked about the sources', (t) => {
    const root = temporaryDirectory(t);
    const [planted, real] = [join(root, 'node_modules/.bin'), join(root, 'bin')];
    for (const directory of [planted, real]) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'git'), '#!/bin/sh\n', { mode: 0o755 });
    }
    assert.equal(findGit(`${planted}:${real}`), join(real, 'git'));
    assert.throws(() => findGit(planted), { code: 'ERR_GATE_SOURCE' });
  });

  it('R-09: a file whose name is a member of every object is matched like any other', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const matches = countMatches(names.map((name) => `${name}:1:secret\n`).join(''));
    const kept = RunRecordSchema.shape.matches.parse(matches);
    assert.equal(Object.keys(kept ?? {}).length, names.length);
  });
});
