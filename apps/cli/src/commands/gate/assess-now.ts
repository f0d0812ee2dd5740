/** What the records come to for the tree as it is, at one moment: the same function everywhere. */
import { hasCode, HoldfastError, isHoldfastError } from '@holdfast/core';
import { assess, type Assessment, exitCodeOf } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
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

/** records that do not verify are no fault of the tool and no input to correct, but a verdict: NO_GO. */
export async function judged(judge: () => Promise<CommandResult>): Promise<CommandResult> {
  try {
    return await judge();
  } catch (error) {
    const isBroken = hasCode(error, 'ERR_GATE_LOG_INVALID') || hasCode(error, 'ERR_GATE_OBJECT_MISSING');
    if (!isBroken || !isHoldfastError(error)) throw error;
    const { rule = 'R-10', reason = '' } = error.fields;
    const reasons = [{ rule, text: `${error.message}: ${String(reason)}`, code: error.code }];
    const text = [
      'NO_GO  the records do not verify, and nothing is judged from them',
      ...reasons.map(({ text: told }) => `  ${String(rule)}  ${told}`),
      'Next: restore the records from version control or from a bundle.',
    ].join('\n');
    return { data: { verdict: 'NO_GO', standing: 'NO_GO', reasons }, text, exitCode: exitCodeOf('NO_GO') };
  }
}
