/**
 * The evidence of one host on disk (P-28, P-29): `YYYY/MM/DD/<bundleId>/bundle.dsse.json`, dated by
 * `started`, and `pending/<bundleId>.dsse.json` for what is sealed but not yet published. One process
 * writes; others may read at the same time, through the group of the files.
 *
 * What cannot be read as a bundle is an integrity finding in every list, never a skipped line.
 */
import { rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BundleId, HoldfastError, isHoldfastError, UUID_V7_PATTERN } from '@holdfast/core';
import { MAX_ENVELOPE_BYTES, sha256Hex } from '@holdfast/crypto';
import {
  errnoOf,
  type FileModes,
  makeDirectory,
  readRegularFile,
  syncDirectory,
  TEMPORARY_SUFFIX,
  writeDurably,
} from './durable-files.ts';
import {
  addToStatistics,
  type EvidenceFilter,
  type EvidenceStatistics,
  type EvidenceSummary,
  EMPTY_STATISTICS,
  matches,
  summarise,
} from './evidence-summary.ts';
import type { SealedEvidence } from './seal-evidence.ts';
import {
  dayOf,
  exists,
  folderOf,
  listDays,
  names,
  PENDING_DIRECTORY,
  readStatement,
  requireBundleId,
} from './store-layout.ts';
import { inspectBundle, type EvidenceKeys } from './verify-bundle.ts';

const BUNDLE_FILE = 'bundle.dsse.json';
const PENDING_SUFFIX = '.dsse.json';
const DAY_MS = 86_400_000;

/** Something in the store that is not the evidence it should be. */
export interface IntegrityFinding {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
}

export interface EvidenceList {
  /** Newest `started` first. */
  readonly bundles: readonly EvidenceSummary[];
  /** In the days that were read to make the list. Not empty: the store was damaged. */
  readonly findings: readonly IntegrityFinding[];
}

export interface EvidenceStoreOptions {
  /** Group that may read: directories are 0750, files 0640. */
  readonly gid?: number;
  /** When given, a bundle that does not verify under them is an integrity finding. */
  readonly keys?: EvidenceKeys;
}

/**
 * Where bundles are kept.
 *
 * `stage` then `publish` lets the writer record a bundle elsewhere in between: after a crash every
 * bundle is pending, published, or was never staged. Bytes once staged are never changed or replaced;
 * doing any of these again with the same bytes changes nothing.
 */
export interface EvidenceStore {
  readonly directory: string;
  /** Durable under `pending/` when it resolves. @throws `ERR_EVIDENCE_CONFLICT`, `ERR_EVIDENCE_MALFORMED` */
  stage(sealed: Pick<SealedEvidence, 'bundleId' | 'bytes'>): Promise<void>;
  /** Moves it to its dated directory; resolves to its path when that is durable. @throws `ERR_EVIDENCE_NOT_FOUND` */
  publish(bundleId: BundleId): Promise<string>;
  /** Staged and not published, oldest id first. */
  listPending(): Promise<{ pending: SealedEvidence[]; findings: IntegrityFinding[] }>;
  /** `stage` and `publish` in one. */
  put(sealed: Pick<SealedEvidence, 'bundleId' | 'bytes'>): Promise<string>;
  /** The exact bytes, published or pending; `undefined` when there are none. Not verified. */
  get(bundleId: BundleId): Promise<Uint8Array | undefined>;
  /** Path of the published bundle; `undefined` when there is none. */
  path(bundleId: BundleId): Promise<string | undefined>;
  list(filter?: EvidenceFilter): Promise<EvidenceList>;
  stats(): Promise<EvidenceStatistics & { readonly findings: readonly IntegrityFinding[] }>;
}

/** Opens the store at `directory`; touches nothing until something is staged. */
export function openEvidenceStore(directory: string, options: EvidenceStoreOptions = {}): EvidenceStore {
  return new DirectoryEvidenceStore(directory, options);
}

class DirectoryEvidenceStore implements EvidenceStore {
  readonly directory: string;
  readonly #modes: FileModes;
  readonly #keys: EvidenceKeys | undefined;
  /** Directories whose names this process knows to be durable. */
  readonly #durable = new Set<string>();
  #swept = false;

  constructor(directory: string, { gid, keys }: EvidenceStoreOptions) {
    this.directory = directory;
    this.#modes = { directory: 0o750, file: 0o640, gid };
    this.#keys = keys;
  }

  async stage({ bundleId, bytes }: Pick<SealedEvidence, 'bundleId' | 'bytes'>): Promise<void> {
    const pending = this.#pendingPath(bundleId);
    const published = join(this.directory, ...folderOf(bundleId, bytes), BUNDLE_FILE);
    const existing =
      (await readRegularFile(pending, MAX_ENVELOPE_BYTES)) ?? (await readRegularFile(published, MAX_ENVELOPE_BYTES));
    if (existing !== undefined) {
      if (Buffer.compare(existing, bytes) !== 0) throw conflict();
      return;
    }
    await this.#makeDirectories([PENDING_DIRECTORY]);
    await this.#sweep();
    await writeDurably(pending, bytes, this.#modes);
  }

  async publish(bundleId: BundleId): Promise<string> {
    const pending = this.#pendingPath(bundleId);
    const bytes = await readRegularFile(pending, MAX_ENVELOPE_BYTES);
    if (bytes === undefined) {
      const published = await this.path(bundleId);
      if (published === undefined) throw new HoldfastError('no such bundle', { code: 'ERR_EVIDENCE_NOT_FOUND' });
      return published;
    }
    const folder = await this.#makeDirectories(folderOf(bundleId, bytes));
    const path = join(folder, BUNDLE_FILE);
    const published = await readRegularFile(path, MAX_ENVELOPE_BYTES);
    if (published !== undefined && Buffer.compare(published, bytes) !== 0) throw conflict();
    try {
      // Also when both are there, after a crash that lost half of a rename: the same bytes in one place.
      await rename(pending, path);
    } catch (error) {
      // Published by another call meanwhile: the same bytes, from the same place.
      if (errnoOf(error) !== 'ENOENT' || !(await exists(path))) throw error;
    }
    await syncDirectory(folder);
    await syncDirectory(join(this.directory, PENDING_DIRECTORY));
    return path;
  }

  async put(sealed: Pick<SealedEvidence, 'bundleId' | 'bytes'>): Promise<string> {
    await this.stage(sealed);
    return this.publish(sealed.bundleId);
  }

  async listPending(): Promise<{ pending: SealedEvidence[]; findings: IntegrityFinding[] }> {
    const pending: SealedEvidence[] = [];
    const findings: IntegrityFinding[] = [];
    for (const name of await names(join(this.directory, PENDING_DIRECTORY))) {
      if (name.endsWith(TEMPORARY_SUFFIX)) continue; // never became a bundle: its writer did not finish
      const path = join(this.directory, PENDING_DIRECTORY, name);
      const read = await this.#inspect(path, name.slice(0, -PENDING_SUFFIX.length));
      if (read === undefined) continue; // published meanwhile
      if ('finding' in read) findings.push(read.finding);
      else pending.push({ bundleId: read.summary.bundleId, bytes: read.bytes, digest: read.summary.digest });
    }
    return { pending, findings };
  }

  async get(bundleId: BundleId): Promise<Uint8Array | undefined> {
    const pending = await readRegularFile(this.#pendingPath(bundleId), MAX_ENVELOPE_BYTES);
    if (pending !== undefined) return pending;
    const path = await this.path(bundleId);
    return path === undefined ? undefined : readRegularFile(path, MAX_ENVELOPE_BYTES);
  }

  async path(bundleId: BundleId): Promise<string | undefined> {
    requireBundleId(bundleId);
    // Sealed soon after it started, as a rule: look around the id's own time before looking everywhere.
    const madeMs = Number.parseInt(bundleId.replaceAll('-', '').slice(0, 12), 16);
    const near = [0, -DAY_MS, DAY_MS].map((offset) => dayOf(madeMs + offset));
    return (await this.#pathIn(near, bundleId)) ?? this.#pathIn(await listDays(this.directory), bundleId);
  }

  async #pathIn(days: readonly (string | undefined)[], bundleId: BundleId): Promise<string | undefined> {
    for (const day of days) {
      const path = day === undefined ? undefined : join(this.directory, day, bundleId, BUNDLE_FILE);
      if (path !== undefined && (await exists(path))) return path;
    }
    return undefined;
  }

  async list(filter: EvidenceFilter = {}): Promise<EvidenceList> {
    const limit = filter.limit ?? Infinity;
    const bundles: EvidenceSummary[] = [];
    const findings: IntegrityFinding[] = [];
    for (const day of (await listDays(this.directory)).toReversed()) {
      if (bundles.length >= limit) break;
      const date = day.replaceAll('/', '-');
      if (filter.from !== undefined && date < filter.from.slice(0, 10)) break;
      if (filter.to !== undefined && date > filter.to.slice(0, 10)) continue;
      const read = await this.#readDay(day);
      findings.push(...read.findings);
      bundles.push(...read.bundles.filter((bundle) => matches(filter, bundle)).toSorted(newestFirst));
    }
    return { bundles: bundles.slice(0, limit), findings };
  }

  async stats(): Promise<EvidenceStatistics & { readonly findings: readonly IntegrityFinding[] }> {
    const { bundles, findings } = await this.list();
    let statistics = EMPTY_STATISTICS;
    for (const bundle of bundles) statistics = addToStatistics(statistics, bundle);
    return { ...statistics, findings };
  }

  #pendingPath(bundleId: string): string {
    requireBundleId(bundleId);
    return join(this.directory, PENDING_DIRECTORY, `${bundleId}${PENDING_SUFFIX}`);
  }

  /** Makes `parts` below the store, each durable in the one above; @returns the last */
  async #makeDirectories(parts: readonly string[]): Promise<string> {
    let path = this.directory;
    if (!this.#durable.has(path)) {
      await makeDirectory(path, this.#modes);
      await syncDirectory(dirname(path));
      this.#durable.add(path);
    }
    for (const part of parts) {
      const parent = path;
      path = join(path, part);
      const isNew = await makeDirectory(path, this.#modes);
      // Not new and not known: made by a process that may have crashed before its fsync.
      if (isNew || !this.#durable.has(path)) await syncDirectory(parent);
      if (!UUID_V7_PATTERN.test(part)) this.#durable.add(path);
    }
    return path;
  }

  /** Removes, once, what earlier processes did not finish writing. Only the writer comes here. */
  async #sweep(): Promise<void> {
    if (this.#swept) return;
    this.#swept = true;
    for (const name of await names(join(this.directory, PENDING_DIRECTORY))) {
      if (name.startsWith('.') && name.endsWith(TEMPORARY_SUFFIX))
        await unlink(join(this.directory, PENDING_DIRECTORY, name));
    }
  }

  async #readDay(day: string): Promise<{ bundles: EvidenceSummary[]; findings: IntegrityFinding[] }> {
    const bundles: EvidenceSummary[] = [];
    const findings: IntegrityFinding[] = [];
    for (const name of await this.#namesOfDay(day, findings)) {
      const path = join(this.directory, day, name, BUNDLE_FILE);
      const read = await this.#inspect(path, name);
      if (read === undefined) {
        if (await this.#isBeingPublished(name)) continue;
        findings.push({ path, code: 'ERR_EVIDENCE_NOT_FOUND', reason: 'the bundle is gone from its directory' });
      } else if ('finding' in read) {
        findings.push(read.finding);
      } else if (read.summary.started.slice(0, 10) !== day.replaceAll('/', '-')) {
        findings.push({ path, code: 'ERR_EVIDENCE_MALFORMED', reason: 'the bundle lies under another day' });
      } else {
        bundles.push(read.summary);
      }
    }
    return { bundles, findings };
  }

  async #namesOfDay(day: string, findings: IntegrityFinding[]): Promise<string[]> {
    const path = join(this.directory, day);
    try {
      return await names(path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOTDIR') throw error;
      findings.push({ path, code: 'ENOTDIR', reason: 'something else lies where a directory of bundles belongs' });
      return [];
    }
  }

  /** A crash, or the writer right now, between making the directory and moving the bundle there. */
  async #isBeingPublished(name: string): Promise<boolean> {
    return UUID_V7_PATTERN.test(name) && exists(this.#pendingPath(name));
  }

  async #inspect(
    path: string,
    bundleId: string,
  ): Promise<{ bytes: Uint8Array; summary: EvidenceSummary } | { finding: IntegrityFinding } | undefined> {
    try {
      const bytes = await readRegularFile(path, MAX_ENVELOPE_BYTES);
      if (bytes === undefined) return undefined;
      const statement = readStatement(bytes);
      if (statement.predicate.bundleId !== bundleId) throw malformed('the bundle lies under another id');
      if (this.#keys !== undefined) {
        const verdict = inspectBundle(bytes, this.#keys);
        if (!verdict.ok) throw verdict.error;
      }
      const summary = summarise(statement, { path, sizeBytes: bytes.length, digest: sha256Hex(bytes) });
      return { bytes, summary };
    } catch (error) {
      const code = isHoldfastError(error) ? error.code : (errnoOf(error) ?? 'ERR_EVIDENCE_MALFORMED');
      return { finding: { path, code, reason: error instanceof Error ? error.message : 'unreadable' } };
    }
  }
}

const newestFirst = (a: EvidenceSummary, b: EvidenceSummary): number =>
  b.started.localeCompare(a.started) || b.bundleId.localeCompare(a.bundleId);

function malformed(what: string): HoldfastError {
  return new HoldfastError(what, { code: 'ERR_EVIDENCE_MALFORMED', fields: { what } });
}

function conflict(): HoldfastError {
  return new HoldfastError('other bytes are stored under this bundle id', { code: 'ERR_EVIDENCE_CONFLICT' });
}
