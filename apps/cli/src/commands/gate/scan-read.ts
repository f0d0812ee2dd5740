/** `holdfast gate scan read`: other scanners' reports, judged by what they say and never by how they ended (R-25). */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { readSarif } from '@holdfast/gate';
import { readGitleaksReport, readGovulncheck, readNpmAudit, type ScanSummary } from '@holdfast/scan';
import type { CommandResult } from '../../output.ts';
import { type ScanOptions, scanResult } from './scan-result.ts';

type Read = (bytes: Uint8Array) => ScanSummary;

const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['gitleaks', readGitleaksReport],
  ['npm-audit', readNpmAudit],
  ['govulncheck', readGovulncheck],
  ['sarif', readSarif],
]);

export function read(format: string, path: string, options: ScanOptions): CommandResult {
  const reader = READERS.get(format);
  if (reader === undefined)
    throw new HoldfastError(`the format is one of ${[...READERS.keys()].join(', ')}`, { code: 'ERR_CLI_USAGE' });
  return scanResult(reader(readReport(path)), options);
}

/** `-` is standard input. */
function readReport(path: string): Uint8Array {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (cause) {
    throw new HoldfastError('the report cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file: path }, cause });
  }
}
