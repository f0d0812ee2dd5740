/**
 * The books of a site: what hosts acknowledged as sealed, what they still hold, and what the control
 * plane has of it. Nothing may be missing, twice, or different.
 */
import assert from 'node:assert/strict';
import { type EvidenceRow, InclusionProofSchema, TrustViewSchema } from '@holdfast/api';
import { leafHash, parseVerifierKey, verifyCheckpoint, verifyInclusion } from '@holdfast/crypto';
import { eventually } from './eventually.ts';
import { holdfast } from './holdfast.ts';
import type { Site } from './site.ts';

/** Bundle ids with the digest of their bytes. */
type Digests = ReadonlyMap<string, string>;

const ARRIVAL_TIMEOUT_MS = 120_000;
/** Every bundle is checked by the server's own walk; of these many the proofs are verified here too. */
const PROOFS = 25;

/** Bundles whose sealing the guard has acknowledged, from the bytes of its audit log. */
export async function listAcknowledged(site: Site, host: string): Promise<Digests> {
  const { stdout } = await site.exec(host, '/bin/sh', '-c', 'cat /var/lib/holdfast/guard/audit/*.audit');
  const sealed = new Map<string, string>();
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const record = JSON.parse(line.slice(line.indexOf(' '))) as {
      action: string;
      subject: string;
      detail: { digest?: string };
    };
    if (record.action !== 'evidence.sealed') continue;
    assert.ok(!sealed.has(record.subject), `${record.subject} was sealed twice`);
    sealed.set(record.subject, record.detail.digest ?? '');
  }
  return sealed;
}

/** Bundles on the host's disk. */
export async function listStored(site: Site, host: string): Promise<Digests> {
  const find = ['/var/lib/holdfast/evidence', '-name', 'bundle.dsse.json', '-exec', 'sha256sum', '{}', '+'];
  const { stdout } = await site.exec(host, '/usr/bin/find', ...find);
  return new Map(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [digest = '', path = ''] = line.split(/\s+/);
        return [path.split('/').at(-2) ?? '', digest];
      }),
  );
}

/**
 * Waits until everything acknowledged until now has arrived, then settles the account of each host
 * and verifies every log. @returns how many bundles that were
 */
export async function settle(site: Site): Promise<number> {
  let total = 0;
  for (const view of await site.hosts()) {
    const acknowledged = await listAcknowledged(site, view.name);
    assert.ok(acknowledged.size > 0, view.name);
    const rows = await eventually(
      `everything of ${view.name} arrives`,
      async () => {
        const arrived = await site.evidence({ hostId: view.hostId });
        const ids = new Set(arrived.map(({ bundleId }) => bundleId));
        const missing = [...acknowledged.keys()].filter((bundleId) => !ids.has(bundleId));
        if (missing.length === 0) return arrived;
        throw new Error(`${missing.length} of ${acknowledged.size} are missing, the first is ${missing[0]}`);
      },
      ARRIVAL_TIMEOUT_MS,
    );
    assertUnique(rows);
    const stored = await listStored(site, view.name);
    const digestOnServer = new Map(rows.map(({ bundleId, digest }) => [bundleId, digest]));
    for (const [bundleId, digest] of acknowledged) {
      assert.equal(stored.get(bundleId), digest, `${bundleId} on ${view.name}`);
      assert.equal(digestOnServer.get(bundleId), digest, `${bundleId} on the server`);
    }
    for (const [bundleId, digest] of digestOnServer) assert.equal(stored.get(bundleId), digest, `${bundleId} is sent`);
    total += acknowledged.size;
    for (const what of ['audit', 'evidence']) {
      const { exitCode, stdout } = await site.inHost(view.name, what, 'verify');
      assert.equal(exitCode, 0, `${view.name} ${what}: ${stdout}`);
    }
  }
  await verifyProofs(site);
  const server = await holdfast('server', 'verify', '--state', site.state);
  assert.equal(server.exitCode, 0, server.stdout);
  return total;
}

/** A bundle is one row and one leaf of the log. */
function assertUnique(rows: readonly EvidenceRow[]): void {
  assert.equal(new Set(rows.map(({ bundleId }) => bundleId)).size, rows.length);
  assert.equal(new Set(rows.map(({ logIndex }) => logIndex)).size, rows.length);
}

/** Inclusion proofs under the log's own key, spread over the whole log (P-33). */
async function verifyProofs(site: Site): Promise<void> {
  const { logKey } = await site.get('/trust', TrustViewSchema);
  const { origin, publicKey } = parseVerifierKey(logKey);
  const rows = (await site.evidence({})).toSorted((a, b) => a.logIndex - b.logIndex);
  assert.deepEqual(
    rows.map(({ logIndex }) => logIndex),
    rows.map((_row, index) => index),
    'the log has no holes',
  );
  const step = Math.max(1, Math.floor(rows.length / PROOFS));
  for (const { bundleId, logIndex } of rows.filter((_row, index) => index % step === 0)) {
    const bytes = await site.bytes(`/evidence/${bundleId}/bundle`);
    await eventually(`a checkpoint covers ${bundleId}`, async () => {
      const proof = await site.get(`/log/proof?bundleId=${bundleId}`, InclusionProofSchema);
      const { size, root } = verifyCheckpoint(proof.checkpoint, { origin, publicKey });
      const hashes = proof.hashes.map((hash) => Buffer.from(hash, 'hex'));
      assert.ok(verifyInclusion({ index: logIndex, size, leafHash: leafHash(bytes), hashes, root }), bundleId);
      return true;
    });
  }
}
