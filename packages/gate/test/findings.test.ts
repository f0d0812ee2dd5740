import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ScanSummary } from '@holdfast/scan';
import { CLEAN_SCAN, FIXED, goStory, SOURCE, Story } from './story.ts';
import { now, SECRET_ID, secret, told } from './told.ts';

const covering = (bytes: number) => ({ coverage: { ...CLEAN_SCAN.coverage, bytes } });

describe('assess: findings', () => {
  it('R-17: an open P0 or P1 blocks, a P2 is tracked', () => {
    for (const [severity, want] of [
      ['P0', 'NO_GO packet-not-approved open-finding second-review-missing'],
      ['P1', 'NO_GO open-finding'],
      ['P2', 'GO'],
    ] as const) {
      const story = goStory();
      story.finding({ severity });
      assert.equal(told(now(story)), want);
    }
  });

  it('R-13: a P0 that a scan of a packet found says what lets its second reviewer in, and that does', () => {
    const story = new Story().freeze().carry('00').carry('a').move('b', 'start');
    for (const command of ['secrets', 'build']) {
      story.run({ command, packet: 'b', scan: { scanner: 'dependencies', findings: [secret] } });
    }
    story.move('b', 'submit');
    for (const command of ['secrets', 'build']) story.run({ command, role: 'reviewer', packet: 'b' });
    story.review('b');
    const missing = () => now(story).reasons.find(({ code }) => code === 'second-review-missing');
    assert.match(missing()?.text ?? '', /`holdfast gate finding update S-ab12ab12ab12 --reason/);
    story.finding({ id: SECRET_ID, packet: 'b', severity: 'P0' });
    assert.equal(
      missing()?.text,
      'a P0 was found in packet b, which two reviewers approve: a second reviewer runs its commands and reviews it',
    );
    for (const command of ['secrets', 'build']) story.run({ command, role: 'reviewer', packet: 'b', author: 'cleo' });
    story.review('b', { author: 'cleo' });
    assert.equal(missing(), undefined);
    assert.deepEqual(now(story).packets.find(({ id }) => id === 'b')?.approvedBy, ['bob', 'cleo']);
    assert.ok(!now(story).reasons.some(({ code }) => code === 'illegal-record'));
  });

  it('R-16: resolved needs a valid passing run after the finding was opened', () => {
    const story = goStory();
    const early = story.run({ command: 'unit', role: 'milestone' });
    story.finding();
    const resolve = (run: string) =>
      story.finding({ disposition: 'resolved', evidence: [{ run, digest: null, note: 'green' }] });
    resolve(early);
    assert.equal(told(now(story)), 'NO_GO open-finding resolution-not-evidenced');
    resolve(story.run({ command: 'build', role: 'milestone', run: { exitCode: 1 } }));
    assert.equal(told(now(story)), 'NO_GO open-finding resolution-not-evidenced');
    resolve(story.run({ command: 'unit', role: 'milestone' }));
    assert.equal(told(now(story)), 'GO');
    story.finding({ disposition: 'open' });
    assert.match(told(now(story)), /^NO_GO open-finding/);
  });

  it('R-16: who set a severity does not lower it; another person does', () => {
    const story = goStory();
    story.finding({ author: 'bob', severity: 'P1' });
    story.finding({ author: 'bob', severity: 'P2' });
    assert.equal(told(now(story)), 'NO_GO open-finding severity-lowering-ignored');
    story.finding({ author: 'eve', severity: 'P2' });
    assert.equal(told(now(story)), 'GO');
  });

  it('R-16: raising in between does not let anybody lower below what they set themselves', () => {
    const story = goStory();
    story.finding({ author: 'bob', severity: 'P1' });
    story.finding({ author: 'eve', severity: 'P0' });
    story.finding({ author: 'bob', severity: 'P2' });
    assert.equal(now(story).findings[0]?.severity, 'P0');
    story.finding({ author: 'bob', severity: 'P1' });
    assert.equal(now(story).findings[0]?.severity, 'P1');
  });

  it('R-16: the implementer does not dismiss what blocks', () => {
    const story = goStory();
    story.finding();
    story.finding({ author: 'ann', disposition: 'false-positive' });
    assert.equal(told(now(story)), 'NO_GO open-finding dismissal-ignored');
    story.finding({ author: 'bob', disposition: 'false-positive' });
    assert.equal(told(now(story)), 'GO');
  });

  it('R-16: a P1 cannot be deferred, and cites a clause of its severity', () => {
    const story = goStory();
    story.finding({ disposition: 'deferred', clause: 'ugly' });
    assert.equal(told(now(story)), 'NO_GO open-finding clause-unknown');
    const tracked = goStory();
    tracked.finding({ disposition: 'deferred', severity: 'P2' });
    assert.equal(told(now(tracked)), 'GO');
  });

  it('R-24: what a scan found is open without anybody typing it, and a secret stays though a later scan does not see it', () => {
    const story = goStory();
    story.run({ command: 'secrets', role: 'milestone', scan: { findings: [secret] } });
    assert.equal(told(now(story)), 'NO_GO open-finding');
    story.run({ command: 'secrets', role: 'milestone' });
    assert.deepEqual(
      now(story).findings.map(({ id, status }) => ({ id, status })),
      [{ id: SECRET_ID, status: 'open' }],
    );
  });

  it('R-24: a secret closes only with proof of revocation and of replacement', () => {
    const revoked = { run: null, digest: 'a'.repeat(64), note: 'revoked: in the console of the provider' };
    const replaced = { run: null, digest: 'b'.repeat(64), note: 'replaced: by a key in the vault' };
    for (const { evidence, want } of [
      { evidence: [], want: 'NO_GO open-finding secret-not-closed' },
      { evidence: [revoked], want: 'NO_GO open-finding secret-not-closed' },
      { evidence: [revoked, { ...replaced, digest: null }], want: 'NO_GO open-finding secret-not-closed' },
      { evidence: [revoked, { ...replaced, note: 'replaced:' }], want: 'NO_GO open-finding secret-not-closed' },
      { evidence: [revoked, replaced], want: 'GO' },
    ]) {
      const story = goStory();
      story.run({ command: 'secrets', role: 'milestone', scan: { findings: [secret] } });
      const about = { id: SECRET_ID, fingerprint: secret.fingerprint, packet: null, severity: 'P0' } as const;
      story.finding({ ...about, disposition: 'resolved', evidence });
      assert.equal(told(now(story)), want);
    }
  });

  it('R-24: a suppression with its reason and owner takes a finding out', () => {
    const story = goStory();
    const suppressed = { reason: 'an example of the provider', owner: 'bob' };
    story.run({ command: 'secrets', role: 'milestone', scan: { findings: [{ ...secret, suppressed }] } });
    assert.equal(told(now(story)), 'GO');
  });

  it('R-24: two findings whose fingerprints begin alike stay two, and the first keeps its id', () => {
    const starts = ['ab12ab12ab12', 'ab12ab12ab12f', 'ab12ab12ab12fe'];
    const alike = starts.map((start) => Object.assign({}, secret, { fingerprint: start.padEnd(64, '0') }));
    const story = goStory();
    story.run({ command: 'secrets', role: 'milestone', scan: { findings: alike.slice(0, 1) } });
    const ids = () => now(story).findings.map(({ id }) => id);
    assert.deepEqual(ids(), [SECRET_ID]);
    story.run({ command: 'secrets', role: 'milestone', scan: { findings: alike.toReversed() } });
    // The last one came second, so what is left to tell the other from it is its fourteenth digit.
    assert.deepEqual(ids(), [SECRET_ID, 'S-ab12ab12ab12f', 'S-ab12ab12ab12f0']);
    story.finding({
      id: 'F-9',
      fingerprint: alike[1]?.fingerprint ?? null,
      severity: 'P0',
      disposition: 'false-positive',
    });
    const open = now(story).findings.filter(({ status }) => status === 'open');
    assert.deepEqual(
      open.map(({ id }) => id),
      [SECRET_ID, 'S-ab12ab12ab12f'],
    );
  });

  it('R-16: what the newest scan still finds is not resolved by saying so', () => {
    const story = goStory();
    const scan: Partial<ScanSummary> = { scanner: 'dependencies', findings: [{ ...secret, severity: 'P1' }] };
    const run = story.run({ command: 'secrets', role: 'milestone', scan });
    const about = { id: SECRET_ID, severity: 'P1', packet: null } as const;
    story.finding({ ...about, disposition: 'resolved', evidence: [{ run, digest: null, note: 'fixed' }] });
    assert.equal(told(now(story)), 'NO_GO open-finding resolution-contradicted');
    story.run({ command: 'secrets', role: 'milestone', scan: { scanner: 'dependencies' } });
    assert.notEqual(now(story).findings[0]?.origin, 'scan');
  });

  it('R-09: a pass after a failure on the same sources is a flake, until a person explains it, and again when it happens again', () => {
    const story = goStory();
    const flake = (): void => {
      story.run({ command: 'unit', role: 'milestone', run: { exitCode: 1 } });
      story.run({ command: 'unit', role: 'milestone' });
    };
    flake();
    assert.deepEqual(
      now(story).findings.map(({ id, severity }) => `${id} ${severity}`),
      ['FLAKE-unit P1'],
    );
    assert.equal(told(now(story)), 'NO_GO open-finding');
    story.finding({ id: 'FLAKE-unit', packet: null, disposition: 'false-positive', reason: 'the disk was full' });
    assert.equal(told(now(story)), 'GO');
    flake();
    assert.equal(told(now(story)), 'NO_GO open-finding');
  });

  it('R-09: a failure on other sources or while they were edited is no flake', () => {
    const story = goStory();
    story.run({ command: 'unit', role: 'milestone', source: FIXED, run: { exitCode: 1 } });
    story.run({ command: 'unit', role: 'milestone', source: { ...SOURCE, dirtyFiles: 1 }, run: { exitCode: 1 } });
    story.run({ command: 'unit', role: 'milestone' });
    assert.equal(told(now(story)), 'GO');
  });

  it('R-34: a scan that covered a quarter of the bytes of the last one', () => {
    const story = goStory();
    story.run({ command: 'secrets', role: 'milestone', scan: covering(90_000) });
    assert.equal(told(now(story)), 'GO');
    story.run({ command: 'secrets', role: 'milestone', scan: covering(80_999) });
    assert.equal(told(now(story)), 'NO_GO open-finding');
    story.run({ command: 'secrets', role: 'milestone', scan: covering(22_500) });
    story.run({ command: 'secrets', role: 'milestone', scan: covering(22_500) });
    assert.deepEqual(
      now(story).findings.map(({ id }) => id),
      ['COVERAGE-secrets'],
    );
    story.finding({
      id: 'COVERAGE-secrets',
      packet: null,
      disposition: 'false-positive',
      reason: 'vendored code left',
    });
    assert.equal(told(now(story)), 'GO');
  });
});
