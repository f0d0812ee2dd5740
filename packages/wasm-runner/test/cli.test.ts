/** `holdfast wasm …` as people run it: what it prints, how it ends, what it leaves. */
import { temporaryDirectory } from '@holdfast/testing';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assemble, HELLO, needsWall, runnerPids } from './wat-task.ts';

const MAIN = fileURLToPath(new URL('../../../apps/cli/src/main.ts', import.meta.url));
const WASI = 'import "wasi_snapshot_preview1"';
const START = '(memory (export "memory") 1) (func (export "_start")';

/** Writes `hello`, and then does not end. */
const HELLO_FOR_EVER = HELLO.replace('(i32.const 20)))))', '(i32.const 20))) (loop $l (br $l))))');
const LOOP = `(module ${START} (loop $l (br $l))))`;
const EXIT_3 = `(module (${WASI} "proc_exit" (func $exit (param i32))) ${START} (call $exit (i32.const 3))))`;

/** Copies standard input, up to 256 bytes, to standard output. */
const CAT = `(module
  (${WASI} "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (${WASI} "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\\00\\01\\00\\00\\00\\01\\00\\00")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))`;

/** Creates `new` in the first directory it was given; ends with the error number. */
const CREATE = `(module
  (${WASI} "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (${WASI} "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 64) "new")
  (func (export "_start") (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 3)
    (i32.const 1) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 0)))))`;

/** Sixteen random bytes and the time, as they are. */
const RANDOM = `(module
  (${WASI} "random_get" (func $random (param i32 i32) (result i32)))
  (${WASI} "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (${WASI} "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\\40\\00\\00\\00\\18\\00\\00\\00")
  (func (export "_start")
    (drop (call $random (i32.const 64) (i32.const 16)))
    (drop (call $time (i32.const 0) (i64.const 1) (i32.const 80)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))`;

/** A directory with modules in it. */
function modules(t: TestContext) {
  const directory = temporaryDirectory(t);
  return {
    directory,
    write: (name: string, wat: string): string => {
      const path = join(directory, name);
      writeFileSync(path, assemble(wat));
      return path;
    },
  };
}

const started = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, ['--no-warnings', MAIN, 'wasm', ...args], { env: {}, stdio: ['pipe', 'pipe', 'pipe'] });

async function holdfast(args: readonly string[], stdin = '') {
  const child = started(args);
  child.stdin?.on('error', () => undefined); // most do not read it
  child.stdin?.end(stdin);
  const [out, err, [code]] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
    once(child, 'close') as Promise<[number | null]>, // of a child process
  ]);
  return { out, err, code };
}

const UNCONFINED = '--no-process-sandbox';
const run = (args: readonly string[], stdin?: string) => holdfast(['run', UNCONFINED, ...args], stdin);

describe('holdfast wasm', () => {
  const endings: { name: string; wat: string; args?: string[]; code: number; says?: RegExp }[] = [
    { name: 'its own code', wat: EXIT_3, code: 3 },
    {
      name: '124 at the deadline',
      wat: LOOP,
      args: ['--deadline', '200ms', '--fuel', '999999999999999999'],
      code: 124,
    },
    { name: '152 without fuel', wat: LOOP, args: ['--fuel', '1000'], code: 152, says: /ERR_WASM_FUEL/ },
    { name: '134 for a trap', wat: `(module ${START} unreachable))`, code: 134, says: /ERR_WASM_TRAP/ },
    { name: '134 for the stack', wat: '(module (func $f (export "_start") (call $f)))', code: 134, says: /STACK/ },
    { name: '65 for an import that is not offered', wat: '(module (import "env" "system" (func)))', code: 65 },
    {
      name: '70 for starting with more memory than allowed',
      wat: '(module (memory 4096) (func (export "_start")))',
      code: 70,
    },
  ];
  for (const { name, wat, args = [], code, says = /(?:)/ } of endings) {
    it(`X-09: ends with ${name}`, async (t) => {
      const ended = await run([...args, modules(t).write('m.wasm', wat)]);
      assert.equal(ended.code, code, ended.err);
      assert.match(ended.err, says);
    });
  }

  const refusals: { name: string; args: string[] }[] = [
    { name: 'fuel of 0', args: ['--fuel', '0'] },
    { name: 'fuel beyond a number of 18 digits', args: ['--fuel', '1000000000000000000'] },
    { name: 'negative fuel', args: ['--fuel=-1'] },
    { name: 'no duration', args: ['--deadline', 'soon'] },
    { name: 'memory that is no size', args: ['--memory', '1e400'] },
    { name: 'more memory than there is', args: ['--memory', '99999999999999999999GiB'] },
    { name: 'a seed that is no hex', args: ['--seed', 'xyz'] },
    { name: 'a directory without a place in the guest', args: ['--dir', '/tmp'] },
    { name: 'a variable without a name', args: ['--env', '=x'] },
    { name: 'an unknown flag', args: ['--network'] },
  ];
  for (const { name, args } of refusals) {
    it(`X-09: refuses ${name}`, async (t) => {
      const { code, out, err } = await run([...args, modules(t).write('m.wasm', HELLO)]);
      assert.ok(code !== null && code !== 0 && code !== 70, `${code} ${err}`);
      assert.equal(out, '');
      assert.doesNotMatch(err, /internal error|^\s+at /m);
    });
  }

  it('X-09: refuses what is no module, is not there, or is a directory', async (t) => {
    const { directory } = modules(t);
    const noModule = join(directory, 'text.wasm');
    writeFileSync(noModule, 'hello');
    for (const path of [noModule, join(directory, 'missing.wasm'), directory]) {
      for (const command of ['run', 'inspect']) {
        const { code, out, err } = await holdfast([command, UNCONFINED, path]);
        assert.deepEqual([code, out], [65, ''], `${command} ${path} ${err}`);
        assert.match(err, /ERR_(WASM_MALFORMED|INPUT_INVALID)/);
      }
    }
  });

  it('X-09: shows a directory read-only, or as a copy that is written back when asked for', async (t) => {
    const { directory, write } = modules(t);
    const create = write('create.wasm', CREATE);
    const data = join(directory, 'data');
    mkdirSync(data);
    const made = (): boolean => existsSync(join(data, 'new'));
    assert.notEqual((await run(['--dir', `${data}::/d`, '--commit', create])).code, 0);
    assert.notEqual((await run(['--dir', `${data}::/d:ro`, '--commit', create])).code, 0);
    const copied = await run(['--dir', `${data}::/d:cow`, create]);
    assert.deepEqual([copied.code, made()], [0, false]);
    assert.match(copied.err, /1 changes .* not written back/);
    assert.deepEqual([(await run(['--dir', `${data}::/d:cow`, '--commit', create])).code, made()], [0, true]);
    const again = await run(['--dir', `${join(directory, 'missing')}::/d`, create]);
    assert.match(again.err, /ERR_WASM_DIRECTORY/);
  });

  it('X-09: hands over standard input, from a file and from its own', async (t) => {
    const { directory, write } = modules(t);
    const cat = write('cat.wasm', CAT);
    writeFileSync(join(directory, 'in'), 'from a file');
    assert.equal((await run(['--stdin', join(directory, 'in'), cat])).out, 'from a file');
    assert.equal((await run(['--stdin', '-', cat], 'from its own')).out, 'from its own');
    assert.equal((await run([cat], 'not asked for')).out.replaceAll('\0', ''), '');
  });

  it('X-16: says what was used, to people and as JSON', async (t) => {
    const hello = modules(t).write('hello.wasm', HELLO);
    const told = await run(['--usage', hello]);
    assert.equal(told.out, 'hello\n');
    assert.match(told.err, /fuel \d+, memory 64 KiB[^]*wrote 6 in 1/);
    const { out } = await run(['--json', hello]);
    const data = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual([data['exitCode'], data['processSandbox'], data['stdoutBase64']], [0, false, 'aGVsbG8K']);
  });

  it('X-16: --deterministic gives the same twice, and nothing does not', async (t) => {
    const random = modules(t).write('random.wasm', RANDOM);
    const twice = async (...args: string[]) => [(await run([...args, random])).out, (await run([...args, random])).out];
    const result = async () => {
      const { usage, ...rest } = JSON.parse((await run(['--json', '--deterministic', random])).out);
      return { ...rest, fuel: usage.fuel };
    };
    assert.deepEqual(await result(), await result());
    const [first, second] = await twice('--deterministic', '--seed', '01');
    assert.equal(first, second);
    assert.notEqual(first, (await run(['--deterministic', '--seed', '02', random])).out);
    const [one, other] = await twice();
    assert.notEqual(one, other);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`X-07: ${signal} ends it after what it wrote was shown, and leaves nothing`, async (t) => {
      const path = modules(t).write('m.wasm', HELLO_FOR_EVER);
      const child = started(['run', UNCONFINED, '--fuel', '999999999999999999', path]);
      t.after(() => child.kill('SIGKILL'));
      assert.ok(child.stdout !== null);
      const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
      assert.equal(chunk.toString(), 'hello\n', 'at once, and not when it ends');
      const pids = runnerPids();
      assert.equal(pids.length, 1);
      child.kill(signal);
      assert.deepEqual(await once(child, 'close'), [130, null]);
      assert.deepEqual(
        pids.filter((pid) => existsSync(`/proc/${pid}`)),
        [],
      );
    });
  }

  it('X-15: runs and inspects behind the wall', needsWall, async (t) => {
    const path = modules(t).write('m.wasm', HELLO);
    const { out } = await holdfast(['run', '--json', path]);
    const { exitCode, processSandbox, stdoutBase64 } = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual([exitCode, processSandbox, stdoutBase64], [0, true, 'aGVsbG8K']);
    const inspected = await holdfast(['inspect', path]);
    assert.deepEqual([inspected.code, inspected.err], [0, '']);
    assert.match(inspected.out, /import {3}wasi_snapshot_preview1 fd_write\nexport {3}memory memory/);
    const json = JSON.parse((await holdfast(['inspect', '--json', path])).out) as Record<string, unknown>;
    assert.equal(json['sizeBytes'], readFileSync(path).length);
  });
});
