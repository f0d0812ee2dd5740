/** What a stranger can tell from a bundle and pinned keys alone, and what nobody can hide from them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { publicKeyPem, sha256Hex } from '@holdfast/crypto';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { encodeTar } from '../src/bundle/tar.ts';
import {
  assess,
  type BundlePins,
  exportBundle,
  type GateVerdict,
  MemoryGateLog,
  openBundle,
  parsePins,
  pinsOf,
  planVerdict,
  verdictDigest,
  verifyBundle,
} from '../src/index.ts';
import { GATE_ID, signerOf, SOURCE } from './sample-gate.ts';
import { SignedGate } from './signed-gate.ts';

const HOUR_MS = 3_600_000;

/** What follows from the records so far, as its issuer signs it; `over` is what they might lie about. */
async function issue(gate: SignedGate, over: Partial<GateVerdict> = {}): Promise<GateVerdict> {
  const { records } = await logOf(gate);
  const assessment = assess({ records, current: null, candidate: SOURCE, nowMs: gate.nowMs + 1_000 });
  const verdict = { ...planVerdict(assessment, { author: 'dora', artifacts: [], head: gate.head }), ...over };
  gate.add('gate-verdict', verdict.author, verdict);
  return verdict;
}

const again = (id: string): string => id.replace(/^0198a000/, '0198a001');

/** The milestone's last session once more. @returns the new run of `command` */
async function runAgain(gate: SignedGate, command: string): Promise<string> {
  const { records } = await logOf(gate);
  const last = records.findLast((record) => record.kind === 'command-run');
  if (last?.kind !== 'command-run') throw new TypeError('the gate ran nothing');
  const { gate: _, revision: __, at: ___, author, ...predicate } = last.predicate;
  const [session, runs] = [again(predicate.session), predicate.runs.map((run) => ({ ...run, id: again(run.id) }))];
  const { role, packet } = predicate;
  gate.add('attempt', author, { session, role, packet, commands: gate.gate.milestone, source: SOURCE });
  gate.add('command-run', author, { ...predicate, session, runs });
  const tests = records.findLast((record) => record.kind === 'test-result');
  for (const { id } of runs.filter((run) => run.tests !== null))
    gate.add('test-result', author, { session, run: id, tests: tests?.predicate.tests ?? [] });
  return runs.find((run) => run.command === command)?.id ?? '';
}

const logOf = async (gate: SignedGate): Promise<MemoryGateLog> => MemoryGateLog.read(GATE_ID, gate.bytes, gate.objects);
const small = (): SignedGate => new SignedGate({ packets: 2, commands: 2 });

async function good() {
  const gate = small();
  const verdict = await issue(gate);
  return { gate, verdict, bytes: await exportBundle(await logOf(gate)), pins: pinsOf(gate.gate) };
}

const rulesOf = ({ failures }: { readonly failures: readonly { readonly rule: string }[] }): string[] =>
  failures.map(({ rule }) => rule);

describe('R-23: verify a bundle offline', () => {
  it('R-22: derives the same verdict with the same digest', async () => {
    const { gate, verdict, bytes, pins } = await good();
    const report = await verifyBundle(bytes, pins, gate.nowMs + HOUR_MS);
    assert.deepEqual(report.failures, []);
    assert.equal(report.result, 'GO');
    assert.equal(report.verdict?.digest, verdictDigest(verdict));
    assert.equal(report.verdict.derivedDigest, verdictDigest(verdict));
    assert.deepEqual(report.head, gate.head);
    assert.deepEqual(
      report.signers.map(({ person, keyId, pinned }) => ({ person, keyId, pinned })),
      ['ann', 'bob', 'dora'].map((person) => ({ person, keyId: signerOf(person).keyId, pinned: true })),
    );
    assert.equal(
      report.signers.reduce((sum, { records }) => sum + records, 0),
      gate.head.size,
    );
  });

  it('without pins says who signed, and is inconclusive', async () => {
    const { gate, bytes } = await good();
    const report = await verifyBundle(bytes, null, gate.nowMs);
    assert.equal(report.result, 'INCONCLUSIVE');
    assert.deepEqual(report.failures, []);
    assert.deepEqual([...new Set(report.signers.map(({ pinned }) => pinned))], [false]);
  });

  const pinCases: { name: string; change: (pins: BundlePins) => BundlePins }[] = [
    { name: 'a signer who is not pinned', change: (pins) => pinsOnly(pins, ['ann', 'dora']) },
    { name: 'another key of a signer', change: (pins) => withKey(pins, 'bob', 'mallory') },
    { name: 'a key that is pinned for two people', change: (pins) => withKey(pins, 'bob', 'ann') },
    { name: 'pins of another gate', change: (pins) => ({ ...pins, gate: 'other' }) },
    { name: 'nobody pinned', change: ({ gate }) => ({ gate, people: {} }) },
  ];
  for (const { name, change } of pinCases) {
    it(`R-13: ${name} fails`, async () => {
      const { gate, bytes, pins } = await good();
      const report = await verifyBundle(bytes, change(pins), gate.nowMs);
      assert.equal(report.result, 'NO_GO');
      assert.deepEqual([...new Set(rulesOf(report))], ['R-13']);
    });
  }

  it('R-34: a verdict that does not follow from the records fails, member by member', async () => {
    for (const over of [
      {
        counts: {
          packets: 3,
          approved: 3,
          surfaces: 1,
          covered: 1,
          commands: 2,
          runs: 99,
          validRuns: 99,
          tests: 99,
          findings: { P0: 0, P1: 0, P2: 0 },
          conditions: 0,
          risks: 0,
        },
      },
      { inputs: { size: 1, root: sha256Hex('another log') } },
      { policyDigest: sha256Hex('another policy') },
      { rollbackTriggers: ['never'] },
    ] satisfies Partial<GateVerdict>[]) {
      const gate = small();
      await issue(gate, over);
      const report = await verifyBundle(await exportBundle(await logOf(gate)), pinsOf(gate.gate), gate.nowMs);
      const [member = ''] = Object.keys(over);
      assert.equal(report.result, 'NO_GO');
      assert.ok(
        report.failures.some(({ rule, reason }) => rule === 'R-22' && reason.includes(`"${member}"`)),
        member,
      );
      assert.notEqual(report.verdict?.derivedDigest, report.verdict?.digest);
    }
  });

  it('R-34: a GO that was typed over open evidence fails', async () => {
    const gate = small();
    gate.add('transition', 'ann', { packet: 'p1', event: 'reopen', source: SOURCE, reason: 'one more thing' });
    const verdict = await issue(gate, { verdict: 'GO', reasons: [] });
    assert.equal(verdict.verdict, 'GO');
    const report = await verifyBundle(await exportBundle(await logOf(gate)), pinsOf(gate.gate), gate.nowMs);
    assert.equal(report.result, 'NO_GO');
    assert.ok(report.failures.some(({ reason }) => reason.includes('"verdict"')));
  });

  it('R-13: a verdict by a reviewer is none', async () => {
    const gate = small();
    await issue(gate, { author: 'bob' });
    const report = await verifyBundle(await exportBundle(await logOf(gate)), pinsOf(gate.gate), gate.nowMs);
    assert.equal(report.result, 'NO_GO');
    assert.equal(report.verdict?.derivedDigest, null);
    assert.deepEqual(rulesOf(report), ['R-13']);
  });

  it('R-21: a verdict that was typed so that an addendum lifts what nobody might accept fails', async () => {
    const gate = small();
    const about = { id: 'F-1', surface: 'all', packet: 'p0', clause: 'p1', severity: 'P1' } as const;
    const said = { title: 'a wrong total', location: 'src/a.ts', defect: 'code', reason: 'seen' } as const;
    gate.add('finding', 'bob', { ...about, ...said, disposition: 'open', fingerprint: null, evidence: [] });
    const condition = { id: 'C-1', text: 'it builds', command: 'build-1', owner: 'ann', due: '2026-03-05' };
    // By the implementer of what it is about: it does not count.
    gate.add('risk-acceptance', 'ann', {
      finding: 'F-1',
      reason: 'rare',
      release: gate.gate.release,
      expires: '2026-03-06',
      control: { text: 'it builds', command: 'build-1' },
      condition,
      previous: null,
      waivers: 0,
    });
    const conditions = [{ ...condition, finding: 'F-1', expires: '2026-03-06' }];
    await issue(gate, { verdict: 'GO_WITH_CONDITIONS', conditions });
    const verdict = (await logOf(gate)).records.at(-1)?.leaf ?? '';
    const run = await runAgain(gate, 'build-1');
    const lifts = [{ condition: 'C-1', fix: 'none', commit: SOURCE.commit, run }];
    gate.add('addendum', 'dora', { verdict, source: SOURCE, lifts });
    assert.equal((await issue(gate)).verdict, 'GO', 'by the records alone');
    const report = await verifyBundle(await exportBundle(await logOf(gate)), pinsOf(gate.gate), gate.nowMs);
    assert.equal(report.result, 'NO_GO');
    assert.ok(report.failures.some(({ rule, reason }) => rule === 'R-22' && reason.includes('"conditions"')));
  });

  it('R-19: no verdict is no GO', async () => {
    const gate = small();
    const report = await verifyBundle(await exportBundle(await logOf(gate)), pinsOf(gate.gate), gate.nowMs);
    assert.equal(report.result, 'NO_GO');
    assert.deepEqual(rulesOf(report), ['R-19']);
  });

  it('R-18: is STALE once its evidence has expired, with the verdict as readable as before', async () => {
    const { gate, verdict, bytes, pins } = await good();
    const maxAgeMs = gate.gate.policies.maxEvidenceAgeHours * HOUR_MS;
    const report = await verifyBundle(bytes, pins, gate.nowMs + maxAgeMs + HOUR_MS);
    assert.equal(report.result, 'STALE');
    assert.deepEqual(report.failures, []);
    assert.equal(report.verdict?.derivedDigest, verdictDigest(verdict));
  });

  it('R-07: outputs that are not what runs say of them fail', async () => {
    const gate = small();
    const pack = gate.objects[0] ?? new Uint8Array();
    const [attempt] = (await logOf(gate)).records.filter(({ kind }) => kind === 'command-run').slice(-1);
    assert.ok(attempt?.kind === 'command-run');
    const { gate: _gate, revision: _revision, author, at: _at, ...rest } = attempt.predicate;
    const runs = rest.runs.map((run) => ({ ...run, stdout: { ...run.stdout, digest: sha256Hex('other output') } }));
    gate.add('command-run', author, { ...rest, runs, pack: { ...rest.pack, bytes: pack.length + 1 } });
    await issue(gate);
    const report = await verifyBundle(await exportBundle(await logOf(gate)), pinsOf(gate.gate), gate.nowMs);
    assert.equal(report.result, 'NO_GO');
    assert.equal(rulesOf(report).filter((rule) => rule === 'R-07').length, 1 + runs.length);
  });
});

describe('R-10: a changed bundle is found', () => {
  it('is the same bytes for the same records, and opens again', async () => {
    const { gate, bytes } = await good();
    assert.deepEqual(await exportBundle(await logOf(gate)), bytes);
    assert.deepEqual(await exportBundle(await openBundle(bytes)), bytes);
  });

  it('any changed byte, in records, outputs, names, headers and padding', async () => {
    const { gate, bytes, pins } = await good();
    // Every byte of the first header and of the end; a sample of the rest that is no multiple of a block.
    const places = new Set([...Array(600).keys(), ...Array.from({ length: bytes.length / 211 }, (_, at) => at * 211)]);
    for (let at = bytes.length - 1_030; at < bytes.length; at += 7) places.add(at);
    for (const at of places) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const report = await verifyBundle(changed, pins, gate.nowMs);
      assert.equal(report.result, 'NO_GO', `byte ${at}`);
      assert.equal(report.head, null, `byte ${at}`);
      assert.equal(report.failures.length, 1);
    }
  });

  const shapes: { name: string; change: (entries: Entries) => Entries }[] = [
    { name: 'a file that no record names', change: (entries) => [...entries, file('zzz')] },
    { name: 'an object that no record names', change: (entries) => [...entries, file(`objects/ff/${'f'.repeat(62)}`)] },
    { name: 'a path out of the bundle', change: (entries) => [file('../../etc/passwd', 'root'), ...entries] },
    { name: 'a file twice', change: ([first, ...rest]) => (first === undefined ? [] : [first, first, ...rest]) },
    { name: 'files in another order', change: (entries) => entries.toReversed() },
    { name: 'without its outputs', change: (entries) => entries.filter(({ name }) => !name.startsWith('objects/')) },
    { name: 'without its log', change: (entries) => entries.filter(({ name }) => name !== 'log.jsonl') },
    { name: 'without its head', change: (entries) => entries.filter(({ name }) => name !== 'checkpoint') },
    { name: 'without its keys', change: (entries) => entries.filter(({ name }) => name !== 'keys.json') },
    {
      name: 'with lines behind its head',
      change: (entries) =>
        entries.map(({ name, bytes }) => ({
          name,
          bytes: name === 'log.jsonl' ? Buffer.concat([bytes, bytes]) : bytes,
        })),
    },
    { name: 'with nothing in it', change: () => [] },
  ];
  for (const { name, change } of shapes) {
    it(`${name} is refused`, async () => {
      const { gate, bytes, pins } = await good();
      const report = await verifyBundle(encodeTar(change(entriesOf(bytes))), pins, gate.nowMs);
      assert.equal(report.result, 'NO_GO');
      assert.equal(report.head, null);
    });
  }

  it('bytes that are no bundle are refused, also none and cut ones', async () => {
    const { bytes } = await good();
    for (const hostile of [
      new Uint8Array(),
      Buffer.from('{}'),
      bytes.subarray(0, 512),
      bytes.subarray(0, -512),
      Buffer.alloc(10_240),
    ]) {
      await assert.rejects(openBundle(hostile), (error) => hasCode(error, 'ERR_GATE_BUNDLE'));
    }
  });

  it('is not made without records or without an output that one names', async () => {
    await assert.rejects(exportBundle(new MemoryGateLog(GATE_ID)), (error) => hasCode(error, 'ERR_GATE_BUNDLE'));
    const gate = small();
    const log = await MemoryGateLog.read(GATE_ID, gate.bytes, []);
    await assert.rejects(exportBundle(log), (error) => hasCode(error, 'ERR_GATE_OBJECT_MISSING'));
  });
});

describe('R-10: a bundle without our software', () => {
  it('is unpacked by tar, and its first record verified by openssl as its README says', needs('openssl'), async (t) => {
    const directory = temporaryDirectory(t);
    const { bytes } = await good();
    writeFileSync(join(directory, 'gate.tar'), bytes);
    const run = (file: string, argv: string[]): string =>
      execFileSync(file, argv, { cwd: directory, encoding: 'utf8' });
    run('tar', ['xf', 'gate.tar']);
    assert.deepEqual(
      run('tar', ['tf', 'gate.tar']).trimEnd().split('\n'),
      entriesOf(bytes).map(({ name }) => name),
    );
    const [line = ''] = run('sed', ['-n', '1p', 'log.jsonl']).split('\n');
    const envelope = JSON.parse(line) as { payload: string; signatures: { sig: string }[] };
    const payload = Buffer.from(envelope.payload, 'base64');
    const signed = Buffer.concat([Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${payload.length} `), payload]);
    writeFileSync(join(directory, 'signed.bin'), signed);
    writeFileSync(join(directory, 'sig.bin'), Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'));
    writeFileSync(join(directory, 'key.pem'), publicKeyPem(signerOf('ann').publicKey));
    const argv = 'pkeyutl -verify -pubin -inkey key.pem -rawin -in signed.bin -sigfile sig.bin'.split(' ');
    assert.match(run('openssl', argv), /Verified Successfully/);
  });
});

describe('pins', () => {
  it('R-13: come out of a gate file and are read back', () => {
    const pins = pinsOf(small().gate);
    assert.deepEqual(parsePins(JSON.stringify(pins)), pins);
    assert.deepEqual(Object.keys(pins.people), ['ann', 'bob', 'cleo', 'dora']);
  });

  it('R-13: refuse everything else', () => {
    for (const text of [
      '',
      '{',
      '[]',
      '{}',
      '{"gate":"shop"}',
      '{"gate":"shop","people":{"ann":[]}}',
      '{"gate":"shop","people":{"ann":["c2hvcnQ="]}}',
      '{"gate":"shop","people":{},"more":1}',
    ]) {
      assert.throws(
        () => parsePins(text),
        (error) => hasCode(error, 'ERR_GATE_KEY'),
        text,
      );
    }
  });
});

function pinsOnly({ gate, people }: BundlePins, wanted: readonly string[]): BundlePins {
  return { gate, people: Object.fromEntries(Object.entries(people).filter(([person]) => wanted.includes(person))) };
}

const file = (name: string, text = '') => ({ name, bytes: Buffer.from(text) });

function withKey(pins: BundlePins, person: string, owner: string): BundlePins {
  const key = Buffer.from(signerOf(owner).publicKey).toString('base64');
  return { ...pins, people: { ...pins.people, [person]: [key] } };
}

type Entries = readonly { readonly name: string; readonly bytes: Uint8Array }[];

/** Reads an archive as `tar` would: without any of the checks that are tested here. */
function entriesOf(bytes: Uint8Array): Entries {
  const archive = Buffer.from(bytes);
  const entries: { name: string; bytes: Uint8Array }[] = [];
  for (let at = 0; archive[at] !== 0;) {
    const name = archive.toString('latin1', at, archive.indexOf(0, at));
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
    entries.push({ name, bytes: archive.subarray(at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}
