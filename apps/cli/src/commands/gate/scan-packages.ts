/** `holdfast gate scan vulnerabilities|dependencies|sbom|vex|update`: what lockfiles name, and what is known of it. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import {
  buildCycloneDx,
  buildOpenVex,
  buildSpdx,
  importOsv,
  inventoryProblems,
  openDirectory,
  openOsvDatabase,
  readPackages,
  scanDependencies,
  scanVulnerabilities,
  triageVulnerabilities,
} from '@holdfast/scan';
import { type CommandResult, formatTable } from '../../output.ts';
import { type ScanOptions, scanResult } from './scan-result.ts';

interface DatabaseOption {
  readonly database?: string | undefined;
}

/** The option, `$HOLDFAST_OSV_DATABASE`, or the usual place. */
function databasePath({ database }: DatabaseOption): string {
  const named = database ?? process.env['HOLDFAST_OSV_DATABASE'];
  return named === undefined || named === '' ? join(homedir(), '.local/share/holdfast/osv.db') : resolve(named);
}

/** `null` where nothing was ever imported: the scan says that it is inconclusive. */
function openDatabase(options: DatabaseOption) {
  const path = databasePath(options);
  return existsSync(path) ? openOsvDatabase(path) : null;
}

export async function vulnerabilities(
  options: ScanOptions & DatabaseOption,
  signal: AbortSignal,
): Promise<CommandResult> {
  using database = openDatabase(options);
  const files = openDirectory(resolve(options.directory));
  return scanResult(await scanVulnerabilities({ files, database }, { nowMs: Date.now() }, signal), options);
}

export async function dependencies(options: ScanOptions, signal: AbortSignal): Promise<CommandResult> {
  const files = openDirectory(resolve(options.directory));
  return scanResult(await scanDependencies({ files }, { nowMs: Date.now() }, signal), options);
}

/** Brings exports in, one ecosystem each; one that is refused leaves the database as it was. */
export function update(
  archives: readonly string[],
  options: DatabaseOption & { readonly exportedAt?: string | undefined },
  signal: AbortSignal,
): CommandResult {
  const path = databasePath(options);
  const exportedMs = options.exportedAt === undefined ? undefined : parseTime(options.exportedAt);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const imported = archives.map((archive) =>
    importOsv(
      path,
      readArchive(archive),
      { nowMs: Date.now(), ...(exportedMs === undefined ? {} : { exportedMs }) },
      signal,
    ),
  );
  const rows = imported.map(({ ecosystem, entries, exportedAt, digest }) => [
    ecosystem,
    String(entries),
    exportedAt,
    digest.slice(0, 12),
  ]);
  const table = formatTable(['ecosystem', 'advisories', 'exported', 'digest'], rows);
  return { data: { database: path, imported }, text: `${table}\n\nin ${path}` };
}

/** */
const EXIT_INCONCLUSIVE = 30;

interface SbomOptions {
  readonly directory: string;
  readonly name: string;
  readonly release: string;
  readonly format: string;
}

export async function sbom(options: SbomOptions, signal: AbortSignal): Promise<CommandResult> {
  const build = { cyclonedx: buildCycloneDx, spdx: buildSpdx }[options.format];
  if (build === undefined) throw new HoldfastError('--format takes cyclonedx or spdx', { code: 'ERR_CLI_USAGE' });
  const inventory = await readPackages(openDirectory(resolve(options.directory)), () => false, signal);
  const subject = { name: options.name, version: options.release, nowMs: Date.now() };
  // a bill of what is not all known is no whole bill; it comes with why.
  const problems = inventoryProblems(inventory);
  for (const problem of problems) process.stderr.write(`holdfast: ${problem}\n`);
  return { ...document(build(inventory.packages, subject)), exitCode: problems.length > 0 ? EXIT_INCONCLUSIVE : 0 };
}

interface VexCommandOptions extends DatabaseOption {
  readonly directory: string;
  readonly author: string;
  readonly product: string;
}

export async function vex(options: VexCommandOptions, signal: AbortSignal): Promise<CommandResult> {
  using database = openDatabase(options);
  const files = openDirectory(resolve(options.directory));
  const nowMs = Date.now();
  const { triaged } = await triageVulnerabilities({ files, database }, { nowMs }, signal);
  return document(buildOpenVex(triaged, { author: options.author, product: options.product, nowMs }));
}

/** What is JSON already is the same with `--json`. */
const document = (text: string): CommandResult => ({ data: JSON.parse(text) as unknown, text });

function parseTime(text: string): number {
  const moment = Date.parse(text);
  if (Number.isFinite(moment)) return moment;
  throw new HoldfastError('--exported-at takes an ISO 8601 time', { code: 'ERR_CLI_USAGE' });
}

function readArchive(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('an export cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
  }
}
