/** The launcher's file: what a disassembler reads in it, what the kernel may map, and how it runs on its own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { needs, temporaryDirectory } from '@holdfast/testing';
import type { Architecture } from '../seccomp/syscall-table.ts';
import { type Step, type TableSteps, cString, encodeTable, words } from './job-table.ts';
import { assembleLauncher, launcherImage } from './launcher-image.ts';
import {
  ENTRY_BYTES,
  HEADER_BYTES,
  JOB_TABLE_ADDRESS,
  MAX_TABLE_BYTES,
  SLOT_TABLE_ADDRESS,
  TABLE_MAGIC,
} from './memory.ts';
import { ENDED_BYTES, RUSAGE_OFFSET, STATUS_OFFSET, decodeReport } from './report.ts';

const ARCHITECTURES = ['x64', 'arm64'] as const;
type Cleanup = { after(fn: () => void): void };

const isOwn = (architecture: Architecture): boolean => architecture === (process.arch === 'arm64' ? 'arm64' : 'x64');
const plain = (text: string): string =>
  text
    .trim()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/#?(-?)0x([0-9a-f]+)/g, (_, sign, digits) => `#${sign}${parseInt(digits, 16)}`)
    .replace(/^(b\S*) (-?\d)/, '$1 #$2');

const header = (magic: number, sizeBytes: bigint): Uint8Array => words(magic, sizeBytes).bytes;

const encode = (architecture: Architecture, child: readonly Step[]): Uint8Array =>
  encodeTable({ child, parent: [] }, architecture, SLOT_TABLE_ADDRESS);

const encodeSecond = (architecture: Architecture, child: readonly Step[]): Uint8Array =>
  encodeTable({ child, parent: [] }, architecture, JOB_TABLE_ADDRESS);

const exit = (code: number): Step => ({ name: 'exit', call: 'exit_group', args: [code], expect: 0 });

const say = (text: string): Step => ({
  name: 'say',
  call: 'write',
  args: [1, cString(text), text.length],
  expect: text.length,
});

const run = async (t: Cleanup, architecture: Architecture, pieces: readonly Uint8Array[]) => {
  const file = `${temporaryDirectory(t)}/launcher`;
  writeFileSync(file, launcherImage(architecture), { mode: 0o755 });
  const emulator = `/usr/bin/qemu-${architecture === 'arm64' ? 'aarch64' : 'x86_64'}`;
  const [command, args] = isOwn(architecture) ? [file, []] : [emulator, [file]];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const channel = child.stdio[3] as Duplex; // stdio[3] is a pipe
  const [stdout, report]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  channel.on('data', (chunk: Buffer) => report.push(chunk)).on('error', () => undefined); // reset by unread bytes
  const closed = once(child, 'close');
  for (const piece of pieces) await new Promise((resolve) => channel.write(piece, resolve));
  channel.end();
  const [code, signal] = (await closed) as [number | null, string | null];
  return { code, signal, stdout: Buffer.concat(stdout).toString(), report: decodeReport(Buffer.concat(report)) };
};

describe('the launcher file', () => {
  for (const architecture of ARCHITECTURES) {
    it(`X-03: ${architecture}: is a small static ELF file without a writable and executable segment`, () => {
      const image = Buffer.from(launcherImage(architecture));
      assert.equal(image.subarray(0, 7).toString('latin1'), '\x7fELF\x02\x01\x01');
      assert.equal(image.readUInt16LE(18), architecture === 'x64' ? 62 : 183);
      const segments = Array.from({ length: image.readUInt16LE(56) }, (_, at) =>
        image.subarray(64 + 56 * at, 120 + 56 * at),
      );
      // R+X code, R+W table, R+W stack: PT_LOAD, PT_LOAD, PT_GNU_STACK; nothing to link (PT_INTERP, PT_DYNAMIC).
      assert.deepEqual(
        segments.map((bytes) => [bytes.readUInt32LE(0), bytes.readUInt32LE(4)]),
        [
          [1, 5],
          [1, 6],
          [0x6474e551, 6],
        ],
      );
      assert.equal(segments[0]?.readBigUInt64LE(32), BigInt(image.length));
      assert.ok(image.length < 704, `${image.length} bytes`);
    });
  }

  it('X-03: x64: objdump reads what the listing says', needs('binutils'), (t) => {
    const { code, listing } = assembleLauncher('x64');
    const file = `${temporaryDirectory(t)}/code`;
    writeFileSync(file, code);
    const origin = listing[0]?.address ?? 0;
    const args = [
      '-D',
      '-b',
      'binary',
      '-m',
      'i386:x86-64',
      '-M',
      'intel',
      '--no-show-raw-insn',
      `--adjust-vma=${origin}`,
      file,
    ];
    const { stdout } = spawnSync('/usr/bin/objdump', args, { encoding: 'utf8' });
    const lines = [...stdout.matchAll(/^ +([0-9a-f]+):\t(.*)$/gm)].map(
      ([, at, text]) => `${at} ${text?.replaceAll(/ +/g, ' ').trim()}`,
    );
    assert.deepEqual(
      lines,
      listing.map(({ address, text }) => `${address.toString(16)} ${text}`),
    );
  });

  it('X-03: arm64: llvm-mc reads what the listing says', needs('llvm'), () => {
    const { code, listing } = assembleLauncher('arm64');
    const input = [...code].map((byte) => `0x${byte.toString(16)}`).join(' ');
    const args = ['--disassemble', '--triple=aarch64', '--print-imm-hex'];
    const { stdout } = spawnSync('/usr/bin/llvm-mc', args, { encoding: 'utf8', input });
    const lines = stdout.split('\n').filter((line) => line.startsWith('\t') && !line.startsWith('\t.'));
    assert.deepEqual(
      lines.map(plain),
      listing.map(({ text }) => plain(text)),
    );
  });
});

for (const architecture of ARCHITECTURES) {
  const need = isOwn(architecture) ? needs('linux') : needs(architecture === 'arm64' ? 'qemu-aarch64' : 'qemu-x86_64');
  describe(`the ${architecture} launcher, running`, need, () => {
    it('X-03: makes calls in order, also when the table comes a byte at a time', async (t) => {
      const table = encode(architecture, [say('one '), say('two'), exit(9)]);
      assert.deepEqual(await run(t, architecture, [table]), {
        code: 9,
        signal: null,
        stdout: 'one two',
        report: EMPTY,
      });
      const bytes = [...table].map((byte) => Uint8Array.of(byte));
      assert.equal((await run(t, architecture, bytes)).stdout, 'one two');
    });

    it('X-04: stops at the first unexpected result and says which and what', async (t) => {
      const bad: Step = { name: 'bad', call: 'close', args: [77], expect: 0 };
      const { report, stdout, code } = await run(t, architecture, [
        encode(architecture, [say('a'), bad, say('b'), exit(0)]),
      ]);
      assert.deepEqual([report?.failed, stdout, code], [{ table: 'slot', entry: 1, errno: 9 }, 'a', 1]);
      const other = await run(t, architecture, [
        encode(architecture, [{ name: 'pid', call: 'getpid', args: [], expect: 1 }]),
      ]);
      assert.deepEqual(other.report?.failed, { table: 'slot', entry: 0, errno: null }); // no error, but not the number that was expected
    });

    it('X-07: forks, waits for the child and reports its status and use', async (t) => {
      const bytes = words(1, ...Array.from({ length: ENDED_BYTES / 8 - 1 }, () => 0)).bytes;
      const report = { bytes };
      const steps: TableSteps = {
        child: [{ name: 'fork', call: 'clone', args: [17, 0, 0, 0, 0], expect: 'fork' }, say('child'), exit(5)],
        parent: [
          { name: 'wait', call: 'wait4', args: [-1, { inside: report, at: STATUS_OFFSET }, 0, 0], expect: 'child' },
          { name: 'usage', call: 'getrusage', args: [-1, { inside: report, at: RUSAGE_OFFSET }], expect: 0 },
          { name: 'report', call: 'write', args: [3, report, ENDED_BYTES], expect: ENDED_BYTES },
          exit(6),
        ],
      };
      const result = await run(t, architecture, [encodeTable(steps, architecture, SLOT_TABLE_ADDRESS)]);
      assert.deepEqual([result.stdout, result.code, result.report?.ended?.exitCode], ['child', 6, 5]);
    });

    it('X-03: ends by itself, having done nothing, on what is no table', async (t) => {
      const table = encode(architecture, [say('x'), exit(0)]);
      const cases: Record<string, Uint8Array> = {
        'nothing at all': new Uint8Array(0),
        'half a header': table.subarray(0, 9),
        'a table cut short': table.subarray(0, table.length - 1),
        'another magic': Buffer.concat([header(1, 144n), table.subarray(16)]),
        'a byte too long for the memory': Buffer.concat([header(TABLE_MAGIC, BigInt(MAX_TABLE_BYTES) + 1n), table]),
        'longer than any address': header(TABLE_MAGIC, 0xffff_ffff_ffff_ffffn),
        'shorter than its header': header(TABLE_MAGIC, 0n),
        'no entry': header(TABLE_MAGIC, 16n),
      };
      for (const [name, bytes] of Object.entries(cases)) {
        const { code, signal, stdout, report } = await run(t, architecture, [bytes]);
        assert.deepEqual({ code, signal, stdout, report }, { code: 1, signal: null, stdout: '', report: EMPTY }, name);
      }
    });

    const waiting: Step = { name: 'job', call: 'read', args: [3, JOB_TABLE_ADDRESS, HEADER_BYTES], expect: 'table' };

    it('X-06: goes on with a second table, also when it comes a byte at a time, and says where it failed', async (t) => {
      const first = encode(architecture, [say('one '), waiting, exit(8)]);
      const second = encodeSecond(architecture, [
        say('two'),
        { name: 'bad', call: 'close', args: [77], expect: 0 },
        exit(9),
      ]);
      for (const rest of [[second], [...second].map((byte) => Uint8Array.of(byte))]) {
        const { stdout, code, report } = await run(t, architecture, [first, ...rest]);
        assert.deepEqual([stdout, code, report?.failed], ['one two', 1, { table: 'job', entry: 1, errno: 9 }]);
      }
      assert.equal((await run(t, architecture, [first, encodeSecond(architecture, [exit(9)])])).code, 9);
    });

    it('X-06: does nothing of a second table that is none, and reports that it cannot be read', async (t) => {
      const first = encode(architecture, [waiting, exit(8)]);
      const second = encodeSecond(architecture, [say('x'), exit(0)]);
      const cases: Record<string, Uint8Array> = {
        'nothing at all': new Uint8Array(0),
        'half a header': second.subarray(0, 9),
        'cut short': second.subarray(0, second.length - 1),
        'another magic': Buffer.concat([header(1, 144n), second.subarray(16)]),
        'a byte too long for the memory': Buffer.concat([header(TABLE_MAGIC, BigInt(MAX_TABLE_BYTES) + 1n), second]),
      };
      for (const [name, bytes] of Object.entries(cases)) {
        const { code, stdout, report } = await run(t, architecture, [first, bytes]);
        assert.deepEqual({ code, stdout, report }, { code: 1, stdout: '', report: EMPTY }, name);
      }
      const closed = { ...waiting, args: [77, JOB_TABLE_ADDRESS, HEADER_BYTES] };
      const { report } = await run(t, architecture, [encode(architecture, [closed, exit(8)])]);
      assert.deepEqual(report?.failed, { table: 'slot', entry: 0, errno: 9 });
    });

    it('X-03: takes a table of exactly the largest size', async (t) => {
      const fixed = HEADER_BYTES + 3 * ENTRY_BYTES;
      const filler = { bytes: new Uint8Array(MAX_TABLE_BYTES - fixed - 8) };
      const steps = [say('full'), { name: 'none', call: 'write', args: [1, filler, 0], expect: 0 }, exit(4)];
      const table = encode(architecture, steps);
      assert.equal(table.length, MAX_TABLE_BYTES);
      assert.deepEqual((await run(t, architecture, [table])).code, 4);
      const longer = { bytes: new Uint8Array(filler.bytes.length + 1) };
      assert.throws(() => encode(architecture, [say('full'), { ...exit(4), args: [longer] }, exit(4)]), {
        code: 'ERR_SANDBOX_START',
      });
    });
  });
}

describe('decodeReport', () => {
  it('X-07: says nothing of records that are cut short, and refuses what is no record', () => {
    const failed = words(2, 0x1000_0010, -13).bytes;
    assert.deepEqual(decodeReport(failed), { ...EMPTY, failed: { table: 'slot', entry: 0, errno: 13 } });
    const inJob = decodeReport(words(2, JOB_TABLE_ADDRESS + HEADER_BYTES + ENTRY_BYTES, -2).bytes);
    assert.deepEqual(inJob?.failed, { table: 'job', entry: 1, errno: 2 });
    for (let end = 0; end < failed.length; end++) assert.deepEqual(decodeReport(failed.subarray(0, end)), EMPTY);
    assert.equal(decodeReport(words(4, 0, 0).bytes), undefined);
    assert.equal(decodeReport(words(-1).bytes), undefined);
  });
});

const EMPTY = { failed: null, ended: null, listening: false };
