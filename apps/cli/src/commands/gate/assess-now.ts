/** What the records come to for the tree as it is, at one moment: the same function everywhere. */
import { HoldfastError } from '@holdfast/core';
import { assess, type Assessment } from '@holdfast/gate';
import type { OpenedGate } from './opened-gate.ts';

export function assessNow({ log, file, source }: OpenedGate, nowMs: number): Assessment {
  return assess({ records: log.records, current: { digest: file.parsed.digest }, candidate: source, nowMs });
}

/** `--at`, or now. @throws `ERR_CLI_USAGE` */
export function momentOf({ at }: { readonly at?: string | undefined }): number {
  const moment = at === undefined ? Date.now() : Date.parse(at);
  if (Number.isFinite(moment)) return moment;
  throw new HoldfastError('--at takes an ISO 8601 time, such as 2026-11-21T12:00:00Z', { code: 'ERR_CLI_USAGE' });
}
