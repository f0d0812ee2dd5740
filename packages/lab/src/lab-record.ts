/**
 * What a lab leaves in its directory for other processes: `lab.json`, written before anything is
 * built, so that whatever there is can be found again, and `time.json`, the offsets of the lab's
 * time sources.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { z } from 'zod';
import { BREAKABLE_CHECKS } from './lab.ts';
import { LAB_ID_PATTERN, MAX_HOSTS } from './network.ts';

const DriftSchema = z.strictObject({
  host: z.string(),
  check: z.enum(BREAKABLE_CHECKS),
  seed: z.int(),
  variant: z.string(),
  description: z.string(),
});

const RecordSchema = z.strictObject({
  format: z.literal(1),
  id: z.string().regex(LAB_ID_PATTERN),
  kind: z.enum(['linux', 'simulated']),
  hosts: z.int().min(1).max(MAX_HOSTS),
  /** First three octets of the lab's /24. */
  net: z.string().regex(/^\d{1,3}\.\d{1,3}\.\d{1,3}$/),
  repositoryRoot: z.string().startsWith('/'),
  diskBytes: z.int().positive(),
  /** Set once `up` was through. */
  complete: z.boolean(),
  drifts: z.array(DriftSchema),
});

export type LabRecord = Readonly<z.infer<typeof RecordSchema>>;

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
  try {
    return RecordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new HoldfastError('the record of the lab cannot be read', { code: 'ERR_LAB_RECORD_INVALID', cause });
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
