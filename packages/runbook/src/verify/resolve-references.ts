/** Looks for every reference in the tree, reading each file at most once. */
import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import type { Candidate } from '../candidate/candidate.ts';
import { isSourceFile, readSourceFacts } from '../candidate/source-facts.ts';
import { isFoundIn, isRoute, type Reference } from './reference.ts';

/** Larger sources are generated; a runbook names nothing in them. */
const MAX_SOURCE_BYTES = 2 * 1_024 * 1_024;
/** A dependency of a runbook may be any file, to be hashed. */
const MAX_FILE_BYTES = 64 * 1_024 * 1_024;
const OPENAPI_FILE = /(?:^|\/)(?:openapi|swagger)[^/]*\.(?:json|ya?ml)$/i;

export interface Resolution {
  /** Where each reference was found: path to digest, sorted. A reference that resolves to no file of the tree is not in it. */
  readonly found: ReadonlyMap<Reference, readonly string[]>;
  /** References that do not exist; those of them that may, in a file that could not be read, say so. */
  readonly missing: readonly Reference[];
  /** Hex SHA-256 of every file in `found`. */
  readonly digests: ReadonlyMap<string, string>;
  readonly files: number;
  readonly bytes: number;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

export async function resolveReferences(
  candidate: Candidate,
  references: readonly Reference[],
  signal: AbortSignal,
): Promise<Resolution> {
  const found = new Map<Reference, string[]>();
  const digests = new Map<string, string>();
  const skipped: { path: string; reason: string }[] = [];
  let files = 0;
  let bytes = 0;

  const note = (reference: Reference, path: string, content: Uint8Array): void => {
    const at = found.get(reference);
    if (at === undefined) found.set(reference, [path]);
    else at.push(path);
    if (!digests.has(path)) digests.set(path, createHash('sha256').update(content).digest('hex'));
  };

  const inSources = references.filter(({ kind }) => kind !== 'file' && kind !== 'commit');
  const routes = references.filter(({ kind }) => kind === 'route');
  for (const path of candidate.paths) {
    const isOpenApi = OPENAPI_FILE.test(path);
    if (!isOpenApi && !isSourceFile(path)) continue;
    signal.throwIfAborted();
    const content = await candidate.read(path, MAX_SOURCE_BYTES);
    if (content === null) {
      skipped.push({ path, reason: `no regular file of at most ${MAX_SOURCE_BYTES} bytes` });
      continue;
    }
    files += 1;
    bytes += content.length;
    const text = Buffer.from(content).toString();
    if (isOpenApi) {
      const paths = pathsOfOpenApi(text);
      for (const route of routes) if (paths.some((literal) => isRoute(literal, route.name))) note(route, path, content);
      continue;
    }
    // Parsing costs a thousand times as much as searching. A route with parameters has no text to search for.
    const candidates = inSources.filter((reference) => reference.kind === 'route' || mayHold(text, reference));
    if (candidates.length === 0) continue;
    const facts = readSourceFacts(path, text);
    if (facts === null) skipped.push({ path, reason: 'does not parse' });
    else for (const reference of candidates) if (isFoundIn(reference, path, facts)) note(reference, path, content);
  }

  for (const reference of references) {
    if (reference.kind === 'file') {
      const content = await candidate.read(reference.name, MAX_FILE_BYTES);
      if (content !== null) note(reference, reference.name, content);
    } else if (reference.kind === 'commit' && (await candidate.hasCommit(reference.name, signal))) {
      found.set(reference, []);
    }
  }
  return { found, digests, files, bytes, skipped, missing: references.filter((reference) => !found.has(reference)) };
}

/** Whether the file can hold the name at all: its longest part that every spelling has. */
function mayHold(text: string, { kind, name }: Reference): boolean {
  if (kind === 'metric') return text.includes(name.replace(/_(?:bucket|sum|count|total|created)$/, ''));
  if (kind === 'test') return true; // a name in a literal may be escaped
  return text.includes(name);
}

function pathsOfOpenApi(text: string): string[] {
  try {
    const document: unknown = parse(text, { maxAliasCount: 100 });
    if (typeof document !== 'object' || document === null || !('paths' in document)) return [];
    return typeof document.paths === 'object' && document.paths !== null ? Object.keys(document.paths) : [];
  } catch {
    return []; // no OpenAPI document: what it registers is not known
  }
}
