/** What a report of another scanner says before anything was read from it: nothing. */
import { SCAN_REPORT_FORMAT, type ScanSummary } from '../scan-report.ts';

export const emptySummary = (name: string, bytes: Uint8Array): ScanSummary => ({
  format: SCAN_REPORT_FORMAT,
  scanner: 'imported',
  rules: { name, version: 'unknown', count: 0 },
  state: 'inconclusive',
  reasons: [],
  coverage: { files: 1, bytes: bytes.byteLength, commits: null, tags: null, packages: null, skipped: [] },
  database: null,
  findings: [],
});
