import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type BundleId, hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { hostSigner, otherSigner, sampleBundle, sampleId, STARTED } from '../test/sample.ts';
import { type EvidenceStore, openEvidenceStore } from './evidence-store.ts';

const bundle = sampleBundle();

function open(t: TestContext): EvidenceStore {
  return openEvidenceStore(join(temporaryDirectory(t), 'evidence'));
}

const isConflict = (error: unknown): boolean => hasCode(error, 'ERR_EVIDENCE_CONFLICT');
const isMalformed = (error: unknown): boolean => hasCode(error, 'ERR_EVIDENCE_MALFORMED');
const pendingFile = (store: EvidenceStore, id: string): string => join(store.directory, 'pending', `${id}.dsse.json`);

describe('EvidenceStore', () => {
  it('P-28: puts a bundle under the day it started, byte for byte', async (t) => {
    const store = open(t);
    const path = await store.put(bundle);
    assert.equal(path, join(store.directory, '2026/01/02', bundle.bundleId, 'bundle.dsse.json'));
    assert.deepEqual(readFileSync(path), Buffer.from(bundle.bytes));
    assert.deepEqual(Buffer.from((await store.get(bundle.bundleId)) ?? []), Buffer.from(bundle.bytes));
    assert.equal(await store.path(bundle.bundleId), path);
  });

  it('P-28: leaves no temporary file, whatever the umask makes the right modes', async (t) => {
    const store = open(t);
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const path = await store.put(bundle);
    assert.equal(statSync(path).mode & 0o7777, 0o640);
    for (const directory of ['', 'pending', '2026', '2026/01', '2026/01/02', `2026/01/02/${bundle.bundleId}`]) {
      assert.equal(statSync(join(store.directory, directory)).mode & 0o7777, 0o750, directory);
    }
    assert.deepEqual(readdirSync(join(store.directory, 'pending')), []);
    assert.deepEqual(readdirSync(join(path, '..')), ['bundle.dsse.json']);
  });

  it('P-28: gives everything to the group it is told', needs('root'), async (t) => {
    const store = openEvidenceStore(join(temporaryDirectory(t), 'evidence'), { gid: 12_345 });
    const path = await store.put(bundle);
    for (const made of [path, store.directory, join(store.directory, 'pending'), join(path, '..')]) {
      assert.equal(statSync(made).gid, 12_345);
      assert.equal(statSync(made).uid, 0);
    }
  });

  it('P-28: is empty, not broken, before anything is put', async (t) => {
    const store = open(t);
    assert.deepEqual(await store.list(), { bundles: [], findings: [] });
    assert.deepEqual(await store.listPending(), { pending: [], findings: [] });
    assert.equal(await store.get(bundle.bundleId), undefined);
    assert.equal((await store.stats()).total, 0);
    assert.ok(!existsSync(store.directory));
  });

  it('P-28: putting the same again changes nothing; other bytes under the same id are refused', async (t) => {
    const store = open(t);
    const path = await store.put(bundle);
    const before = statSync(path, { bigint: true });
    assert.equal(await store.put(bundle), path);
    assert.equal(statSync(path, { bigint: true }).mtimeNs, before.mtimeNs);
    const other = sampleBundle({ outcome: 'fail' });
    await assert.rejects(store.put(other), isConflict);
    assert.deepEqual(readFileSync(path), Buffer.from(bundle.bytes));
  });

  it('P-28: refuses bytes that are no bundle, and a bundle under another id', async (t) => {
    const store = open(t);
    await assert.rejects(store.put({ bundleId: sampleId(9), bytes: bundle.bytes }), isMalformed);
    await assert.rejects(store.put({ bundleId: bundle.bundleId, bytes: Buffer.from('{}') }), (error) =>
      hasCode(error, 'ERR_ENVELOPE_MALFORMED'),
    );
    await assert.rejects(store.get('../../../etc/passwd' as BundleId), TypeError);
    assert.deepEqual((await store.listPending()).pending, []);
  });

  it('P-28: many at once, and each twice at once, all arrive', async (t) => {
    const store = open(t);
    const bundles = Array.from({ length: 20 }, (_, number) => sampleBundle({ bundleId: sampleId(number) }));
    await Promise.all([...bundles, ...bundles].map((sealed) => store.put(sealed)));
    const { bundles: listed, findings } = await store.list();
    assert.equal(listed.length, 20);
    assert.deepEqual(findings, []);
  });

  describe('staging', () => {
    it('P-28: a staged bundle is pending for whoever opens the store next, and not listed', async (t) => {
      const store = open(t);
      await store.stage(bundle);
      const reopened = openEvidenceStore(store.directory);
      const { pending } = await reopened.listPending();
      assert.deepEqual(
        pending.map(({ bundleId, digest }) => [bundleId, digest]),
        [[bundle.bundleId, bundle.digest]],
      );
      assert.deepEqual(Buffer.from(pending[0]?.bytes ?? []), Buffer.from(bundle.bytes));
      assert.deepEqual((await reopened.list()).bundles, []);
      assert.ok(await reopened.get(bundle.bundleId));
      await reopened.publish(bundle.bundleId);
      assert.deepEqual((await reopened.listPending()).pending, []);
      assert.equal((await reopened.list()).bundles.length, 1);
    });

    it('P-28: staging and publishing again changes nothing', async (t) => {
      const store = open(t);
      await store.stage(bundle);
      await store.stage(bundle);
      const path = await store.publish(bundle.bundleId);
      assert.equal(await store.publish(bundle.bundleId), path);
      await store.stage(bundle);
      assert.deepEqual((await store.listPending()).pending, []);
    });

    it('P-28: refuses to publish what was never staged', async (t) => {
      await assert.rejects(open(t).publish(bundle.bundleId), (error) => hasCode(error, 'ERR_EVIDENCE_NOT_FOUND'));
    });

    it('P-28: after a crash between making the directory and moving the bundle, nothing is damaged and publishing ends it', async (t) => {
      const store = open(t);
      await store.stage(bundle);
      mkdirSync(join(store.directory, '2026/01/02', bundle.bundleId), { recursive: true });
      assert.deepEqual(await store.list(), { bundles: [], findings: [] });
      await store.publish(bundle.bundleId);
      assert.equal((await store.list()).bundles.length, 1);
    });

    it('P-28: after a crash that left both names, publishing leaves one', async (t) => {
      const store = open(t);
      await store.put(bundle);
      writeFileSync(pendingFile(store, bundle.bundleId), bundle.bytes);
      await store.publish(bundle.bundleId);
      assert.deepEqual((await store.listPending()).pending, []);
      assert.equal((await store.list()).bundles.length, 1);
    });

    it('P-28: never publishes over other bytes', async (t) => {
      const store = open(t);
      const path = await store.put(bundle);
      writeFileSync(pendingFile(store, bundle.bundleId), sampleBundle({ outcome: 'fail' }).bytes);
      await assert.rejects(store.publish(bundle.bundleId), isConflict);
      assert.deepEqual(readFileSync(path), Buffer.from(bundle.bytes));
    });

    it('P-28: what a writer did not finish is no bundle, and the next writer clears it away', async (t) => {
      const store = open(t);
      await store.stage(bundle);
      const torn = join(store.directory, 'pending', '.0123456789abcdef.tmp');
      writeFileSync(torn, bundle.bytes.subarray(0, 100));
      const reopened = openEvidenceStore(store.directory);
      const { pending, findings } = await reopened.listPending();
      assert.deepEqual([pending.length, findings], [1, []]);
      await reopened.stage(sampleBundle({ bundleId: sampleId(2) }));
      assert.ok(!existsSync(torn));
    });

    it('P-29: a damaged pending bundle is a finding', async (t) => {
      const store = open(t);
      await store.stage(bundle);
      writeFileSync(pendingFile(store, bundle.bundleId), 'x');
      const { pending, findings } = await store.listPending();
      assert.deepEqual([pending, findings.map(({ code }) => code)], [[], ['ERR_ENVELOPE_MALFORMED']]);
    });
  });

  describe('lists', () => {
    const days = ['2025-12-31T23:59:59.999Z', '2026-01-01T00:00:00.000Z', STARTED, '2026-01-02T04:00:00.000Z'];
    const fill = async (store: EvidenceStore): Promise<BundleId[]> => {
      const ids: BundleId[] = [];
      for (const [number, started] of days.entries()) {
        const sealed = sampleBundle({
          bundleId: sampleId(number, started),
          started,
          ended: started,
          check: number % 2 === 0 ? 'firewall' : 'services',
          outcome: number === 3 ? 'fail' : 'pass',
        });
        await store.put(sealed);
        ids.push(sealed.bundleId);
      }
      return ids;
    };

    it('P-29: newest first, by time, check, outcome, host and limit', async (t) => {
      const store = open(t);
      const ids = await fill(store);
      const listed = async (filter: Parameters<EvidenceStore['list']>[0]): Promise<number[]> =>
        (await store.list(filter)).bundles.map(({ bundleId }) => ids.indexOf(bundleId));
      assert.deepEqual(await listed({}), [3, 2, 1, 0]);
      assert.deepEqual(await listed({ limit: 3 }), [3, 2, 1]);
      assert.deepEqual(await listed({ limit: 0 }), []);
      assert.deepEqual(await listed({ check: 'firewall' }), [2, 0]);
      assert.deepEqual(await listed({ check: 'firewall', limit: 1 }), [2]);
      assert.deepEqual(await listed({ outcome: 'fail' }), [3]);
      assert.deepEqual(await listed({ kind: 'change' }), []);
      assert.deepEqual(await listed({ hostId: 'host-2' }), []);
      assert.deepEqual(await listed({ from: '2026-01-01T00:00:00.000Z' }), [3, 2, 1]);
      assert.deepEqual(await listed({ from: STARTED, to: '2026-01-02T04:00:00.000Z' }), [2]);
      assert.deepEqual(await listed({ to: '2026-01-01T00:00:00.000Z' }), [0]);
    });

    it('P-29: counts by outcome and check, with oldest, newest and bytes', async (t) => {
      const store = open(t);
      await fill(store);
      const { bytes, ...statistics } = await store.stats();
      assert.deepEqual(statistics, {
        total: 4,
        byOutcome: { pass: 3, fail: 1 },
        byCheck: { firewall: 2, services: 2 },
        oldest: days[0],
        newest: days[3],
        findings: [],
      });
      const { bundles } = await store.list();
      assert.equal(
        bytes,
        bundles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      );
    });

    it('P-29: finds a bundle whose id was made on another day than it started', async (t) => {
      const store = open(t);
      const early = sampleBundle({ bundleId: sampleId(1, '2026-06-01T00:00:00.000Z') });
      await store.put(early);
      assert.ok(await store.get(early.bundleId));
    });
  });

  const damages: { name: string; code: string; damage: (path: string, store: EvidenceStore) => void }[] = [
    {
      name: 'cut short',
      code: 'ERR_ENVELOPE_MALFORMED',
      damage: (path) => writeFileSync(path, bundle.bytes.subarray(0, 50)),
    },
    { name: 'emptied', code: 'ERR_ENVELOPE_MALFORMED', damage: (path) => writeFileSync(path, '') },
    { name: 'removed', code: 'ERR_EVIDENCE_NOT_FOUND', damage: (path) => rmSync(path) },
    {
      name: 'replaced by another',
      code: 'ERR_EVIDENCE_MALFORMED',
      damage: (path) => writeFileSync(path, sampleBundle({ bundleId: sampleId(7) }).bytes),
    },
    {
      name: 'replaced by a symlink',
      code: 'ERR_EVIDENCE_MALFORMED',
      damage: (path) => {
        renameSync(path, `${path}.moved`);
        symlinkSync(`${path}.moved`, path);
      },
    },
    {
      name: 'replaced by a directory',
      code: 'ERR_EVIDENCE_MALFORMED',
      damage: (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    },
    {
      name: 'moved to another day',
      code: 'ERR_EVIDENCE_MALFORMED',
      damage: (path, store) => {
        mkdirSync(join(store.directory, '2026/01/03'));
        renameSync(join(path, '..'), join(store.directory, '2026/01/03', bundle.bundleId));
      },
    },
    {
      name: 'signed by someone else',
      code: 'ERR_SIGNATURE_INVALID',
      damage: (path) => writeFileSync(path, sampleBundle({}, otherSigner).bytes),
    },
  ];
  for (const { name, code, damage } of damages) {
    it(`P-29: a bundle that was ${name} is a finding, and the others are still listed`, async (t) => {
      const store = openEvidenceStore(join(temporaryDirectory(t), 'evidence'), { keys: [hostSigner.publicKey] });
      const path = await store.put(bundle);
      await store.put(sampleBundle({ bundleId: sampleId(2) }));
      damage(path, store);
      const { bundles, findings } = await store.list();
      assert.deepEqual(
        bundles.map(({ bundleId }) => bundleId),
        [sampleId(2)],
      );
      assert.deepEqual(
        findings.map((finding) => finding.code),
        [code],
      );
      assert.match(findings[0]?.path ?? '', new RegExp(bundle.bundleId));
      assert.equal((await store.stats()).findings.length, 1);
    });
  }

  for (const place of ['2025', '2026/02', '2026/01/03']) {
    it(`P-29: a file in the place of the directory ${place} is a finding, and the others are still listed`, async (t) => {
      const store = open(t);
      await store.put(bundle);
      writeFileSync(join(store.directory, place), '');
      const { bundles, findings } = await store.list();
      assert.equal(bundles.length, 1);
      assert.deepEqual(
        findings.map(({ path }) => path),
        [join(store.directory, place)],
      );
      assert.ok(await store.get(bundle.bundleId));
      assert.equal(await store.get(sampleId(99)), undefined);
    });
  }

  it('P-29: one changed byte in a stored bundle is found and named', async (t) => {
    const store = openEvidenceStore(join(temporaryDirectory(t), 'evidence'), { keys: [hostSigner.publicKey] });
    const path = await store.put(bundle);
    chmodSync(path, 0o600);
    for (let index = 0; index < bundle.bytes.length; index += 37) {
      const tampered = Uint8Array.from(bundle.bytes);
      tampered[index] = (tampered[index] ?? 0) ^ 0x02;
      writeFileSync(path, tampered);
      const { bundles, findings } = await store.list();
      assert.deepEqual([bundles.length, findings.map((finding) => finding.path)], [0, [path]], `byte ${index}`);
    }
  });
});
