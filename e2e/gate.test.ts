/**
 * A release process replayed with the shipped command line: five packets, three of them at the same
 * time, two P1 accepted as conditions, an addendum that lifts them, and a date that passes. Then a
 * stranger with nothing but the bundle and the pins.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { filledIn, GateRepository, NODE } from './gate-repository.ts';
import { HOLDFAST, run } from './holdfast.ts';

const DAY_MS = 86_400_000;
const dateIn = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);

/** Reads a switch from the sources; TAP, without a test runner to start. */
const CHECK = `
import { readFileSync } from 'node:fs';
const [name] = process.argv.slice(2);
const good = readFileSync('src/' + name + '.txt', 'utf8').includes('protected');
console.log('TAP version 13\\n1..1\\n' + (good ? 'ok' : 'not ok') + ' 1 - ' + name + ' is protected');
process.exitCode = good ? 0 : 1;
`;

const CHECKS = ['tenants', 'secrets', 'runbooks', 'sessions'] as const;

const gateYaml = (keys: ReadonlyMap<string, string>): string => `
version: 1
id: shop
title: The shop
release: 2.0.0
resource: pkg:generic/shop
base: null
scope:
  surfaces:
${CHECKS.map((id) => `    - { id: ${id}, title: The ${id}, paths: ["src/${id}.txt"], tests: ["${id} is protected"] }`).join('\n')}
rubric:
  P0: [{ id: leak, text: Data of one customer reaches another }]
  P1: [{ id: unproven, text: A protection that nothing shows }]
  P2: [{ id: minor, text: A defect with a workaround }]
toolchain:
  - { name: node, argv: ["${NODE}", "--version"], release: "${process.version}" }
commands:
${CHECKS.map((id) => `  - { id: ${id}, kind: test, argv: ["${NODE}", "check.mjs", "${id}"], report: { format: tap, from: stdout }, floor: 1 }`).join('\n')}
packets:
  - { id: "00", title: Scope freeze, checklist: [The scope is agreed], implementer: maker, reviewer: reader }
  - { id: "01", title: Authorisation and tenant isolation replay, checklist: [Replayed], commands: [tenants, sessions], implementer: maker, reviewer: reader }
  - { id: "02", title: Secret exposure and dependency audit, checklist: [Audited], commands: [secrets], implementer: maker, reviewer: reader }
  - { id: "03", title: Runbook ratification, checklist: [Ratified], commands: [runbooks], implementer: maker, reviewer: reader }
  - { id: "04", title: Final verdict, checklist: [All of it was read], needs: ["01", "02", "03"], implementer: maker, reviewer: reader }
milestone: [${CHECKS.join(', ')}]
people:
${[
  ['maker', 'implementer'],
  ['reader', 'reviewer, approver'],
  ['decider', 'issuer, approver'],
]
  .map(
    ([id = '', roles = '']) =>
      `  - { id: ${id}, name: The ${id}, contact: ${id}@example.com, roles: [${roles}], keys: ["${keys.get(id) ?? ''}"], git: [${id}@example.com] }`,
  )
  .join('\n')}
`;

const verify = (file: string, ...more: string[]) => run(HOLDFAST, ['gate', 'verify', file, '--json', ...more]);

describe('gate: a release process, replayed', { concurrency: false }, () => {
  let repository: GateRepository;
  const cleanups: (() => void)[] = [];

  before(() => {
    repository = new GateRepository({ after: (fn) => cleanups.push(fn) });
    const keys = new Map(['maker', 'reader', 'decider'].map((id) => [id, repository.addPerson(id)]));
    repository.write('check.mjs', CHECK);
    for (const name of CHECKS) repository.write(`src/${name}.txt`, 'protected\n');
    repository.write('gate.yaml', gateYaml(keys));
    repository.commit('the shop');
  });
  after(() => {
    for (const cleanup of cleanups) cleanup();
  });

  it('R-23: a wrong command line ends with 64, a refused step with 65 and says rule and next step', async () => {
    assert.equal((await repository.look('status', '--nonsense')).exitCode, 64);
    assert.equal((await repository.look('no-such-command')).exitCode, 64);
    assert.equal((await repository.gate('maker', 'run')).exitCode, 64);
    const refused = await repository.gate('maker', 'start', '01');
    assert.equal(refused.exitCode, 65);
    assert.match(refused.stderr, /rule: R-03[^]*reason: nothing starts before[^]*next: /);
  });

  it('R-03: nothing is decided before the freeze, and only the implementer of packet 00 freezes', async () => {
    const before = await repository.look('status');
    assert.equal(before.exitCode, 20);
    assert.match(before.stdout, /NONE[^]*maker: commit the gate file and freeze it/);
    const stranger = await repository.gate('reader', 'freeze');
    assert.equal(stranger.exitCode, 65);
    assert.match(stranger.stderr, /rule: R-13/);
    await repository.does('maker', 'freeze');
    await repository.does('maker', 'submit', '00');
    assert.equal((await repository.gate('maker', 'review', '00', '--template')).exitCode, 0);
    const incomplete = await repository.gate('reader', 'review', '00', '--approve');
    assert.match(incomplete.stderr, /R-14[^]*checks\.integrity\.result[^]*residualRisk[^]*rollback\.plan/);
  });

  it('R-05: three packets go on at the same time, on one log', async () => {
    const file = '.gate/review-00.yaml';
    repository.write(file, filledIn(repository.read(file)));
    await repository.does('reader', 'review', '00', '--approve');
    await Promise.all(
      ['01', '02', '03'].map(async (packet) => {
        await repository.does('maker', 'start', packet);
        await repository.does('maker', 'run', packet);
        await repository.does('maker', 'submit', packet);
        await repository.does('reader', 'run', packet);
        await repository.approve('reader', packet);
      }),
    );
    assert.match((await repository.look('board')).stdout, /^04 +READY/m);
    await repository.does('maker', 'start', '04');
    await repository.does('maker', 'submit', '04');
    await repository.approve('reader', '04');
  });

  it('R-17, R-19: two P1 accepted as conditions make GO_WITH_CONDITIONS', async () => {
    for (const [id, surface] of [
      ['F-1', 'sessions'],
      ['F-2', 'runbooks'],
    ] as const) {
      const what = ['--title', `The ${surface} are thin`, '--surface', surface, '--location', `src/${surface}.txt`];
      const how = ['--severity', 'P1', '--clause', 'unproven', '--reason', 'seen in review', '--packet', '01'];
      await repository.does('reader', 'finding', 'add', ...what, ...how);
      const open = await repository.gate('decider', 'verdict', '--dry-run');
      assert.equal(open.exitCode, 20);
      assert.match(open.stdout, new RegExp(`finding ${id} is open`));
      const control = ['--control', 'the tenants are apart', '--control-command', 'tenants'];
      const condition = ['--condition', `thicken the ${surface}`, '--condition-command', surface];
      const until = ['--expires', dateIn(30), '--owner', 'maker', '--due', dateIn(20), '--reason', 'it can wait'];
      await repository.does('decider', 'accept', id, ...control, ...condition, ...until);
    }
    const risk = ['--text', 'one more look at the tenants', '--owner', 'maker', '--due', dateIn(2)];
    await repository.does('reader', 'risk', 'add', ...risk);
    await repository.does('maker', 'run', '--milestone');
    const verdict = await repository.gate('decider', 'verdict', '--json');
    assert.equal(verdict.exitCode, 10, verdict.stdout + verdict.stderr);
    const { conditions } = JSON.parse(verdict.stdout) as { conditions: { id: string }[] };
    assert.deepEqual(
      conditions.map(({ id }) => id),
      ['C-1', 'C-2'],
    );
    assert.equal((await repository.look('status')).exitCode, 10);
  });

  it('R-21: an addendum that lifts both makes GO, on the new commit', async () => {
    repository.write('src/sessions.txt', 'protected twice\n');
    repository.write('src/runbooks.txt', 'protected twice\n');
    repository.commit('thicken sessions and runbooks');
    assert.equal((await repository.look('status')).exitCode, 20, 'the verdict was about other sources');
    const lifts = ['C-1', 'C-2'].flatMap((id) => ['--lift', id, '--fix', 'it is thicker', '--run', 'latest']);
    const early = await repository.gate('decider', 'addendum', ...lifts);
    assert.equal(early.exitCode, 65, 'the newest run is on the sources without the fix');
    assert.match(early.stderr, /R-21[^]*gate run --milestone/);
    await repository.does('maker', 'run', '--milestone');
    await repository.does('decider', 'addendum', ...lifts);
    const unreviewed = await repository.gate('decider', 'verdict', '--dry-run');
    assert.equal(unreviewed.exitCode, 20);
    assert.match(unreviewed.stdout, /R-14[^]*nobody reviewed all that changed/);
    await repository.does('maker', 'reopen', '04', '--reason', 'the fix is part of the release');
    await repository.does('maker', 'submit', '04');
    await repository.approve('reader', '04');
    const verdict = await repository.gate('decider', 'verdict');
    assert.equal(verdict.exitCode, 0, verdict.stdout + verdict.stderr);
    const status = await repository.look('status');
    assert.equal(status.exitCode, 0, status.stdout);
    assert.match(status.stdout, /^GO {2}the last verdict is GO, by decider/m);
  });

  it('R-18: the same verdict is STALE once the date of a residual risk has passed', async () => {
    const later = await repository.look('status', '--at', `${dateIn(3)}T12:00:00Z`);
    assert.equal(later.exitCode, 20);
    assert.match(later.stdout, /judged as of[^]*^STALE[^]*RISK-1/m);
  });

  it('R-10, R-23: a stranger with bundle and pins alone derives the same verdict, and finds a flipped byte', async (t) => {
    const empty = temporaryDirectory(t);
    const [bundle, pins] = [join(empty, 'shop.gate'), join(empty, 'pins.json')];
    assert.equal((await repository.look('export', bundle)).exitCode, 0);
    assert.equal((await repository.look('pins', pins)).exitCode, 0);
    const verified = await verify(bundle, '--keys', pins);
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
    const { verdict } = JSON.parse(verified.stdout) as { verdict: { digest: string; derivedDigest: string } };
    assert.equal(verdict.derivedDigest, verdict.digest);
    assert.equal((await verify(bundle)).exitCode, 30, 'without pins nothing says whose keys these are');
    const late = await verify(bundle, '--keys', pins, '--at', `${dateIn(3)}T12:00:00Z`);
    assert.equal(late.exitCode, 20);
    const bytes = readFileSync(bundle);
    for (const share of [0.1, 0.5, 0.9]) {
      const at = Math.floor(bytes.length * share);
      const flipped = Uint8Array.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      const file = join(empty, `flipped-${at}.gate`);
      writeFileSync(file, flipped);
      const found = await verify(file, '--keys', pins);
      assert.equal(found.exitCode, 20, `a flipped bit at ${at} of ${bytes.length}`);
    }
  });
});
