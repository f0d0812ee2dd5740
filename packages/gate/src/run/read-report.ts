/** Reads what a command reported about itself: tests, or a scan. What does not parse counts as missing. */
import { hasCode } from '@holdfast/core';
import { type ScanSummary, ScanSummarySchema } from '@holdfast/scan';
import type { GateCommand, ReportFormat } from '../gate-file/gate-schema.ts';
import { readSarif } from '../interchange/read-sarif.ts';
import type { RunRecord, TestResult } from '../records/run-record.ts';
import { readTestReport } from '../reports/read-test-report.ts';
import type { ReportFile } from './report-file.ts';

type ReportStatus = NonNullable<RunRecord['report']>['status'];

export interface ReadReport {
  readonly status: ReportStatus;
  /** Whether the report itself says that results came from a cache. */
  readonly cached: boolean;
  readonly tests: readonly TestResult[] | null;
  readonly scan: ScanSummary | null;
}

/** Leaves room in a signed statement of at most 16 MiB, of which base64 takes a third. */
const MAX_RESULT_CHARS = 8 * 1024 * 1024;

const without = (status: ReportStatus): ReadReport => ({ status, cached: false, tests: null, scan: null });

/** @param root where paths in the report are relative to */
export function readReport({ format }: NonNullable<GateCommand['report']>, file: ReportFile, root: string): ReadReport {
  if (file.status !== 'read') return without(file.status);
  if (file.bytes.length === 0) return without('empty');
  try {
    const report = parse(format, file.bytes, root);
    const size = JSON.stringify(report).length;
    return size > MAX_RESULT_CHARS ? without('too-large') : report;
  } catch (error) {
    if (!hasCode(error, 'ERR_REPORT_MALFORMED')) throw error;
    return without('malformed');
  }
}

function parse(format: ReportFormat, bytes: Uint8Array, root: string): ReadReport {
  if (format === 'scan' || format === 'sarif') {
    const scan = format === 'scan' ? readScan(bytes) : readSarif(bytes);
    return scan === null ? without('malformed') : { status: 'read', cached: false, tests: null, scan };
  }
  const { results, cached } = readTestReport(format, bytes, root);
  return { status: 'read', cached, tests: results, scan: null };
}

function readScan(bytes: Uint8Array): ScanSummary | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return ScanSummarySchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // neither UTF-8 nor JSON
  }
}
