/**
 * C-14: custom checks from source to finding: the examples in C and AssemblyScript built with Debian's
 * and npm's compilers, signed, named by a baseline, and run on real metered WebAssembly; then modules
 * that lie, loop, trap and shout. They run in this process, which only tests may do.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { HoldfastError } from '@holdfast/core';
import { encodeBase64, sha256Hex, signerFromSeed } from '@holdfast/crypto';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { admitModule, compileAdmitted, DEFAULT_MODULE_LIMITS, OFFERED_IMPORTS, runModule } from '@holdfast/wasm';
import wabt from 'wabt';
import { parseBaseline } from '../src/baseline.ts';
import { checkModuleFileName, openCheckModules, signCheckModule } from '../src/custom/check-module.ts';
import { checksOf, type CustomCheckRunner } from '../src/custom/custom-check.ts';
import type { CheckResult } from '../src/check.ts';
import { runChecks } from '../src/run-checks.ts';
import { loadedFrom, neverAborted, PINNED, SIGNER } from './baselines.ts';
import { goodParts, inMemoryHost, NOW_MS, type Parts } from './in-memory-host.ts';

const run = promisify(execFile);
const EXAMPLES = join(import.meta.dirname, '..', 'examples');
const ASC = join(import.meta.dirname, '..', '..', '..', 'node_modules', 'assemblyscript', 'bin', 'asc.js');

/** As the runner of a host, without its process: no deadline, so that only fuel ends a loop here. */
const inProcess: CustomCheckRunner = {
  run: async ({ module, stdin, fuel, memoryBytes, outputBytes }) =>
    runModule(compileAdmitted(admitModule(module, OFFERED_IMPORTS, { ...DEFAULT_MODULE_LIMITS, memoryBytes })), {
      capabilities: {
        args: ['check'],
        env: {},
        stdin,
        directories: [],
        clock: { kind: 'fuel', startNs: 0n, fuelPerNs: 1 },
        randomness: { kind: 'seeded', seed: new Uint8Array(32) },
      },
      limits: { fuel, outputBytes, onOutputLimit: 'end', openFiles: 8 },
    }),
};

interface Setting {
  readonly inputs?: string;
  readonly config?: string;
  readonly more?: string;
  readonly parts?: Parts;
  readonly runner?: CustomCheckRunner | null;
  /** What lies beside the baseline; the signed module when left out, nothing when `null`. */
  readonly file?: Uint8Array | null;
}

async function resultOf(t: TestContext, module: Uint8Array, setting: Setting = {}): Promise<CheckResult> {
  const directory = temporaryDirectory(t);
  const { sha256, signed } = signCheckModule(module, SIGNER);
  const file = setting.file === undefined ? signed : setting.file;
  if (file !== null) await writeFile(join(directory, checkModuleFileName(sha256)), file);
  const loaded = loadedFrom(`version: 1
name: custom
created: 2026-03-01T12:00:00.000Z
checks: {}
customChecks:
  - name: mine
    title: A check of our own
    module: "${sha256}"
    inputs: ${setting.inputs ?? '{}'}
    config: ${setting.config ?? '{}'}
    limits: {fuel: 50000000}
${setting.more ?? ''}`);
  const modules = openCheckModules(directory, [PINNED]);
  const checks = checksOf(loaded, { modules, runner: setting.runner === undefined ? inProcess : setting.runner });
  const host = inMemoryHost(setting.parts ?? goodParts());
  const results = await runChecks(loaded, { host, nowMs: NOW_MS }, neverAborted, { checks });
  const mine = results.find(({ check }) => check === 'mine');
  assert.ok(mine !== undefined, 'it is a check among the others');
  return mine;
}

const summary = ({ findings }: CheckResult): string[] =>
  findings.map(({ status, kind, subject }) => `${status} ${kind} ${subject}`);

async function buildC(t: TestContext): Promise<Uint8Array> {
  const out = join(temporaryDirectory(t), 'check.wasm');
  const source = join(EXAMPLES, 'c', 'sshd_settings.c');
  await run('/usr/bin/clang-19', [
    '--target=wasm32-wasi',
    '--sysroot=/usr',
    '-O2',
    '-Wl,--strip-all',
    '-o',
    out,
    source,
  ]);
  return readFile(out);
}

async function buildAssemblyScript(t: TestContext): Promise<Uint8Array> {
  const out = join(temporaryDirectory(t), 'check.wasm');
  const options = ['--optimize', '--runtime', 'minimal', '--use', 'abort=', '-o', out];
  await run(process.execPath, [ASC, 'open_ports.ts', ...options], { cwd: join(EXAMPLES, 'assemblyscript') });
  return readFile(out);
}

function sshdHost(text: string): Parts {
  const parts = goodParts();
  parts.files.set('/etc/ssh/sshd_config', { bytes: Buffer.from(text), mode: '0644', uid: 0, gid: 0 });
  return parts;
}
const SSHD = '{files: [{path: /etc/ssh/sshd_config}]}';

describe('C-14: the example in C', needs('wasm-toolchain'), () => {
  it('C-14: passes on a host that is as it should be', async (t) => {
    const parts = sshdHost('# "text":"no\nPermitRootLogin no\nPasswordAuthentication no # quite\n');
    const result = await resultOf(t, await buildC(t), { inputs: SSHD, parts });
    assert.deepEqual(summary(result), [
      'pass sshd-setting PermitRootLogin',
      'pass sshd-setting PasswordAuthentication',
    ]);
    assert.equal(result.status, 'pass');
  });

  it('C-14: finds drift, with the severity and controls of the baseline, and asks for no remedy', async (t) => {
    const parts = sshdHost('PermitRootLogin yes\nPermitRootLogin no\nPasswordAuthentication no\n');
    const more = '    severity: critical\n    controls: {soc2: [CC6.1]}\n';
    const result = await resultOf(t, await buildC(t), { inputs: SSHD, parts, more });
    assert.equal(result.status, 'fail');
    assert.equal(result.severity, 'critical');
    assert.deepEqual(result.findings[0]?.controls, { soc2: ['CC6.1'] });
    assert.equal(result.findings[0]?.remediation, null);
  });

  it('C-05: an exception holds for a custom check as for any other', async (t) => {
    const more = `exceptions:
  - {check: mine, subject: PermitRootLogin, reason: move, owner: alice, risk: low, expires: 2026-04-01T00:00:00.000Z}
`;
    const parts = sshdHost('PermitRootLogin yes\nPasswordAuthentication no\n');
    assert.equal((await resultOf(t, await buildC(t), { inputs: SSHD, parts, more })).status, 'excepted');
  });

  it('C-14: what cannot be read, or was not declared, is unknown', async (t) => {
    const module = await buildC(t);
    assert.equal((await resultOf(t, module, { inputs: SSHD })).status, 'unknown', 'missing');
    const parts = sshdHost('PermitRootLogin no\nPasswordAuthentication no\n');
    assert.equal((await resultOf(t, module, { parts })).status, 'unknown', 'there, and not declared');
  });
});

describe('C-14: the example in AssemblyScript', () => {
  it('C-14: compares sockets with its configuration', async (t) => {
    const module = await buildAssemblyScript(t);
    const inputs = '{sockets: true}';
    const good = await resultOf(t, module, { inputs, config: '{allow: [22]}' });
    assert.deepEqual(summary(good), ['pass port-allowed tcp 0.0.0.0:22']);
    const bad = await resultOf(t, module, { inputs, config: '{allow: [443]}' });
    assert.deepEqual(summary(bad), ['fail port-not-allowed tcp 0.0.0.0:22']);
    assert.equal((await resultOf(t, module)).status, 'unknown', 'sockets were not declared');
  });
});

/** A command that writes `text` and returns, with `before` ahead of it. */
async function writes(text: string, before = '', imports = ''): Promise<Uint8Array> {
  const tools = await wabt();
  const bytes = Buffer.from(text);
  const data = [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
  return tools
    .parseWat(
      'check.wat',
      `(module ${imports}
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 4)
      (data (i32.const 0) "\\10\\00\\00\\00\\${(bytes.length & 255).toString(16).padStart(2, '0')}\\${(bytes.length >> 8).toString(16).padStart(2, '0')}\\00\\00")
      (data (i32.const 16) "${data}")
      (func (export "_start") ${before}
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`,
    )
    .toBinary({}).buffer;
}

const GOOD = { status: 'pass', severity: 'info', kind: 'fine', subject: 'it', message: 'It is fine' };
const answer = (...findings: readonly object[]): string => JSON.stringify({ version: 1, findings });

const failing = (code: 'ERR_SANDBOX_SPAWNER_GONE' | 'ERR_WASM_RUNNER'): CustomCheckRunner => ({
  run: () => Promise.reject(new HoldfastError('it is gone', { code })),
});

describe('C-14: modules that do not behave', () => {
  it('C-14: the smallest that does behave passes', async (t) => {
    assert.equal((await resultOf(t, await writes(answer(GOOD)))).status, 'pass');
  });

  const answers: { name: string; text: string; want: string }[] = [
    { name: 'no finding at all is unknown', text: answer(), want: 'unknown nothing-found mine' },
    { name: 'garbage is an error', text: 'all is well', want: 'error module-answer-invalid mine' },
    { name: 'silence is an error', text: '', want: 'error module-answer-invalid mine' },
    {
      name: 'an answer and then more is an error',
      text: `${answer(GOOD)}{}`,
      want: 'error module-answer-invalid mine',
    },
    {
      name: 'an unknown version is an error',
      text: '{"version":2,"findings":[]}',
      want: 'error module-answer-invalid mine',
    },
    {
      name: 'a remedy is an error',
      text: answer({ ...GOOD, remediation: { operation: 'accounts.lock', params: {} } }),
      want: 'error module-answer-invalid mine',
    },
    {
      name: 'an exception of its own is an error',
      text: answer({ ...GOOD, status: 'excepted' }),
      want: 'error module-answer-invalid mine',
    },
    {
      name: 'the same thing said twice is an error',
      text: answer(GOOD, GOOD),
      want: 'error module-answer-invalid mine',
    },
    {
      name: 'a value beyond 4 KiB is an error',
      text: answer({ ...GOOD, observed: 'x'.repeat(4_100) }),
      want: 'error module-answer-invalid mine',
    },
    {
      name: 'more than 100 findings are an error',
      text: answer(...Array.from({ length: 101 }, (_, index) => ({ ...GOOD, subject: `${index}` }))),
      want: 'error module-answer-invalid mine',
    },
  ];
  for (const { name, text, want } of answers) {
    it(`C-14: ${name}`, async (t) => assert.deepEqual(summary(await resultOf(t, await writes(text))), [want]));
  }

  it('C-14: a kind that a built-in check would have mended is mended by nobody', async (t) => {
    const finding = { ...GOOD, status: 'fail', kind: 'account-unexpected', subject: 'alice' };
    const [only] = (await resultOf(t, await writes(answer(finding)))).findings;
    assert.equal(only?.status, 'fail');
    assert.equal(only?.remediation, null);
  });

  const endings: { name: string; before: string; want: RegExp }[] = [
    { name: 'a trap', before: 'unreachable', want: /ERR_WASM_TRAP/ },
    { name: 'a loop without end', before: '(loop $forever (br $forever))', want: /ERR_WASM_FUEL/ },
    {
      name: 'a flood of output',
      before: '(loop $again (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $again))',
      want: /ERR_WASM_OUTPUT/,
    },
  ];
  for (const { name, before, want } of endings) {
    it(`C-14: ${name} is an error, whatever was written before`, async (t) => {
      const result = await resultOf(t, await writes(answer(GOOD), before));
      assert.equal(result.status, 'error');
      assert.match(result.findings[0]?.message ?? '', want);
    });
  }

  it('C-14: an import that does not exist is refused before anything runs', async (t) => {
    const module = await writes(answer(GOOD), '', '(import "env" "system" (func (param i32) (result i32)))');
    const result = await resultOf(t, module);
    assert.equal(result.status, 'error');
    assert.match(result.findings[0]?.message ?? '', /ERR_WASM_IMPORT/);
  });

  it('C-14: bytes that are no module are an error', async (t) => {
    assert.equal((await resultOf(t, Buffer.from('not a module'))).status, 'error');
  });

  it('C-14: a host that cannot confine modules runs none, and says unknown', async (t) => {
    assert.deepEqual(summary(await resultOf(t, await writes(answer(GOOD)), { runner: null })), [
      'unknown module-not-run mine',
    ]);
  });

  it('C-14: a sandbox that fails is unknown with its reason, and asked again; a process that dies is an error', async (t) => {
    const gone = await resultOf(t, await writes(answer(GOOD)), { runner: failing('ERR_SANDBOX_SPAWNER_GONE') });
    assert.deepEqual(summary(gone), ['unknown module-not-run mine']);
    assert.match(gone.findings[0]?.message ?? '', /ERR_SANDBOX_SPAWNER_GONE/);
    const died = await resultOf(t, await writes(answer(GOOD)), { runner: failing('ERR_WASM_RUNNER') });
    assert.deepEqual(summary(died), ['error module-refused mine']);
  });
});

const refused = async (t: TestContext, file: Uint8Array | null): Promise<void> => {
  const result = await resultOf(t, await writes(answer(GOOD)), { file });
  assert.equal(result.status, 'error');
  assert.match(result.findings[0]?.message ?? '', /ERR_CHECK_MODULE/);
};

describe('C-14: modules that are not the signed ones', () => {
  const other = signerFromSeed(new Uint8Array(32).fill(9));
  it('C-14: missing', (t) => refused(t, null));
  it('C-14: without a signature', async (t) => refused(t, await writes(answer(GOOD))));
  it('C-14: signed by a key nobody pinned', async (t) =>
    refused(t, signCheckModule(await writes(answer(GOOD)), other).signed));
  it('C-14: another module under this name, signed by the right key', async (t) =>
    refused(t, signCheckModule(await writes(answer({ ...GOOD, subject: 'other' })), SIGNER).signed));
  it('C-14: empty, and too large', async (t) => {
    await refused(t, new Uint8Array(0));
    await refused(t, new Uint8Array(8 * 1024 * 1024));
    assert.throws(() => signCheckModule(new Uint8Array(5 * 1024 * 1024), SIGNER), { code: 'ERR_CHECK_MODULE' });
  });
  it('P-04: signed by a key that is valid no more', async (t) => {
    const directory = temporaryDirectory(t);
    const { sha256, signed } = signCheckModule(await writes(answer(GOOD)), SIGNER);
    await writeFile(join(directory, checkModuleFileName(sha256)), signed);
    const key = { ...PINNED, publicKey: encodeBase64(SIGNER.publicKey), validTo: '2026-02-01T00:00:00.000Z' };
    await assert.rejects(openCheckModules(directory, [key]).load(sha256, NOW_MS), { code: 'ERR_CHECK_MODULE' });
    assert.deepEqual(sha256Hex(await openCheckModules(directory, [PINNED]).load(sha256, NOW_MS)), sha256);
  });
});

const parse = (custom: string) =>
  parseBaseline(`version: 1\nname: x\ncreated: 2026-03-01T12:00:00.000Z\nchecks: {}\ncustomChecks:\n  - ${custom}\n`);

describe('C-14: the declaration', () => {
  const module = `module: "${'a'.repeat(64)}"`;

  it('C-14: has limits of its own when it names none', () => {
    const parsed = parse(`{name: mine, title: t, ${module}}`);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.baseline.customChecks[0]?.limits, {
      fuel: 1e9,
      memoryBytes: 33_554_432,
      deadlineMs: 2_000,
    });
  });

  for (const [name, custom] of Object.entries({
    'the name of a built-in check': `{name: firewall, title: t, ${module}}`,
    'an input there is none of': `{name: mine, title: t, ${module}, inputs: {secrets: true}}`,
    'a relative path': `{name: mine, title: t, ${module}, inputs: {files: [{path: etc/passwd}]}}`,
    'a digest that is none': `{name: mine, title: t, module: latest}`,
    'a deadline beyond that of a check': `{name: mine, title: t, ${module}, limits: {deadlineMs: 60000}}`,
    'a remedy': `{name: mine, title: t, ${module}, remediation: auto}`,
  })) {
    it(`C-14: ${name} is refused`, () => assert.equal(parse(custom).ok, false));
  }
});
