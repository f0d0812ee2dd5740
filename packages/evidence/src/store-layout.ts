/** Where things lie in the evidence store, and what a file there says of itself. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleId, HoldfastError, UUID_V7_PATTERN } from '@holdfast/core';
import { decodeBase64, decodeEnvelope } from '@holdfast/crypto';
import { parseStatement } from './build-statement.ts';
import { errnoOf } from './durable-files.ts';
import type { Statement } from './statement.ts';

/** Below the store: what is sealed and not yet in its place. */
export const PENDING_DIRECTORY = 'pending';

/** What the bundle says, without verifying its signature: good for finding it, not for believing it. */
export function readStatement(bytes: Uint8Array): Statement {
  // decodeEnvelope checked the base64.
  return parseStatement(decodeBase64(decodeEnvelope(bytes).payload) ?? new Uint8Array());
}

/** Where a bundle belongs below the store. @throws `ERR_EVIDENCE_MALFORMED` when `bytes` are not the bundle `bundleId` */
export function folderOf(bundleId: BundleId, bytes: Uint8Array): string[] {
  const { predicate } = readStatement(bytes);
  if (predicate.bundleId !== bundleId)
    throw new HoldfastError('the bundle has another id', { code: 'ERR_EVIDENCE_MALFORMED' });
  return [...predicate.started.slice(0, 10).split('-'), bundleId];
}

/** `YYYY/MM/DD` of a time; `undefined` when it is none. */
export function dayOf(ms: number): string | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().slice(0, 10).replaceAll('-', '/');
}

/**
 * Names in `directory`, sorted; none when there is nothing of that name.
 *
 * @throws the system's `ENOTDIR` when something else is there
 */
export async function names(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * `YYYY/MM/DD` of every day in the store, oldest first. What is in the place of a year or month and is no
 * directory stands for itself, so that reading it as a day tells of the damage.
 */
export async function listDays(directory: string): Promise<string[]> {
  const years = (await names(directory)).filter((name) => /^\d{4}$/.test(name));
  return expand(directory, await expand(directory, years));
}

/** Each path with each two-digit name below it. */
async function expand(directory: string, paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    try {
      const below = (await names(join(directory, path))).filter((name) => /^\d{2}$/.test(name));
      found.push(...below.map((name) => `${path}/${name}`));
    } catch (error) {
      if (errnoOf(error) !== 'ENOTDIR') throw error;
      found.push(path);
    }
  }
  return found;
}

/** Whether there is anything at `path`, a dangling symlink included. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

export function requireBundleId(bundleId: string): void {
  // Ids become paths; a caller without types must not walk out of the store.
  if (!UUID_V7_PATTERN.test(bundleId)) throw new TypeError('not a bundle id');
}
