import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode, type Json } from '@holdfast/core';
import { formatVerifierKey, inclusionProof, nodesOf, rootOf, signCheckpoint, signerFromSeed } from '@holdfast/crypto';
import {
  type AuditorKit,
  evidenceLeafHash,
  exportKit,
  openEvidenceStore,
  renderKit,
  verifyEvidence,
} from '@holdfast/evidence';
import { temporaryDirectory } from '@holdfast/testing';
import { hostSigner, otherSigner, sampleBundle, sampleId } from './sample.ts';

const keys = [hostSigner.publicKey];
const bundles = Array.from({ length: 5 }, (_, number) => sampleBundle({ bundleId: sampleId(number) }));
const logSigner = signerFromSeed(Buffer.alloc(32, 9));
const origin = 'holdfast.example/log/acme';
const logKey = formatVerifierKey(origin, logSigner.publicKey);

function sampleKit(): AuditorKit {
  const leaves = bundles.map(({ bytes }) => evidenceLeafHash(bytes));
  const getNode = nodesOf(leaves);
  const validity = { validFrom: '2026-01-01T00:00:00.000Z', validTo: null };
  return {
    bundles: bundles.slice(1, 4).map(({ bytes }, at) => ({
      bytes,
      proof: {
        index: at + 1,
        hashes: inclusionProof(at + 1, leaves.length, getNode).map((hash) => Buffer.from(hash).toString('hex')),
      },
    })),
    keys: [
      { publicKey: hostSigner.publicKey, hostId: 'host-1', validity },
      { publicKey: otherSigner.publicKey, hostId: 'host-2', validity },
    ],
    logKey,
    checkpoint: signCheckpoint({ origin, size: leaves.length, root: rootOf(leaves) }, logSigner),
  };
}

async function writeKit(t: TestContext, kit = sampleKit()): Promise<string> {
  const directory = join(temporaryDirectory(t), 'kit');
  await exportKit(kit, directory);
  return directory;
}

async function folder(t: TestContext): Promise<string> {
  const store = openEvidenceStore(join(temporaryDirectory(t), 'evidence'));
  for (const sealed of bundles) await store.put(sealed);
  return store.directory;
}

const text = (files: ReadonlyMap<string, Uint8Array>): string[] =>
  [...files].map(([path, bytes]) => `${path} ${Buffer.from(bytes).toString('base64')}`);
const edit = (path: string, change: (value: Record<string, Json>) => unknown): void => {
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as Record<string, Json>)));
};
const failed = (steps: readonly { name: string; ok: boolean }[]): string[] =>
  steps.filter(({ ok }) => !ok).map(({ name }) => name);

describe('verifyEvidence: a bundle', () => {
  it('P-32: reports every check', async (t) => {
    const path = join(temporaryDirectory(t), 'bundle.dsse.json');
    writeFileSync(path, bundles[0]?.bytes ?? '');
    const { ok, steps, verified } = await verifyEvidence(path, { keys });
    assert.deepEqual([ok, verified], [true, 1]);
    assert.deepEqual(
      steps.map(({ name }) => name),
      ['input', 'file', 'envelope', 'signature', 'statement', 'key'],
    );
  });

  it('P-32: fails without keys, with others, when it is gone, and for a symlink', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'bundle.dsse.json');
    writeFileSync(path, bundles[0]?.bytes ?? '');
    symlinkSync(path, join(directory, 'link'));
    assert.deepEqual(failed((await verifyEvidence(path, {})).steps), ['signature']);
    assert.deepEqual(failed((await verifyEvidence(path, { keys: [otherSigner.publicKey] })).steps), ['signature']);
    assert.deepEqual(failed((await verifyEvidence(join(directory, 'gone'), { keys })).steps), ['input']);
    assert.deepEqual(failed((await verifyEvidence(join(directory, 'link'), { keys })).steps), ['input']);
  });

  it('P-32: fails when it lies under another id', async (t) => {
    const path = join(temporaryDirectory(t), `${sampleId(77)}.dsse.json`);
    writeFileSync(path, bundles[0]?.bytes ?? '');
    const report = await verifyEvidence(path, { keys });
    assert.deepEqual([report.ok, failed(report.steps)], [false, ['name']]);
  });
});

describe('verifyEvidence: a folder', () => {
  it('P-32: verifies an evidence store as it stands', async (t) => {
    const report = await verifyEvidence(await folder(t), { keys });
    assert.deepEqual([report.ok, report.verified], [true, 5]);
  });

  it('P-32: an empty folder fails', async (t) => {
    const report = await verifyEvidence(temporaryDirectory(t), { keys });
    assert.deepEqual([report.ok, report.verified, failed(report.steps)], [false, 0, ['folder']]);
  });

  it('P-32: ends at the first that fails, and names it', async (t) => {
    const directory = await folder(t);
    const path = `2026/01/02/${sampleId(2)}/bundle.dsse.json`;
    const bytes = readFileSync(join(directory, path));
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    writeFileSync(join(directory, path), bytes);
    const report = await verifyEvidence(directory, { keys });
    assert.deepEqual([report.ok, report.verified], [false, 2]);
    assert.match(failed(report.steps)[0] ?? '', new RegExp(`^${path}: `));
    assert.equal(report.steps.at(-1)?.ok, false);
  });

  it('P-32: something else named like a bundle fails', async (t) => {
    const directory = await folder(t);
    mkdirSync(join(directory, 'z.dsse.json'));
    const report = await verifyEvidence(directory, { keys });
    assert.deepEqual(failed(report.steps), ['z.dsse.json: file']);
  });
});

describe('the auditor kit', () => {
  it('P-32: verifies with its own keys and says that they are to be compared', async (t) => {
    const report = await verifyEvidence(await writeKit(t), {});
    assert.deepEqual([report.ok, report.verified], [true, 3]);
    assert.match(report.steps.find(({ name }) => name === 'keys')?.detail ?? '', /compare them/);
  });

  it('P-32: verifies with pinned keys', async (t) => {
    const pins = { keys: [hostSigner.publicKey, otherSigner.publicKey], logKey };
    const report = await verifyEvidence(await writeKit(t), pins);
    assert.ok(report.ok);
    assert.match(report.steps.find(({ name }) => name === 'keys')?.detail ?? '', /all of them pinned/);
  });

  it('P-32: does not trust keys, hosts and logs beyond the pins', async (t) => {
    const kit = await writeKit(t);
    const pinned = [otherSigner.publicKey];
    assert.deepEqual(failed((await verifyEvidence(kit, { keys })).steps), ['keys']);
    const otherLog = formatVerifierKey(origin, otherSigner.publicKey);
    assert.deepEqual(failed((await verifyEvidence(kit, { logKey: otherLog })).steps), ['keys']);
    const forHost2 = [...pinned, { publicKey: hostSigner.publicKey, hostId: 'host-2' }];
    assert.deepEqual(failed((await verifyEvidence(kit, { keys: forHost2 })).steps), [`${sampleId(1)}: pins`]);
  });

  it('P-32: is the same byte for byte, in whatever order it is put together', () => {
    const kit = sampleKit();
    const shuffled = { ...kit, bundles: kit.bundles.toReversed(), keys: kit.keys.toReversed() };
    assert.deepEqual(text(renderKit(shuffled)), text(renderKit(kit)));
  });

  it('P-32: writes into new or empty directories only', async (t) => {
    const kit = await writeKit(t);
    const before = readdirSync(kit, { recursive: true });
    await assert.rejects(exportKit(sampleKit(), kit), (error) => hasCode(error, 'ERR_EVIDENCE_KIT_INVALID'));
    assert.deepEqual(readdirSync(kit, { recursive: true }), before);
  });

  const unmakeable: { name: string; change: (kit: AuditorKit) => AuditorKit }[] = [
    { name: 'no bundles', change: (kit) => ({ ...kit, bundles: [] }) },
    { name: 'a bundle twice', change: (kit) => ({ ...kit, bundles: [...kit.bundles, ...kit.bundles] }) },
    { name: 'no keys', change: (kit) => ({ ...kit, keys: [] }) },
    {
      name: "another's checkpoint",
      change: (kit) => ({ ...kit, logKey: formatVerifierKey(origin, otherSigner.publicKey) }),
    },
    {
      name: 'a proof for another place',
      change: (kit) => ({
        ...kit,
        bundles: kit.bundles.map(({ bytes, proof }) => ({ bytes, proof: { ...proof, index: 0 } })),
      }),
    },
  ];
  for (const { name, change } of unmakeable) {
    it(`P-32: is not made with ${name}`, () => {
      assert.throws(
        () => renderKit(change(sampleKit())),
        (error) => hasCode(error, 'ERR_EVIDENCE_KIT_INVALID') || hasCode(error, 'ERR_SIGNATURE_INVALID'),
      );
    });
  }

  const proofFile = `proofs/${sampleId(2)}.json`;
  const bundleFile = `bundles/${sampleId(2)}.dsse.json`;
  const damages: { name: string; step: RegExp; damage: (kit: string) => void }[] = [
    { name: 'no checkpoint', step: /^kit$/, damage: (kit) => rmSync(join(kit, 'checkpoint')) },
    { name: 'no proofs', step: /^kit$/, damage: (kit) => rmSync(join(kit, 'proofs'), { recursive: true }) },
    { name: 'a proof missing', step: /^kit$/, damage: (kit) => rmSync(join(kit, proofFile)) },
    { name: 'a bundle missing', step: /^kit$/, damage: (kit) => rmSync(join(kit, bundleFile)) },
    {
      name: 'every bundle missing',
      step: /^kit$/,
      damage: (kit) =>
        ['bundles', 'proofs'].forEach((name) => {
          rmSync(join(kit, name), { recursive: true });
          mkdirSync(join(kit, name));
        }),
    },
    { name: 'a file left over', step: /^kit$/, damage: (kit) => writeFileSync(join(kit, 'README'), '') },
    {
      name: 'a bundle that is not named as one',
      step: /^kit$/,
      damage: (kit) => cpSync(join(kit, bundleFile), join(kit, 'bundles/x')),
    },
    { name: 'keys that are not JSON', step: /^keys$/, damage: (kit) => writeFileSync(join(kit, 'keys.json'), '{') },
    {
      name: 'keys with more in them',
      step: /^keys$/,
      damage: (kit) => edit(join(kit, 'keys.json'), (value) => ({ ...value, x: 1 })),
    },
    {
      name: 'keys under other ids',
      step: /^keys$/,
      damage: (kit) =>
        edit(join(kit, 'keys.json'), (value) => JSON.parse(JSON.stringify(value).replaceAll('SHA256:', 'SHA256:x'))),
    },
    {
      name: 'a checkpoint of another size',
      step: /^checkpoint$/,
      damage: (kit) => {
        const path = join(kit, 'checkpoint');
        writeFileSync(path, readFileSync(path, 'utf8').replace('\n5\n', '\n6\n'));
      },
    },
    {
      name: 'a bundle changed',
      step: /: (envelope|signature)$/,
      damage: (kit) => {
        const bytes = readFileSync(join(kit, bundleFile));
        bytes[600] = (bytes[600] ?? 0) ^ 1;
        writeFileSync(join(kit, bundleFile), bytes);
      },
    },
    {
      name: 'a good bundle that is not in the log',
      step: /: inclusion$/,
      damage: (kit) => {
        writeFileSync(join(kit, bundleFile), sampleBundle({ bundleId: sampleId(2), outcome: 'fail' }).bytes);
      },
    },
    {
      name: 'another bundle under the name',
      step: /: name$/,
      damage: (kit) => {
        writeFileSync(join(kit, bundleFile), readFileSync(join(kit, `bundles/${sampleId(1)}.dsse.json`)));
      },
    },
    {
      name: 'a proof for another place',
      step: /: inclusion$/,
      damage: (kit) => edit(join(kit, proofFile), (value) => ({ ...value, index: 3 })),
    },
    {
      name: 'a proof without hashes',
      step: /: inclusion$/,
      damage: (kit) => edit(join(kit, proofFile), (value) => ({ ...value, hashes: [] })),
    },
    {
      name: 'a proof of another shape',
      step: /: inclusion$/,
      damage: (kit) => writeFileSync(join(kit, proofFile), '[]'),
    },
  ];
  for (const { name, step, damage } of damages) {
    it(`P-32: fails with ${name}`, async (t) => {
      const kit = await writeKit(t);
      damage(kit);
      const report = await verifyEvidence(kit, {});
      assert.ok(!report.ok);
      assert.equal(failed(report.steps).length, 1);
      assert.match(failed(report.steps)[0] ?? '', step);
    });
  }
});
