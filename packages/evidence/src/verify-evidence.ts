/**
 * Offline verification of what lies on disk (P-32): one bundle, a folder of bundles, or an auditor
 * kit. Every check made is in the report, in order; the first that fails is the last.
 */
import { type Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { HoldfastError, isHoldfastError, UUID_V7_PATTERN } from '@holdfast/core';
import { keyIdOf, MAX_ENVELOPE_BYTES, parseVerifierKey, verifyCheckpoint } from '@holdfast/crypto';
import { bundleIdIn, bundlePath, kitInvalid, leadsTo, parseKitKeys, parseKitProof, proofPath } from './auditor-kit.ts';
import { errnoOf, readRegularFile } from './durable-files.ts';
import { PENDING_DIRECTORY } from './store-layout.ts';
import { type EvidenceKeys, inspectBundle, type VerificationStep } from './verify-bundle.ts';

const BUNDLE_SUFFIX = '.dsse.json';
const MAX_KIT_FILE_BYTES = 16 * 1024 * 1024;

export interface EvidencePins {
  /**
   * Keys the verifier trusts. Needed for bundles and folders. For a kit they restrict the keys of the kit;
   * without them the kit's own keys count, and the report says that they are to be compared.
   */
  readonly keys?: EvidenceKeys;
  /** C2SP verifier key of the log; must be the kit's when given. */
  readonly logKey?: string;
}

export interface EvidenceReport {
  readonly ok: boolean;
  /** Names are `keys`, or `<bundleId>: signature` where there is more than one bundle. */
  readonly steps: readonly VerificationStep[];
  /** How many bundles passed every check. */
  readonly verified: number;
}

/** Verifies the file or directory at `path`. Never throws for what it finds there: that is in the report. */
export async function verifyEvidence(path: string, pins: EvidencePins): Promise<EvidenceReport> {
  const report = new Report();
  try {
    const isDirectory = await report.step('input', async () => {
      const stat = await lstat(path);
      if (!stat.isDirectory() && !stat.isFile()) throw kitInvalid('neither a file nor a directory');
      return { value: stat.isDirectory(), detail: stat.isDirectory() ? 'a directory' : 'a file' };
    });
    if (!isDirectory) await verifyFile(report, path, '', pins.keys ?? []);
    else if ((await readdir(path)).includes('keys.json')) await verifyKit(report, path, pins);
    else await verifyFolder(report, path, pins.keys ?? []);
  } catch (error) {
    if (error !== REFUSED) throw error;
  }
  return report.toJSON();
}

/** Thrown by `Report.step` after it recorded a failed step, to end the verification. */
const REFUSED = new HoldfastError('a verification step failed', { code: 'ERR_SIGNATURE_INVALID' });

class Report {
  readonly steps: VerificationStep[] = [];
  verified = 0;

  get ok(): boolean {
    // Nothing verified proves nothing.
    return this.verified > 0 && this.steps.every(({ ok }) => ok);
  }

  async step<T>(name: string, run: () => Promise<{ value: T; detail: string }>): Promise<T> {
    try {
      const { value, detail } = await run();
      this.steps.push({ name, ok: true, detail });
      return value;
    } catch (error) {
      const errno = errnoOf(error);
      if (!isHoldfastError(error) && errno === undefined) throw error;
      const detail = isHoldfastError(error) ? error.message : `cannot be read: ${errno ?? 'unknown'}`;
      this.steps.push({ name, ok: false, detail });
      throw REFUSED;
    }
  }

  toJSON(): EvidenceReport {
    return { ok: this.ok, steps: this.steps, verified: this.verified };
  }
}

async function verifyFolder(report: Report, directory: string, keys: EvidenceKeys): Promise<void> {
  const paths = await report.step('folder', async () => {
    const found = await listBundles(directory);
    if (found.length === 0) throw kitInvalid('no bundle in the folder: an empty folder proves nothing');
    return { value: found, detail: `${found.length} bundles` };
  });
  for (const path of paths) {
    const read = (): Promise<Uint8Array | undefined> => readWhereItIs(directory, path);
    await verifyFile(report, path, `${relative(directory, path)}: `, keys, read);
  }
}

/** A host that is at work publishes its pending bundles by rename: one that is gone lies under its date by now. */
async function readWhereItIs(directory: string, path: string): Promise<Uint8Array | undefined> {
  const bytes = await readRegularFile(path, MAX_ENVELOPE_BYTES);
  if (bytes !== undefined || dirname(path) !== join(directory, PENDING_DIRECTORY)) return bytes;
  const published = (await listBundles(directory)).find(
    (other) => other !== path && idInPath(other) === idInPath(path),
  );
  return published === undefined ? undefined : readRegularFile(published, MAX_ENVELOPE_BYTES);
}

async function verifyFile(
  report: Report,
  path: string,
  prefix: string,
  keys: EvidenceKeys,
  read = (): Promise<Uint8Array | undefined> => readRegularFile(path, MAX_ENVELOPE_BYTES),
): Promise<Uint8Array> {
  const bytes = await report.step(`${prefix}file`, async () => {
    const value = await read();
    if (value === undefined) throw kitInvalid('the bundle is gone');
    return { value, detail: `${value.length} bytes` };
  });
  const verdict = inspectBundle(bytes, keys);
  report.steps.push(...verdict.steps.map((step) => ({ ...step, name: prefix + step.name })));
  if (!verdict.ok) throw REFUSED;
  const named = idInPath(path);
  if (named !== undefined) {
    await report.step(`${prefix}name`, async () => {
      if (named !== verdict.statement.predicate.bundleId) throw kitInvalid('the bundle lies under another id');
      return { value: true, detail: 'lies under its own id' };
    });
  }
  report.verified += 1;
  return bytes;
}

async function verifyKit(report: Report, directory: string, pins: EvidencePins): Promise<void> {
  const ids = await report.step('kit', async () => {
    const value = await listKit(directory);
    return { value, detail: `${value.length} bundles, each with its proof, and nothing else` };
  });
  const { keys, logKey } = await report.step('keys', async () => {
    const value = parseKitKeys(await readKitFile(directory, 'keys.json'));
    return { value, detail: comparePins(value, pins) };
  });
  const log = await report.step('checkpoint', async () => {
    const { origin, publicKey } = parseVerifierKey(logKey);
    const note = Buffer.from(await readKitFile(directory, 'checkpoint')).toString('utf8');
    const value = verifyCheckpoint(note, { origin, publicKey });
    return { value, detail: `log ${origin}, ${value.size} entries, signature verifies under the log's key` };
  });
  for (const id of ids) {
    const bytes = await verifyFile(report, join(directory, bundlePath(id)), `${id}: `, keys);
    report.verified -= 1; // counted when its inclusion is shown, too
    // The verifier's own pins say for which host and time a key is good; the kit cannot widen that.
    const verdict = pins.keys === undefined ? undefined : inspectBundle(bytes, pins.keys);
    if (verdict !== undefined) {
      await report.step(`${id}: pins`, async () => {
        if (!verdict.ok) throw verdict.error;
        return { value: true, detail: verdict.steps.at(-1)?.detail ?? '' };
      });
    }
    await report.step(`${id}: inclusion`, async () => {
      const proof = parseKitProof(await readKitFile(directory, proofPath(id)));
      if (!leadsTo(bytes, proof, log)) throw kitInvalid('the proof does not lead to the checkpoint');
      return { value: true, detail: `entry ${proof.index} of ${log.size}` };
    });
    report.verified += 1;
  }
}

/** P-04: a key is never accepted because its holder declared it; without pins the report says what to compare. */
function comparePins(kit: ReturnType<typeof parseKitKeys>, pins: EvidencePins): string {
  if (pins.logKey !== undefined && pins.logKey !== kit.logKey) throw kitInvalid("the log's key is not the pinned one");
  const ids = kit.keys.map(({ publicKey }) => keyIdOf(publicKey));
  if (pins.keys !== undefined) {
    const pinned = new Set(pins.keys.map((key) => keyIdOf(key instanceof Uint8Array ? key : key.publicKey)));
    if (!ids.every((id) => pinned.has(id))) throw kitInvalid('a key that is not pinned');
  }
  const isPinned = pins.keys !== undefined && pins.logKey !== undefined;
  const advice = isPinned ? 'all of them pinned' : 'compare them with those you were given another way';
  return `log ${kit.logKey}; hosts ${ids.join(', ')}; ${advice}`;
}

/** Ids of the kit's bundles. Whatever is missing or left over makes it no kit. */
async function listKit(directory: string): Promise<string[]> {
  const top = (await readdir(directory)).toSorted();
  if (top.join(' ') !== 'bundles checkpoint keys.json proofs') throw kitInvalid('other files than a kit has');
  const bundles = (await readdir(join(directory, 'bundles'))).toSorted();
  const proofs = (await readdir(join(directory, 'proofs'))).toSorted();
  const ids = bundles.map((name) => bundleIdIn(name) ?? '');
  if (ids.length === 0) throw kitInvalid('no bundles');
  const hasOwnNames = bundles.every((name, index) => bundlePath(ids[index] ?? '') === `bundles/${name}`);
  const wanted = ids.map((id) => basename(proofPath(id)));
  if (!hasOwnNames || wanted.join(' ') !== proofs.join(' ')) throw kitInvalid('not one proof for each bundle');
  return ids;
}

async function readKitFile(directory: string, path: string): Promise<Uint8Array> {
  const bytes = await readRegularFile(join(directory, path), MAX_KIT_FILE_BYTES);
  if (bytes === undefined) throw kitInvalid(`${path} is missing`);
  return bytes;
}

/** Every entry named like a bundle, whatever it is: a directory or symlink of that name fails when it is read. */
async function listBundles(directory: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.name.endsWith(BUNDLE_SUFFIX))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** The id a bundle lies under: `<id>.dsse.json`, or `<id>/bundle.dsse.json`. */
function idInPath(path: string): string | undefined {
  const parent = basename(dirname(path));
  if (basename(path) === `bundle${BUNDLE_SUFFIX}`) return UUID_V7_PATTERN.test(parent) ? parent : undefined;
  return bundleIdIn(basename(path));
}
