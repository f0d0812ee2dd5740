/**
 * A quick look at runs, of which a log has a hundred times as many as of all else: what it accepts,
 * `RunRecordSchema` accepts too and leaves as it is. Of whatever it does not accept it says nothing: that is
 * for the schema to decide, which also says what is wrong.
 */
import { SHA256_HEX_PATTERN, UUID_V7_PATTERN } from '@holdfast/core';
import { z } from 'zod';
import { GATE_ID_PATTERN, REPORT_FORMATS } from '../gate-file/gate-schema.ts';
import { COMMIT_PATTERN, ENDINGS, REPORT_STATUSES, type RunRecord } from './run-record.ts';

/** MUST refuse `undefined`, so that a member that is missing is refused. */
type Check = (value: unknown) => boolean;

const matching =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const textUpTo =
  (maxChars: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= maxChars;
const oneOf = (values: readonly unknown[]): Check => {
  const known = new Set(values);
  return (value) => known.has(value);
};
const nullOr =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
/** Exactly these members. */
function members(checks: Readonly<Record<string, Check>>): Check {
  const all = Object.entries(checks);
  return (value) => {
    if (typeof value !== 'object' || value === null || Object.keys(value).length !== all.length) return false;
    for (const [name, check] of all) if (!check((value as Record<string, unknown>)[name])) return false;
    return true;
  };
}

const isId = matching(GATE_ID_PATTERN);
const isDigest = matching(SHA256_HEX_PATTERN);
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isBoolean: Check = (value) => typeof value === 'boolean';
const isArgument = textUpTo(4_096);

const isSource = members({ commit: matching(COMMIT_PATTERN), tree: isDigest, dirtyFiles: isCount });
const stream = { bytes: isCount, digest: isDigest, at: isCount, kept: isCount };
const isStream = members(stream);

const isPlain = members({
  id: matching(UUID_V7_PATTERN),
  command: isId,
  commandDigest: isDigest,
  argv: (value) => Array.isArray(value) && value.length >= 1 && value.length <= 256 && value.every(isArgument),
  mutation: nullOr(members({ test: textUpTo(500), digest: isDigest })),
  before: isSource,
  after: isSource,
  startedAt: matching(z.regexes.datetime({ precision: 3 })),
  durationMs: (value) => Number.isFinite(value) && Number(value) >= 0,
  ending: oneOf(ENDINGS),
  exitCode: nullOr((value) => isCount(value) && Number(value) <= 255),
  signal: nullOr(textUpTo(20)),
  stdout: isStream,
  stderr: isStream,
  report: nullOr(members({ ...stream, format: oneOf(REPORT_FORMATS), status: oneOf(REPORT_STATUSES) })),
  tests: nullOr(members({ passed: isCount, failed: isCount, skipped: isCount, digest: isDigest })),
  cached: isBoolean,
  matches: (value) => value === null, // few have any
  sandbox: nullOr(members({ profile: textUpTo(64), profileHash: isDigest })),
} satisfies Record<keyof RunRecord, Check>);

/** Whether `value`, as it came out of JSON, is a run that the schema need not look at. */
export const isPlainRun = (value: unknown): value is RunRecord => isPlain(value);
