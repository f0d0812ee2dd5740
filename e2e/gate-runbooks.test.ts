/** Runbooks as evidence of a gate, through the commands people type: drilled on record, stale when they change. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type ScanSummary, ScanSummarySchema } from '@holdfast/scan';
import { freeze } from '../apps/cli/src/commands/gate/freeze.ts';
import { openGate } from '../apps/cli/src/commands/gate/opened-gate.ts';
import { drill } from '../apps/cli/src/commands/gate/runbook-drill.ts';
import { verify } from '../apps/cli/src/commands/gate/runbook-verify.ts';
import { Shop } from './gate-shop.ts';
import { HOLDFAST, REPOSITORY } from './holdfast.ts';

const { signal } = new AbortController();
const RUNBOOK = 'examples/runbooks/checkout.md';
const SERVER = 'examples/runbooks/service/server.mjs';

/** The shop with the example's service and runbook, kept by the people of the gate. */
class RunbookShop extends Shop {
  constructor(t: TestContext) {
    const scan = `  - { id: runbooks, kind: scan, argv: ["${HOLDFAST}", gate, runbooks, verify, "${RUNBOOK}", --report], report: { format: scan, from: stdout } }`;
    super(t, { commands: scan, packetCommands: '[tests, runbooks]', milestone: '[tests, runbooks]' });
    mkdirSync(join(this.root, 'examples'));
    cpSync(join(REPOSITORY, 'examples/runbooks'), join(this.root, 'examples/runbooks'), { recursive: true });
    const kept = this.read(RUNBOOK)
      .replaceAll('mia@shop.example', 'maker@example.com')
      .replaceAll('jon@shop.example', 'reader@example.com')
      .replaceAll('board@shop.example', 'decider@example.com');
    this.write(RUNBOOK, kept);
    this.commit('the runbook');
  }

  drill(over: { readonly record?: boolean } = {}) {
    return drill(join(this.root, RUNBOOK), { ...this.as('maker'), record: true, ...over }, signal);
  }

  async rules(over: { readonly maxDrillAge?: number } = {}): Promise<string[]> {
    const options = { ...this.as('maker'), out: 'json', maxDrillAge: 92, ...over };
    const { text } = await verify([join(this.root, RUNBOOK)], options, signal);
    return findingsOf(text).map(({ rule }) => rule);
  }

  async drills() {
    const { log } = await openGate(this.as('maker'), signal);
    return log.records.flatMap((record) => (record.kind === 'runbook-drill' ? [record.predicate] : []));
  }
}

const findingsOf = (report: string): ScanSummary['findings'] => ScanSummarySchema.parse(JSON.parse(report)).findings;

describe('gate: runbooks', () => {
  it('R-30: a drill is a signed record, and what it drilled is stale once something it depends on changes', async (t) => {
    const shop = new RunbookShop(t);
    await freeze(shop.as('maker'), signal);
    assert.deepEqual(await shop.rules(), ['runbook-drill-overdue'], 'the day in the file counts for nothing here');
    const { text, exitCode } = await shop.drill();
    assert.equal(exitCode, 0, text);
    assert.match(text, /^recorded, signed by maker$/m);
    const [record] = await shop.drills();
    assert.equal(record?.runbook, RUNBOOK);
    assert.equal(record.author, 'maker');
    assert.ok(record.steps.some(({ phase, passed }) => phase === 'kill-switch' && passed));
    assert.deepEqual(await shop.rules(), []);

    shop.write(SERVER, `${shop.read(SERVER)}// one more line\n`);
    shop.commit('change the service');
    assert.deepEqual(await shop.rules(), ['runbook-stale']);
    await shop.drill();
    assert.deepEqual(await shop.rules(), []);
  });

  it('R-30: a drill that fails is recorded as it went, and a finding until one passes', async (t) => {
    const shop = new RunbookShop(t);
    await freeze(shop.as('maker'), signal);
    await shop.drill();
    const good = shop.read(RUNBOOK);
    shop.write(RUNBOOK, good.replace('status: 503', 'status: 500'));
    shop.commit('write down something wrong');
    const failed = await shop.drill();
    assert.equal(failed.exitCode, 20);
    assert.match(failed.text, /^FAILED/m);
    shop.write(RUNBOOK, good);
    shop.commit('correct it');
    assert.deepEqual(await shop.rules(), ['runbook-drill-failed']);
    await shop.drill();
    assert.deepEqual(await shop.rules(), []);
    assert.deepEqual(
      (await shop.drills()).map(({ steps }) => steps.every(({ passed }) => passed)),
      [true, false, true],
    );
  });

  it('R-08, R-30: a drill of sources that are not committed is refused, and done without a record when asked', async (t) => {
    const shop = new RunbookShop(t);
    await freeze(shop.as('maker'), signal);
    shop.write(SERVER, `${shop.read(SERVER)}// not committed\n`);
    await assert.rejects(shop.drill(), /the drill is not recorded/);
    const { text, exitCode } = await shop.drill({ record: false });
    assert.equal(exitCode, 0, text);
    assert.match(text, /^not recorded: as --no-record says$/m);
    assert.deepEqual(await shop.drills(), []);
  });

  it('R-30: nothing is on record before the freeze, and a stranger’s key puts nothing there', async (t) => {
    const shop = new RunbookShop(t);
    const early = await shop.drill();
    assert.match(early.text, /^not recorded: the gate file is not frozen yet/m);
    await freeze(shop.as('maker'), signal);
    shop.addPerson('stranger');
    const options = { ...shop.as('stranger'), record: true };
    await assert.rejects(drill(join(shop.root, RUNBOOK), options, signal), { code: 'ERR_GATE_KEY' });
    assert.deepEqual(await shop.drills(), []);
  });

  it('R-30: a drill counts in the next gate of the repository, and one that nobody of it signed does not', async (t) => {
    const shop = new RunbookShop(t);
    await freeze(shop.as('maker'), signal);
    await shop.drill();
    const yaml = shop.read('gate.yaml').replace('id: shop', 'id: shop-next');
    shop.write('gate.yaml', yaml);
    shop.commit('the next release');
    assert.deepEqual(await shop.rules(), []);
    const [, key = ''] = /id: maker, .* keys: \["([^"]+)"\]/.exec(yaml) ?? [];
    shop.write('gate.yaml', yaml.replace(key, shop.addPerson('other-maker')));
    assert.deepEqual(await shop.rules(), ['runbook-drill-overdue']);
  });

  it('R-29, R-30: the gate’s own scan says what is missing, and is clean once the runbook was drilled', async (t) => {
    const shop = new RunbookShop(t);
    await shop.freezeAndApprove();
    await shop.doPacket();
    await shop.runs('maker', undefined);
    await shop.isNoGo(/R-17 +finding S-[0-9a-f]{12} is open: P1, runbook-drill-overdue/);
    const spawned = await shop.gate('maker', 'runbooks', 'drill', join(shop.root, RUNBOOK));
    assert.equal(spawned.exitCode, 0, spawned.stdout + spawned.stderr);
    await shop.runs('maker', undefined);
    const judged = await shop.gate('decider', 'verdict');
    assert.equal(judged.exitCode, 0, judged.stdout);
  });

  it('R-29: an unknown owner, a runbook elsewhere and an age that is none are refused or found', async (t) => {
    const shop = new RunbookShop(t);
    shop.write(
      RUNBOOK,
      shop.read(RUNBOOK).replace('owner: maker@example.com\nlastDrill', 'owner: mia@shop.example\nlastDrill'),
    );
    assert.ok((await shop.rules()).includes('runbook-owner'), 'a contact that is nobody’s in the gate file');
    await assert.rejects(shop.rules({ maxDrillAge: Number.NaN }), { code: 'ERR_CLI_USAGE' });
    const outside = { ...shop.as('maker'), record: true };
    await assert.rejects(drill('/etc/passwd', outside, signal), { code: 'ERR_RUNBOOK' });
  });
});
