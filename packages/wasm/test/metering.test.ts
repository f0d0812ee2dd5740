/**
 * Fuel as a contract: golden totals on every compiler tier and Node at hand, the oracle,
 * and random modules. `HOLDFAST_FUZZ_MODULES` sets how many of those, `HOLDFAST_FUZZ_SEED` the first.
 */
import { admitModule, DEFAULT_MODULE_LIMITS } from '../src/index.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import wabt from 'wabt';
import { BULK_OPCODES, OPCODES } from '../src/binary/opcodes.ts';
import { GOLDEN_PROGRAMS } from './golden-programs.ts';
import { instantiate, type RandomExports } from './instantiate.ts';
import { meterByInstruction, ORACLE_FUEL } from './meter-oracle.ts';
import { instructionsOf } from './instructions-of.ts';
import { randomModule } from './random-module.ts';

const assembler = await wabt();
const FUEL = 2_000_000;
const SECONDS = 1_000;
/** Deadline of the watchdog: what hangs has an unmetered loop. */
const FUZZ_DEADLINE_MS = 120 * SECONDS;

/** Changing one of these changes what users are told their programs cost: never by accident. */
const GOLDEN: Readonly<Record<string, string>> = {
  'bulk memory and growing': '0 used 24027 memory 17c3076bac8ccb20',
  'calls through a table': '-257 used 20001 memory de2f256064a0af79',
  'dispatch by br_table': '253378419 used 614286 memory de2f256064a0af79',
  'exhausted by one fill': 'RuntimeError used 2500008 memory 7e8c380c85eb8e32',
  'exhausted in a loop': 'RuntimeError used 2000010 memory 9d07c5b9a0dac3c8',
  'recursion (fib 15)': '610 used 17755 memory de2f256064a0af79',
  'sieve of 10,000': '1229 used 401557 memory f20784b2da5ec5ee',
};

const assemble = (wat: string) => assembler.parseWat('golden.wat', wat).toBinary({}).buffer;
const lines = Object.entries(GOLDEN_PROGRAMS)
  .map(([name, wat]) => {
    const { metered, fuelExport } = admitModule(assemble(wat), new Map(), DEFAULT_MODULE_LIMITS);
    return JSON.stringify({ name, metered: Buffer.from(metered).toString('base64'), fuelExport, fuel: FUEL });
  })
  .join('\n');

function runGolden(node: string, flags: readonly string[]): unknown {
  const { stdout, stderr } = spawnSync(node, [...flags, `${import.meta.dirname}/golden-run.mjs`], { input: lines });
  assert.equal(stderr.toString(), '');
  return JSON.parse(stdout.toString());
}

/** Empty when it does not start. */
const versionOf = (node: string) => spawnSync(node, ['--version']).stdout?.toString().trim() ?? '';

describe('fuel', () => {
  const tiers: readonly (readonly [name: string, flags: readonly string[]])[] = [
    ['both compilers', []],
    ['the baseline compiler only', ['--liftoff-only']],
    ['the optimising compiler only', ['--no-liftoff']],
    ['no change of tier while running', ['--no-wasm-tier-up']],
  ];
  for (const [name, flags] of tiers) {
    it(`X-10, X-16: golden totals and memory with ${name}`, () => {
      assert.deepEqual(runGolden(process.execPath, flags), GOLDEN);
    });
  }

  const others = new Map(
    ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(delimiter)]
      .map((directory) => join(directory, 'node'))
      .filter((path) => existsSync(path))
      .map((path) => [versionOf(path), path] as const)
      .filter(([version]) => version !== '' && version !== process.version),
  );
  it(`X-10: the same totals on other versions of Node (${[...others.keys()].join(', ') || 'none on this machine'})`, () => {
    for (const node of [process.execPath, ...others.values()]) assert.deepEqual(runGolden(node, []), GOLDEN, node);
  });

  it('X-10: totals equal those of counting every instruction', () => {
    for (const [name, wat] of Object.entries(GOLDEN_PROGRAMS)) {
      const exhausted = GOLDEN[name]?.startsWith('RuntimeError') === true;
      if (exhausted) continue; // The oracle counts and never ends a run.
      const exports = instantiate(meterByInstruction(assemble(wat))) as RandomExports;
      const result = exports.run();
      assert.match(GOLDEN[name]!, new RegExp(`^${result} used ${-BigInt(exports[ORACLE_FUEL]!.value)} `), name);
    }
  });

  it('X-17: random modules use every accepted instruction', () => {
    const missing = new Set([...OPCODES.names.values(), ...BULK_OPCODES.names.values()]);
    missing.delete('prefix_fc'); // no instruction by itself
    for (let seed = 1; seed <= 600; seed++) for (const name of instructionsOf(randomModule(seed))) missing.delete(name);
    assert.deepEqual([...missing], []);
  });

  it('X-17: random and broken modules end, behave as the original and cost what the oracle says', () => {
    const first = process.env['HOLDFAST_FUZZ_SEED'] ?? '1';
    const count = process.env['HOLDFAST_FUZZ_MODULES'] ?? '1500';
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [`${import.meta.dirname}/fuzz-modules.ts`, first, count],
      { timeout: FUZZ_DEADLINE_MS * Math.ceil(Number(count) / 1_500), killSignal: 'SIGKILL', maxBuffer: 1 << 28 },
    );
    const last = stdout.toString().trim().split('\n').at(-1) ?? '';
    assert.equal(status, 0, `after ${last}: ${stderr.toString()}`);
    const tally = JSON.parse(last) as Record<string, number>;
    for (const outcome of ['returned', 'trapped', 'exhausted', 'denied', 'refused'])
      assert.ok((tally[outcome] ?? 0) > 0, outcome);
  });
});
