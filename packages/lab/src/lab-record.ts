/**
 * What a lab leaves in its directory for other processes: `lab.json`, written before anything is
 * built, so that whatever there is can be found again, and `time.json`, the offsets of the lab's
 * time sources.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { BREAKABLE_CHECKS, type Drift, type LabKind } from './lab.ts';
import { LAB_ID_PATTERN, MAX_HOSTS } from './network.ts';

export interface LabRecord {
  readonly format: 1;
  readonly id: string;
  readonly kind: LabKind;
  readonly hosts: number;
  /** First three octets of the lab's /24. */
  readonly net: string;
  readonly repositoryRoot: string;
  readonly diskBytes: number;
  /** Set once `up` was through. */
  readonly complete: boolean;
  readonly drifts: readonly Drift[];
}

type Field = (value: unknown) => boolean;

const isText: Field = (value) => typeof value === 'string';
const isCount: Field = (value) => Number.isSafeInteger(value) && Number(value) > 0;

const DRIFT_FIELDS: Record<keyof Drift, Field> = {
  host: isText,
  check: (value) => BREAKABLE_CHECKS.some((check) => check === value),
  seed: Number.isSafeInteger,
  variant: isText,
  description: isText,
};

const RECORD_FIELDS: Record<keyof LabRecord, Field> = {
  format: (value) => value === 1,
  id: (value) => typeof value === 'string' && LAB_ID_PATTERN.test(value),
  kind: (value) => value === 'linux' || value === 'simulated',
  hosts: (value) => isCount(value) && Number(value) <= MAX_HOSTS,
  net: (value) => typeof value === 'string' && /^\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(value),
  repositoryRoot: (value) => typeof value === 'string' && value.startsWith('/'),
  diskBytes: isCount,
  complete: (value) => typeof value === 'boolean',
  drifts: (value) => Array.isArray(value) && value.every((drift) => hasExactly(drift, DRIFT_FIELDS)),
};

/** All of these fields, each as it should be, and no others. */
function hasExactly(value: unknown, fields: Readonly<Record<string, Field>>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(value);
  return (
    entries.length === Object.keys(fields).length && entries.every(([key, field]) => fields[key]?.(field) === true)
  );
}

export function recordPath(directory: string): string {
  return join(directory, 'lab.json');
}

function writeAtomically(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

export function writeRecord(directory: string, record: LabRecord): void {
  writeAtomically(recordPath(directory), `${JSON.stringify(record, undefined, 2)}\n`);
}

/**
 * @returns `undefined` when the directory holds no lab
 * @throws `ERR_LAB_RECORD_INVALID`
 */
export function readRecord(directory: string): LabRecord | undefined {
  let text: string;
  try {
    text = readFileSync(recordPath(directory), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HoldfastError('the record of the lab cannot be read', { code: 'ERR_LAB_RECORD_INVALID', cause });
  }
  const record = parseJson(text);
  if (hasExactly(record, RECORD_FIELDS)) return record as LabRecord; // every field was looked at
  throw new HoldfastError('the record of the lab cannot be read', { code: 'ERR_LAB_RECORD_INVALID' });
}

/** @returns `undefined` for what is no JSON */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function removeRecord(directory: string): void {
  rmSync(recordPath(directory), { force: true });
  rmSync(timeControlPath(directory), { force: true });
}

export function timeControlPath(directory: string): string {
  return join(directory, 'time.json');
}

/** Sets the offsets that one client is told; an empty object tells it the right time. */
export function writeTimeOffsets(directory: string, client: string, offsets: Readonly<Record<string, number>>): void {
  const path = timeControlPath(directory);
  let all: Record<string, Readonly<Record<string, number>>> = {};
  try {
    all = JSON.parse(readFileSync(path, 'utf8')) as typeof all; // written by this function only
  } catch {
    // The first offset of this lab.
  }
  writeAtomically(path, JSON.stringify({ ...all, [client]: offsets }));
}
