/**
 * Each known way in which a gate fails, as a prepared repository: whatever was tried, the verdict
 * is not GO and names the reason. The commands are those of the shipped command line, called in process
 * where that shows the same; some are spawned.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isHoldfastError } from '@holdfast/core';
import { freeze } from '../apps/cli/src/commands/gate/freeze.ts';
import { lint } from '../apps/cli/src/commands/gate/gate-file.ts';
import { add as addRisk } from '../apps/cli/src/commands/gate/risk.ts';
import { verdict } from '../apps/cli/src/commands/gate/verdict.ts';
import { SCAN_REPORT_FORMAT } from '@holdfast/scan';
import { GateRepository, NODE } from './gate-repository.ts';
import { gateYaml, Shop, type Variation } from './gate-shop.ts';

const signal = new AbortController().signal;

/** Tries that go as far as a verdict, and what it then says. */
const judged: { name: string; variation: Variation; reason: RegExp }[] = [
  {
    name: 'a run that leaves out the very test that closes a gap',
    variation: {
      surfaceTests: 'tenants *',
      command:
        ', gapTests: [{ test: "tenants stay apart", mutation: { file: src/shop.txt, replace: shop, with: leak } }]',
    },
    reason: /evidence of tests .* does not count: .*gap-test-missing/,
  },
  {
    name: 'a gap-closing test that passes without what it protects',
    variation: {
      command:
        ', gapTests: [{ test: "tenants are apart", mutation: { file: src/shop.txt, replace: shop, with: leak } }]',
    },
    reason: /gap-test-survives-mutation/,
  },
  {
    name: 'a scope surface that no command touches',
    variation: { surfaceTests: 'sessions end' },
    reason: /R-06 {2}no required command reached surface tenants/,
  },
  {
    name: 'a toolchain other than the release’s',
    variation: { release: 'v1.0.0' },
    reason: /other-toolchain/,
  },
  {
    name: 'exit 0 on non-compliance',
    variation: { tap: 'TAP version 13\n1..1\nnot ok 1 - tenants are apart\n' },
    reason: /tests-failed/,
  },
  {
    name: 'a run of no steps',
    variation: { tap: 'TAP version 13\n1..0\n' },
    reason: /no-test-ran/,
  },
  {
    name: 'a skipped gated policy',
    variation: { tap: 'TAP version 13\n1..1\nok 1 - tenants are apart # SKIP not today\n' },
    reason: /no-test-ran|no required command reached surface tenants/,
  },
  {
    name: 'an exit code that nobody declared',
    variation: { exitCode: 3 },
    reason: /unexpected-exit/,
  },
];

/** Gates that say of themselves that they cannot hold: lint has errors, and nothing is frozen. */
const unfreezable: { name: string; variation: Variation; rule: string }[] = [
  {
    name: 'a pattern that does not select the very test that closes a gap',
    variation: {
      command:
        ', gapTests: [{ test: "tenants stay apart", mutation: { file: src/shop.txt, replace: shop, with: leak } }]',
    },
    rule: 'R-34',
  },
  { name: 'a reviewer who is the implementer', variation: { reviewer: 'maker' }, rule: 'R-13' },
  { name: 'one signer who would count as two people', variation: { readerKeyOf: 'maker' }, rule: 'R-13' },
  { name: 'a milestone of nothing', variation: { milestone: '[]' }, rule: 'R-01' },
  {
    name: 'a milestone smaller than the packets',
    variation: {
      commands: `  - { id: other, kind: build, argv: ["${NODE}", "--version"] }`,
      milestone: '[other]',
      packetCommands: '[tests, other]',
    },
    rule: 'R-20',
  },
];

describe('gate: known ways in which gates fail', () => {
  it('R-34: the same repository without any of them is GO', async (t) => {
    const shop = new Shop(t);
    await shop.walk();
    const { text, exitCode } = await verdict(shop.as('decider'), signal);
    assert.equal(exitCode, 0, text);
  });

  for (const { name, variation, reason } of judged) {
    it(`R-34: ${name}`, async (t) => {
      const shop = new Shop(t, variation);
      await shop.walk();
      await shop.isNoGo(reason);
    });
  }

  for (const { name, variation, rule } of unfreezable) {
    it(`R-34: ${name}`, async (t) => {
      const shop = new Shop(t, variation);
      const { text, exitCode } = await lint(shop.as('maker'), signal);
      assert.equal(exitCode, 65);
      assert.match(text, new RegExp(`error +${rule}`));
      await assert.rejects(freeze(shop.as('maker'), signal), (error) => isHoldfastError(error));
      const judgedAnyway = await shop.gate('decider', 'verdict');
      assert.equal(judgedAnyway.exitCode, 65);
      assert.match(judgedAnyway.stderr, /ERR_GATE_FILE/);
    });
  }

  it('R-34: an expected exit code that is edited after the run', async (t) => {
    const shop = new Shop(t, { exitCode: 3 });
    await shop.walk();
    shop.write('gate.yaml', shop.read('gate.yaml').replace('floor: 1', 'floor: 1, exit: [3]'));
    shop.commit('make it pass');
    await shop.isNoGo(/the gate file is not the frozen one/);
    await freeze(shop.as('maker'), signal);
    await shop.isNoGo(/packet 01 is not done and approved/);
    await shop.isNoGo(/other-expectation/);
  });

  it('R-34: GO while the fix is uncommitted', async (t) => {
    const shop = new Shop(t);
    await shop.walk();
    shop.write('src/shop.txt', 'the shop, fixed\n');
    await shop.isNoGo(/R-08 {2}1 files of the candidate are not committed/);
  });

  it('R-34: evidence of one commit, a verdict about the next', async (t) => {
    const shop = new Shop(t);
    await shop.walk();
    shop.write('src/shop.txt', 'the shop, fixed\n');
    shop.commit('fix');
    await shop.isNoGo(/other-commit/);
  });

  it('R-34: a scan that covered a quarter of the bytes of the last one', async (t) => {
    const scan = `  - { id: scan, kind: scan, argv: ["${NODE}", "scan.mjs"], report: { format: scan, from: stdout } }`;
    const shop = new Shop(t, { commands: scan, packetCommands: '[tests, scan]', milestone: '[tests, scan]' });
    shop.write('scan.mjs', scanner(4_000));
    shop.commit('scan');
    await shop.freezeAndApprove();
    await shop.doPacket();
    shop.write('scan.mjs', scanner(1_000));
    shop.commit('scan less');
    await shop.runs('maker', undefined);
    await shop.isNoGo(/finding COVERAGE-scan is open/);
  });

  it('R-34: a residual risk without a date, and one of which it has passed', async (t) => {
    const shop = new Shop(t);
    await shop.walk();
    const risk = { ...shop.as('reader'), text: 'one more look', owner: 'maker' };
    const without = await shop.gate('reader', 'risk', 'add', '--text', 'one more look', '--owner', 'maker');
    assert.equal(without.exitCode, 64);
    await assert.rejects(addRisk({ ...risk, due: 'soon' }, signal), /makes no record/);
    await addRisk({ ...risk, due: '2026-01-01' }, signal);
    await shop.isNoGo(/R-18 {2}residual risk RISK-1 was due on 2026-01-01/);
  });

  it('R-34: “Commit: N/A”', async (t) => {
    const repository = new GateRepository(t);
    repository.addPerson('decider');
    const keys = new Map(['maker', 'reader'].map((id) => [id, repository.addPerson(id)]));
    repository.write('gate.yaml', gateYaml(new Map([...keys, ['decider', repository.addPerson('other')]]), {}));
    const { exitCode, stderr } = await repository.gate('decider', 'verdict');
    assert.equal(exitCode, 65);
    assert.match(stderr, /no commit yet[^]*ERR_GATE_SOURCE/);
  });

  it('R-34: a signature that does not verify', async (t) => {
    const shop = new Shop(t);
    await shop.walk();
    const path = join(shop.root, '.gate/shop/log.jsonl');
    const lines = readFileSync(path, 'utf8').split('\n');
    const envelope = JSON.parse(lines[2] ?? '') as { signatures: { sig: string }[] };
    const [first] = envelope.signatures;
    const sig = first?.sig ?? '';
    lines[2] = (lines[2] ?? '').replace(sig, `${sig.startsWith('A') ? 'B' : 'A'}${sig.slice(1)}`);
    writeFileSync(path, lines.join('\n'));
    await shop.isNoGo(/the records do not verify/);
    const spawned = await shop.look('status');
    assert.equal(spawned.exitCode, 20);
    assert.match(spawned.stdout, /^NO_GO {2}the records do not verify/);
  });

  it('R-34: records that were taken away', async (t) => {
    const shop = new Shop(t);
    await shop.walk();
    writeFileSync(join(shop.root, '.gate/shop/checkpoint'), '');
    await shop.isNoGo(/the records do not verify/);
  });
});

/** Prints a clean report about this many bytes. */
function scanner(bytes: number): string {
  const report = {
    format: SCAN_REPORT_FORMAT,
    scanner: 'secrets',
    rules: { name: 'rules', version: '1', count: 10 },
    state: 'complete',
    reasons: [],
    coverage: { files: 10, bytes, commits: 1, tags: 0, packages: null, skipped: [] },
    database: null,
    findings: [],
  };
  return `console.log(${JSON.stringify(JSON.stringify(report))});\n`;
}
