/** `holdfast check` as somebody uses it who writes a check (C-14): what works, and what every mistake is told. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { verifyCheckModule } from '@holdfast/compliance';
import { encodeBase64, generateSigner, sha256Hex, type Signer } from '@holdfast/crypto';
import { needs, temporaryDirectory } from '@holdfast/testing';
import wabt from 'wabt';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const ANSWER =
  '{"version":1,"findings":[{"status":"fail","severity":"low","kind":"not-fine","subject":"it","message":"It is not fine"}]}';

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function check(cwd: string, ...args: readonly string[]): Ended {
  const argv = ['--disable-warning=ExperimentalWarning', MAIN, 'check', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd, env: {}, input: '', encoding: 'utf8' });
  return { status, stdout, stderr };
}

const test = (cwd: string, ...more: readonly string[]): Ended =>
  check(cwd, 'test', 'check.wasm', '--baseline', 'baseline.yaml', '--no-process-sandbox', ...more);

/** As the text format of WebAssembly writes bytes. */
const text = (bytes: Buffer): string => [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');

/** A command that writes one answer. */
async function build(answer: string): Promise<Uint8Array> {
  const tools = await wabt();
  const vector = Buffer.alloc(8);
  vector.writeUInt32LE(16, 0);
  vector.writeUInt32LE(answer.length, 4);
  const source = `(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "${text(vector)}")
    (data (i32.const 16) "${text(Buffer.from(answer))}")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;
  return tools.parseWat('check.wat', source).toBinary({}).buffer;
}

const baseline = (more = ''): string => `version: 1
name: mine
created: 2026-03-01T12:00:00.000Z
checks: {}
customChecks:
  - {name: mine, title: A check of our own, module: "${'0'.repeat(64)}"${more}}
`;

describe('holdfast check', () => {
  let module: Uint8Array;
  before(async () => {
    module = await build(ANSWER);
  });

  /** A directory as its author has it: the module, the baseline, and a file that is no module. */
  function workplace(t: TestContext): string {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, 'check.wasm'), module);
    writeFileSync(join(directory, 'baseline.yaml'), baseline());
    return directory;
  }
  const signed = (t: TestContext): { directory: string; signer: Signer } => {
    const directory = workplace(t);
    return { directory, signer: generateSigner(join(directory, 'keys', 'baseline.key')) };
  };

  it('C-14: sign writes a module that verifies under its digest, and prints the line for the baseline', (t) => {
    const { directory, signer } = signed(t);
    const args = ['sign', 'check.wasm', '--out-dir', 'checks', '--key', 'keys/baseline.key'];
    const { status, stdout, stderr } = check(directory, ...args);
    const sha256 = sha256Hex(module);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^module: "${sha256}"$`, 'm'));
    const [file = ''] = readdirSync(join(directory, 'checks'));
    assert.equal(file, `${sha256}.check.dsse.json`);
    assert.equal(statSync(join(directory, 'checks', file)).mode & 0o777, 0o644, 'the agent reads it');
    const validFrom = '2020-01-01T00:00:00.000Z';
    const publicKey = encodeBase64(signer.publicKey);
    const pinned = { keyId: signer.keyId, publicKey, purposes: ['baseline'], validFrom, validTo: null } as const;
    const bytes = readFileSync(join(directory, 'checks', file));
    assert.deepEqual(Buffer.from(verifyCheckModule(bytes, sha256, [pinned], Date.now())), Buffer.from(module));
  });

  it('C-14: sign refuses what no host would run, and writes nothing', (t) => {
    const { directory } = signed(t);
    const sign = (file: string): Ended =>
      check(directory, 'sign', file, '--out-dir', 'checks', '--key', 'keys/baseline.key');
    for (const [file, want] of [
      ['baseline.yaml', /ERR_WASM_MALFORMED/],
      ['missing.wasm', /cannot be read[^]*file: missing\.wasm/],
      ['keys', /cannot be read[^]*file: keys/],
    ] as const) {
      const { status, stdout, stderr } = sign(file);
      assert.deepEqual([status, stdout], [65, ''], file);
      assert.match(stderr, want);
    }
    assert.ok(!readdirSync(directory).includes('checks'));
  });

  it('C-14: sign without a key says which file it looked for, and how to name another', (t) => {
    const directory = workplace(t);
    for (const [args, file] of [
      [['--key', 'nowhere.key'], 'nowhere.key'],
      [['--state', 'site'], 'site/server/keys/order.key'],
    ] as const) {
      const { status, stderr } = check(directory, 'sign', 'check.wasm', '--out-dir', 'checks', ...args);
      assert.equal(status, 65);
      assert.match(stderr, new RegExp(`--key.*--state[^]*file: ${file.replaceAll('.', '\\.')}$`, 'm'));
    }
  });

  it('C-14: a missing option is named', (t) => {
    const directory = workplace(t);
    assert.match(check(directory, 'sign', 'check.wasm').stderr, /--out-dir/);
    assert.match(check(directory, 'test', 'check.wasm').stderr, /--baseline/);
    assert.match(check(directory, 'test', 'check.wasm', '--baseline', 'baseline.yaml').stderr, /--name/);
  });

  it('C-14: test shows what a module finds, unsigned, and ends with 1 when that is not good', async (t) => {
    const directory = workplace(t);
    const { status, stdout, stderr } = test(directory, '--name', 'mine');
    assert.equal(status, 1);
    assert.match(stdout, /^fail +mine .*\n +it: It is not fine$/m);
    assert.match(stderr, /WARNING: no process sandbox/);
    writeFileSync(join(directory, 'check.wasm'), await build(ANSWER.replace('fail', 'pass')));
    assert.equal(test(directory, '--name', 'mine').status, 0);
  });

  it('C-14: test names the checks there are, and every problem of the baseline', (t) => {
    const directory = workplace(t);
    const other = test(directory, '--name', 'yours');
    assert.deepEqual([other.status, other.stdout], [65, '']);
    assert.match(other.stderr, /it declares mine/);
    writeFileSync(join(directory, 'baseline.yaml'), baseline(', inputs: {secrets: true}, limits: {fuel: -1}'));
    const wrong = test(directory, '--name', 'mine');
    assert.equal(wrong.status, 65);
    assert.match(wrong.stderr, /customChecks\.0\.inputs[^]*customChecks\.0\.limits\.fuel[^]*ERR_BASELINE_INVALID/);
    writeFileSync(join(directory, 'baseline.yaml'), '');
    assert.match(test(directory, '--name', 'mine').stderr, /ERR_BASELINE_INVALID/);
  });

  it('C-14: test of what is no module is an error, never a pass', (t) => {
    const directory = workplace(t);
    for (const bytes of ['', 'not a module', '\0asm\u0001\0\0']) {
      writeFileSync(join(directory, 'check.wasm'), bytes);
      const { status, stdout } = test(directory, '--name', 'mine');
      assert.equal(status, 1);
      assert.match(stdout, /^error +mine [^]*ERR_WASM_MALFORMED/);
    }
    mkdirSync(join(directory, 'empty'));
    const none = check(directory, 'test', 'empty', '--baseline', 'baseline.yaml', '--name', 'mine');
    assert.match(none.stderr, /file: empty/);
  });

  it('C-14, X-15: as root it runs behind every layer', needs('root', 'bubblewrap'), (t) => {
    const directory = workplace(t);
    const { status, stdout, stderr } = check(
      directory,
      'test',
      'check.wasm',
      '--baseline',
      'baseline.yaml',
      '--name',
      'mine',
    );
    assert.deepEqual([status, stderr], [1, '']);
    assert.match(stdout, /^fail +mine /);
  });
});
