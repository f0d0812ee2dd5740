/** `holdfast audit …`: verification reads the log's bytes; tail and show ask the guard, which reads its own log. */
import { hostPaths } from '@holdfast/api';
import { verifyAuditLog } from '@holdfast/audit';
import { HoldfastError } from '@holdfast/core';
import { loadSigner } from '@holdfast/crypto';
import { connectGuard } from '@holdfast/guard';
import type { RootOption } from '../host-wiring.ts';
import { type CommandResult, formatTable } from '../output.ts';

const COLUMNS = ['seq', 'wallTime', 'actor', 'action', 'subject', 'outcome'] as const;

/** Columns hold text and numbers. */
const textOf = (value: unknown): string =>
  typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '';

export async function verify({ root }: RootOption): Promise<CommandResult> {
  const paths = hostPaths(root);
  const { publicKey } = loadSigner(paths.hostKey);
  const verdict = await verifyAuditLog(paths.auditLog, { publicKeys: [publicKey] });
  const problems = verdict.problems.map(
    ({ fault, segment, offset, afterSeq }) =>
      `FAIL  ${fault} in ${segment ?? 'the log'} at byte ${offset}, after record ${afterSeq}`,
  );
  const summary = `${verdict.records} records in ${verdict.segments} segment(s), head ${verdict.head.seq} ${verdict.head.hash}`;
  return {
    data: verdict,
    text: verdict.ok ? `verified: ${summary}` : [...problems, `NOT VERIFIED: ${summary}`].join('\n'),
    exitCode: verdict.ok ? 0 : 1,
  };
}

export async function tail(
  options: RootOption & { readonly limit: number },
  signal: AbortSignal,
): Promise<CommandResult> {
  using guard = connectGuard(hostPaths(options.root).socket, signal);
  const records = await guard.auditTail(options.limit);
  const rows = records.map((record) => COLUMNS.map((column) => textOf(record[column])));
  return {
    data: { records },
    text: formatTable(
      COLUMNS.map((column) => column.toUpperCase()),
      rows,
    ),
  };
}

export async function show(seq: number, { root }: RootOption, signal: AbortSignal): Promise<CommandResult> {
  using guard = connectGuard(hostPaths(root).socket, signal);
  const [record] = await guard.auditRead(seq, 1);
  if (record?.['seq'] !== seq) {
    throw new HoldfastError('the audit log has no such record', { code: 'ERR_INPUT_INVALID', fields: { seq } });
  }
  return { data: record, text: JSON.stringify(record, undefined, 2) };
}
