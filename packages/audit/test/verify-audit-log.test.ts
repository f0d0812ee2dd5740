/** P-25: verification from bytes; P-20: what recovery mends and what it refuses. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { type AuditFault, HEAD_NAME, verifyAuditLog } from '../src/index.ts';
import { entry, openLog, publicKeys, stranger } from './log-fixture.ts';

const FIRST = '0000000000000001.audit';

/** A closed log of `records` records in several segments. */
async function makeLog(t: TestContext, records: number, segmentBytes = 1_000_000): Promise<string> {
  const directory = join(temporaryDirectory(t), 'audit');
  await using log = await openLog(directory, { segmentBytes });
  for (let n = 1; n <= records; n += 1) await log.append(entry(n));
  return directory;
}

const segmentsOf = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.audit'))
    .toSorted();

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const writeLines = (path: string, lines: readonly string[]): void =>
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));

async function faultsOf(directory: string): Promise<AuditFault[]> {
  const verdict = await verifyAuditLog(directory, { publicKeys });
  assert.equal(verdict.ok, verdict.problems.length === 0);
  return verdict.problems.map(({ fault }) => fault);
}

async function openFault(directory: string): Promise<unknown> {
  try {
    const log = await openLog(directory);
    await log.close();
    return 'opened';
  } catch (error) {
    assert.ok(hasCode(error, 'ERR_AUDIT_DAMAGED'), String(error));
    return error.fields['reason'];
  }
}

describe('verifyAuditLog', () => {
  it('P-25: accepts a log as it was written, with and without keys', async (t) => {
    const directory = await makeLog(t, 20, 1_500);
    const verdict = await verifyAuditLog(directory, { publicKeys });
    assert.deepEqual(
      { ...verdict, head: verdict.head.seq, segments: verdict.segments > 3 },
      {
        ok: true,
        records: 20,
        segments: true,
        head: 20,
        signatures: 'verified',
        problems: [],
      },
    );
    assert.equal((await verifyAuditLog(directory)).signatures, 'not-checked');
  });

  it('P-25: fails on a changed byte at every position of every segment and of the head', async (t) => {
    const directory = await makeLog(t, 5, 900);
    const names = [...segmentsOf(directory), HEAD_NAME];
    assert.ok(names.length > 2);
    let positions = 0;
    for (const name of names) {
      const path = join(directory, name);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
        writeFileSync(path, changed);
        const verdict = await verifyAuditLog(directory, { publicKeys });
        assert.equal(verdict.ok, false, `${name}:${at}`);
        positions += 1;
      }
      writeFileSync(path, bytes);
    }
    assert.ok(positions > 1_500, `${positions} positions`);
    assert.deepEqual(await faultsOf(directory), []);
  });

  it('P-25: fails on every truncation of a closed log', async (t) => {
    const directory = await makeLog(t, 3);
    const path = join(directory, FIRST);
    const bytes = readFileSync(path);
    for (let length = 0; length < bytes.length; length += 1) {
      writeFileSync(path, bytes.subarray(0, length));
      assert.notDeepEqual(await faultsOf(directory), [], `cut to ${length}`);
    }
  });

  const damages: readonly { name: string; fault: AuditFault; opens: unknown; damage: (directory: string) => void }[] = [
    {
      name: 'no directory',
      fault: 'absent',
      opens: 'opened',
      damage: (directory) => rmSync(directory, { recursive: true }),
    },
    {
      name: 'an empty log with a head that says there were records',
      fault: 'tail-cut',
      opens: 'segment-missing',
      damage: (directory) => segmentsOf(directory).forEach((name) => rmSync(join(directory, name))),
    },
    {
      name: 'a first segment that is gone',
      fault: 'segment-missing',
      opens: 'segment-missing',
      damage: (directory) => rmSync(join(directory, FIRST)),
    },
    {
      name: 'a last segment that is gone',
      fault: 'tail-cut',
      opens: 'tail-cut',
      damage: (directory) => rmSync(join(directory, segmentsOf(directory).at(-1) ?? '')),
    },
    {
      name: 'a segment with another name',
      fault: 'segment-missing',
      opens: 'segment-missing',
      damage: (directory) => renameSync(join(directory, FIRST), join(directory, '0000000000000002.audit')),
    },
    {
      name: 'the last segment emptied',
      fault: 'tail-cut',
      opens: 'tail-cut',
      damage: (directory) => truncateSync(join(directory, segmentsOf(directory).at(-1) ?? ''), 0),
    },
    {
      name: 'the head gone',
      fault: 'head-missing',
      opens: 'head-missing',
      damage: (directory) => rmSync(join(directory, HEAD_NAME)),
    },
    {
      name: 'a head that is not one',
      fault: 'head-malformed',
      opens: 'head-malformed',
      damage: (directory) => writeFileSync(join(directory, HEAD_NAME), '{}'),
    },
  ];
  for (const { name, fault, opens, damage } of damages) {
    it(`P-25: fails on ${name}`, async (t) => {
      const directory = await makeLog(t, 12, 1_500);
      damage(directory);
      assert.deepEqual(await faultsOf(directory), [fault]);
      assert.equal(await openFault(directory), opens);
    });
  }

  const edits: readonly { name: string; fault: AuditFault; edit: (lines: string[]) => string[] }[] = [
    { name: 'reordered records', fault: 'chain-broken', edit: ([a, b, c, ...rest]) => [a!, c!, b!, ...rest] },
    { name: 'a dropped record', fault: 'chain-broken', edit: ([a, , ...rest]) => [a!, ...rest] },
    { name: 'a repeated record', fault: 'chain-broken', edit: ([a, ...rest]) => [a!, a!, ...rest] },
    { name: 'a line that is no record', fault: 'not-a-record', edit: ([a, ...rest]) => [a!, 'hello', ...rest] },
    { name: 'an empty line', fault: 'not-a-record', edit: ([a, ...rest]) => [a!, '', ...rest] },
    { name: 'an enormous line', fault: 'not-a-record', edit: ([a, ...rest]) => [a!, 'x'.repeat(3_000_000), ...rest] },
    { name: 'the newest record dropped', fault: 'tail-cut', edit: (lines) => lines.slice(0, -1) },
    {
      name: 'a changed text',
      fault: 'hash-mismatch',
      edit: (lines) => lines.map((line) => line.replace('allow', 'denied')),
    },
  ];
  for (const { name, fault, edit } of edits) {
    it(`P-25: fails on ${name}`, async (t) => {
      const directory = await makeLog(t, 6);
      const path = join(directory, FIRST);
      writeLines(path, edit(linesOf(path)));
      assert.deepEqual(await faultsOf(directory), [fault]);
      assert.equal(await openFault(directory), fault, 'P-20: opening refuses it as well');
    });
  }

  it('P-18: an unknown version fails, however well it is hashed', async (t) => {
    const directory = await makeLog(t, 1);
    const path = join(directory, FIRST);
    const body = (linesOf(path)[0] ?? '').slice(65).replace('"version":1', '"version":2');
    writeLines(path, [`${createHash('sha256').update(body).digest('hex')} ${body}`]);
    assert.deepEqual(await faultsOf(directory), ['unknown-version']);
  });

  it('P-25: a whole log written by a stranger fails for its signature', async (t) => {
    const { openAuditLog } = await import('../src/index.ts');
    const directory = join(temporaryDirectory(t), 'audit');
    const clock = { wallMs: () => 1, monotonicMs: () => 1 };
    const log = await openAuditLog({ directory, signer: stranger, clock, bootId: 'boot-1' });
    await log.append(entry(1));
    await log.close();
    assert.deepEqual(await faultsOf(directory), ['head-signature']);
    assert.equal(await openFault(directory), 'head-signature');
    const previous = await openLog(directory, { previousKeys: [stranger.publicKey] });
    assert.equal(previous.head().seq, 1);
    await previous.close();
  });

  it('P-25: a rewritten log with a recomputed chain fails against the signed head', async (t) => {
    const directory = await makeLog(t, 3);
    const other = await makeLog(t, 3);
    cpSync(join(other, FIRST), join(directory, FIRST));
    assert.deepEqual(await faultsOf(directory), ['head-mismatch']);
    assert.equal(await openFault(directory), 'head-mismatch');
  });

  it('says where: segment, offset and the last good record', async (t) => {
    const directory = await makeLog(t, 6);
    const path = join(directory, FIRST);
    const lines = linesOf(path);
    writeLines(path, lines.with(3, (lines[3] ?? '').replace('allow', 'denie')));
    const { problems } = await verifyAuditLog(directory);
    const offset = Buffer.byteLength(
      lines
        .slice(0, 3)
        .map((line) => `${line}\n`)
        .join(''),
    );
    assert.deepEqual(problems, [{ fault: 'hash-mismatch', segment: FIRST, offset, afterSeq: 3 }]);
  });
});

/** A log whose head was signed at `signed` records and which then grew to `records`, as after a kill. */
async function killedLog(t: TestContext, signed: number, records: number): Promise<string> {
  const directory = await makeLog(t, signed);
  const head = readFileSync(join(directory, HEAD_NAME));
  await using log = await openLog(directory);
  for (let n = signed + 1; n <= records; n += 1) await log.append(entry(n));
  await log.close();
  writeFileSync(join(directory, HEAD_NAME), head);
  return directory;
}

describe('recovery of a torn tail', () => {
  it('P-20: cuts what was torn anywhere in the newest record, keeps all before it, and says so', async (t) => {
    const directory = await killedLog(t, 2, 4);
    const path = join(directory, FIRST);
    const bytes = readFileSync(path);
    const head = readFileSync(join(directory, HEAD_NAME));
    const lastStart = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    // Every ninth byte and the last ones: each round is a dozen syncs.
    const isCut = (length: number): boolean => length % 9 === 0 || length > bytes.length - 4;
    for (let length = lastStart + 1; length < bytes.length; length += 1) {
      if (!isCut(length)) continue;
      writeFileSync(path, bytes.subarray(0, length));
      writeFileSync(join(directory, HEAD_NAME), head);
      assert.deepEqual(await faultsOf(directory), ['torn-tail'], `cut to ${length}`);
      const log = await openLog(directory);
      const [last, recovered] = await log.tail(2);
      assert.equal(last?.detail['n'], 3);
      assert.equal(recovered?.action, 'audit.recovered');
      assert.deepEqual(recovered?.detail, { segment: FIRST, offset: lastStart, droppedBytes: length - lastStart });
      await log.close();
      assert.deepEqual(await faultsOf(directory), []);
    }
  });

  it('P-20: cuts a tail that the file system filled with zeros', async (t) => {
    const directory = await killedLog(t, 2, 3);
    const path = join(directory, FIRST);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(4_096), Buffer.from('\n')]));
    await using log = await openLog(directory);
    assert.equal((await log.tail(1))[0]?.action, 'audit.recovered');
    assert.equal(log.head().seq, 4);
  });

  it('P-20: refuses a whole line that does not verify, although it is the last', async (t) => {
    const directory = await killedLog(t, 2, 4);
    const path = join(directory, FIRST);
    const lines = linesOf(path);
    writeLines(path, lines.with(3, (lines[3] ?? '').replace('allow', 'denie')));
    assert.equal(await openFault(directory), 'hash-mismatch');
  });

  it('P-20: refuses to take an acknowledged record for a torn one when the signed head knows it', async (t) => {
    const directory = await makeLog(t, 4);
    const path = join(directory, FIRST);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, -1));
    assert.equal(await openFault(directory), 'tail-cut');
    assert.deepEqual(readFileSync(path), bytes.subarray(0, -1), 'and touches nothing');
  });
});

/** Rewrites the newest record by `edit` with a right hash, as somebody who knows the format would. */
function forgeNewest(directory: string, edit: (body: string) => string): void {
  const path = join(directory, FIRST);
  const lines = linesOf(path);
  const body = edit((lines.at(-1) ?? '').slice(65));
  writeLines(path, [...lines.slice(0, -1), `${createHash('sha256').update(body).digest('hex')} ${body}`]);
}

describe('gap records', () => {
  it('P-22: a gap record that the host did not sign fails, and so does one that says less', async (t) => {
    const directory = await killedLog(t, 1, 2);
    const detail = `"detail":{"cause":"EIO","refused":1,"signature":"${'A'.repeat(86)}==","since":"2026-01-01T00:00:00.000Z"}}`;
    forgeNewest(directory, (body) =>
      body.replace('"action":"request"', '"action":"audit.gap"').replace(/"detail":.*$/, detail),
    );
    assert.deepEqual(await faultsOf(directory), ['gap-signature']);
    forgeNewest(directory, (body) => body.replace(/"signature":"[^"]*",/, ''));
    assert.deepEqual(await faultsOf(directory), ['gap-signature']);
    assert.equal((await verifyAuditLog(directory)).ok, true, 'without keys nobody can tell');
  });
});
