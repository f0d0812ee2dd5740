/**
 * OSV advisories kept offline: one SQLite file, one row per advisory and per package that it
 * names. It is filled from the archives that osv.dev publishes for each ecosystem
 * (`https://osv-vulnerabilities.storage.googleapis.com/<ecosystem>/all.zip`), fetched by whoever may
 * use the network. An import replaces its ecosystem as a whole, in one transaction, or changes nothing.
 *
 * The digest covers what was asked for and every advisory's bytes; it is computed again on opening,
 * and each advisory is held to its digest when it is used, so that a damaged file is no clean scan.
 */
import { HoldfastError } from '@holdfast/core';
import { createHash, hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { type Ecosystem, ECOSYSTEMS, normalizePythonName } from '../packages/package.ts';
import { type OsvEntry, OsvEntrySchema } from './osv-entry.ts';
import { readZip, type ZipEntry } from './read-zip.ts';

/** In the file's header, so that another program's database is not taken for ours: `HFOS`. */
const APPLICATION_ID = 0x48464f53;
const FORMAT = 1;
/** A clock that runs ahead by less than this is no reason to refuse an export. */
const MAX_CLOCK_SKEW_MS = 10 * 60_000;

const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  CREATE TABLE IF NOT EXISTS export (
    ecosystem   TEXT PRIMARY KEY,
    exported_ms INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    digest      TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS advisory (
    ecosystem TEXT NOT NULL,
    name      TEXT NOT NULL,
    id        TEXT NOT NULL,
    digest    TEXT NOT NULL,
    json      TEXT NOT NULL,
    PRIMARY KEY (ecosystem, name, id)
  ) STRICT, WITHOUT ROWID;
`;

export interface OsvExport {
  readonly ecosystem: Ecosystem;
  readonly exportedAt: string;
  readonly entries: number;
  readonly digest: string;
}

export interface OsvDatabase extends Disposable {
  /** What was imported, sorted by ecosystem. */
  readonly exports: readonly OsvExport[];
  /** The advisories that name this package. @throws `ERR_SCAN_DATABASE` if one was changed since */
  find(ecosystem: Ecosystem, name: string): readonly OsvEntry[];
}

/** @throws `ERR_SCAN_DATABASE` if the file is missing, is another format, or is not what was imported */
export function openOsvDatabase(file: string): OsvDatabase {
  const database = guarded('cannot be opened', () => new DatabaseSync(file, { readOnly: true }));
  try {
    return guarded('is damaged, or no database of advisories', () => {
      checkFormat(database);
      const exports = readExports(database);
      for (const { ecosystem, digest } of exports) {
        if (digestOf(database, ecosystem) !== digest) throw new RangeError('the digest does not fit');
      }
      const select = database.prepare('SELECT digest, json FROM advisory WHERE ecosystem = ? AND name = ?');
      const cache = new Map<string, readonly OsvEntry[]>();
      return {
        exports,
        find(ecosystem, name) {
          const key = `${ecosystem} ${name}`;
          const found = cache.get(key) ?? guarded('is damaged', () => select.all(ecosystem, name).map(parseRow));
          cache.set(key, found);
          return found;
        },
        [Symbol.dispose]: () => database.close(),
      };
    });
  } catch (error) {
    database.close();
    throw error;
  }
}

export interface ImportOptions {
  /** Which ecosystem the archive is of; without, the one that all of its advisories name. */
  readonly ecosystem?: Ecosystem;
  /** When osv.dev wrote it (`Last-Modified`); without, the newest entry's time in the archive. */
  readonly exportedMs?: number;
  readonly nowMs: number;
}

export interface ImportReport extends OsvExport {
  readonly withdrawn: number;
}

/**
 * Replaces an ecosystem's advisories by those of `archive`, an OSV export (ZIP, or one entry as JSON). It
 * is read twice, once to judge it and once to write it down, so that no more than one advisory of it is
 * unpacked at a time: npm's is some 100 MB, and many times that unpacked.
 *
 * @throws `ERR_SCAN_DATABASE` if the archive is damaged, an advisory is not as the schema says, the
 *   ecosystem is not clear, or it holds no advisory of it; the database is then as it was
 */
export function importOsv(
  file: string,
  archive: Uint8Array,
  options: ImportOptions,
  signal: AbortSignal,
): ImportReport {
  const { newestMs, withdrawn, common, idsOf } = guarded('is no OSV export', () => judgeExport(archive, signal));
  const ecosystem = options.ecosystem ?? onlyOf(common);
  const exportedMs = options.exportedMs ?? newestMs;
  if (exportedMs > options.nowMs + MAX_CLOCK_SKEW_MS) throw refused('the export is from the future');
  const ids = idsOf.get(ecosystem)?.size ?? 0;
  if (ids === 0) throw refused(`the export holds no advisory about ${ecosystem}`);
  const database = guarded('cannot be written', () => new DatabaseSync(file));
  try {
    return guarded('cannot be written', () => {
      database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
      try {
        if (database.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined) checkFormat(database);
        database.exec(SCHEMA);
        database.prepare('DELETE FROM advisory WHERE ecosystem = ?').run(ecosystem);
        const insert = database.prepare('INSERT OR REPLACE INTO advisory VALUES (?, ?, ?, ?, ?)');
        for (const entry of readExport(archive, signal)) {
          for (const { name, id, digest, json } of rowsOf(entry, ecosystem)) {
            insert.run(ecosystem, name, id, digest, json);
          }
        }
        const digest = digestOf(database, ecosystem);
        database.prepare('INSERT OR REPLACE INTO export VALUES (?, ?, ?, ?)').run(ecosystem, exportedMs, ids, digest);
        database.exec('COMMIT');
        return { ecosystem, exportedAt: new Date(exportedMs).toISOString(), entries: ids, digest, withdrawn };
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    });
  } finally {
    database.close();
  }
}

interface ReadEntry {
  readonly entry: OsvEntry;
  readonly modifiedMs: number;
}

function* readExport(archive: Uint8Array, signal: AbortSignal): Generator<ReadEntry> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const isZip = archive[0] === 0x50 && archive[1] === 0x4b;
  const sources: Iterable<ZipEntry> = isZip
    ? readZip(archive)
    : [{ name: 'entry.json', bytes: archive, modifiedMs: Number.NEGATIVE_INFINITY }];
  for (const { name, bytes, modifiedMs } of sources) {
    signal.throwIfAborted();
    if (!name.endsWith('.json')) continue;
    const entry = OsvEntrySchema.parse(JSON.parse(decoder.decode(bytes)));
    yield { entry, modifiedMs: Math.max(modifiedMs, Date.parse(entry.modified)) };
  }
}

const isWithdrawn = ({ withdrawn }: OsvEntry): boolean => withdrawn !== undefined && withdrawn !== null;

interface JudgedExport {
  readonly newestMs: number;
  readonly withdrawn: number;
  /** The ecosystems that all of its advisories name. */
  readonly common: readonly Ecosystem[];
  readonly idsOf: ReadonlyMap<Ecosystem, ReadonlySet<string>>;
}

function judgeExport(archive: Uint8Array, signal: AbortSignal): JudgedExport {
  const idsOf = new Map(ECOSYSTEMS.map((ecosystem) => [ecosystem, new Set<string>()]));
  let common: readonly Ecosystem[] = ECOSYSTEMS;
  let newestMs = Number.NEGATIVE_INFINITY;
  let withdrawn = 0;
  for (const { entry, modifiedMs } of readExport(archive, signal)) {
    newestMs = Math.max(newestMs, modifiedMs);
    if (isWithdrawn(entry)) {
      withdrawn += 1;
      continue;
    }
    const named = new Set((entry.affected ?? []).map((one) => baseOf(one.package?.ecosystem ?? '')));
    common = common.filter((ecosystem) => named.has(ecosystem));
    for (const [ecosystem, ids] of idsOf) if (named.has(ecosystem)) ids.add(entry.id);
  }
  return { newestMs, withdrawn, common, idsOf };
}

/** `Ecosystem:suffix` names a part of an ecosystem (OSV schema, "affected[].package"). */
const baseOf = (ecosystem: string): string => ecosystem.split(':', 1)[0] ?? '';

function onlyOf([only, ...more]: readonly Ecosystem[]): Ecosystem {
  if (only === undefined || more.length > 0) throw refused(`say which ecosystem it is of: ${ECOSYSTEMS.join(', ')}`);
  return only;
}

/** One row for each package of `ecosystem` that the advisory names; none for one that was withdrawn. */
function rowsOf({ entry }: ReadEntry, ecosystem: Ecosystem) {
  if (isWithdrawn(entry)) return [];
  const names = (entry.affected ?? []).flatMap((one) =>
    one.package !== undefined && baseOf(one.package.ecosystem) === ecosystem ? [one.package.name] : [],
  );
  const json = JSON.stringify(entry);
  const digest = hash('sha256', json);
  return [...new Set(names.map((name) => keyOf(ecosystem, name)))].map((name) => ({
    name,
    id: entry.id,
    digest,
    json,
  }));
}

/** PyPI's names have many spellings (PEP 503), the others one. */
export const keyOf = (ecosystem: Ecosystem, name: string): string =>
  ecosystem === 'PyPI' ? normalizePythonName(name) : name;

function checkFormat(database: DatabaseSync): void {
  const application = database.prepare('PRAGMA application_id').get()?.['application_id'];
  const format = database.prepare('PRAGMA user_version').get()?.['user_version'];
  if (application !== APPLICATION_ID || format !== FORMAT) throw new RangeError('another format');
}

function readExports(database: DatabaseSync): OsvExport[] {
  return database
    .prepare('SELECT ecosystem, exported_ms, entries, digest FROM export ORDER BY ecosystem')
    .all()
    .map((row) => {
      const ecosystem = ECOSYSTEMS.find((one) => one === row['ecosystem']);
      if (ecosystem === undefined) throw new RangeError('an unknown ecosystem');
      return {
        ecosystem,
        exportedAt: new Date(Number(row['exported_ms'])).toISOString(),
        entries: Number(row['entries']),
        digest: String(row['digest']),
      };
    });
}

function digestOf(database: DatabaseSync, ecosystem: Ecosystem): string {
  const rows = database
    .prepare('SELECT name, id, digest FROM advisory WHERE ecosystem = ? ORDER BY name, id')
    .iterate(ecosystem);
  const digest = createHash('sha256').update(`${ecosystem}\n`);
  for (const row of rows) digest.update(`${JSON.stringify([row['name'], row['id'], row['digest']])}\n`);
  return digest.digest('hex');
}

function parseRow(row: Record<string, unknown>): OsvEntry {
  const json = String(row['json']);
  if (hash('sha256', json) !== row['digest']) throw new RangeError('an advisory was changed');
  return OsvEntrySchema.parse(JSON.parse(json));
}

const refused = (reason: string, cause?: unknown): HoldfastError =>
  new HoldfastError(`The vulnerability database: ${reason}`, { code: 'ERR_SCAN_DATABASE', fields: { reason }, cause });

/** Everything that SQLite, JSON and the schema throw becomes one error; ours and aborts pass through. */
function guarded<T>(reason: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof HoldfastError || (error instanceof Error && error.name === 'AbortError')) throw error;
    const detail = error instanceof RangeError ? `${reason}: ${error.message}` : reason;
    throw refused(detail, error);
  }
}
