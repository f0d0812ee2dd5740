/** `holdfast gate export|verify|pins`: for people who have nothing but a file, and the keys they pinned. */
import { readFileSync, writeFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { type BundleReport, exitCodeOf, exportBundle, parsePins, pinsOf, verifyBundle } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { momentOf } from './assess-now.ts';
import { type GateOptions, openGate, readGateFile, validGate } from './opened-gate.ts';
import { reasonLines } from './status.ts';

export async function exportTo(file: string, options: GateOptions, signal: AbortSignal): Promise<CommandResult> {
  const { log } = await openGate(options, signal);
  const bytes = await exportBundle(log);
  writeNew(file, bytes);
  const data = { written: file, bytes: bytes.length, sha256: sha256Hex(bytes), records: log.head.size };
  const text = `${file}: ${log.head.size} records with their outputs, ${bytes.length} bytes\nNext: anybody with your pins verifies it with \`holdfast gate verify ${file} --keys pins.json\`.`;
  return { data, text };
}

interface VerifyOptions {
  readonly keys?: string | undefined;
  readonly at?: string | undefined;
}

export async function verify(file: string, options: VerifyOptions): Promise<CommandResult> {
  const nowMs = momentOf(options);
  const pins = options.keys === undefined ? null : parsePins(read(options.keys).toString('utf8'));
  const report = await verifyBundle(read(file), pins, nowMs);
  return { data: report, text: told(file, report, options.at), exitCode: exitCodeOf(report.result) };
}

function told(
  file: string,
  { result, failures, head, signers, verdict, assessment }: BundleReport,
  at?: string,
): string {
  const pinned = signers.filter((signer) => signer.pinned).length;
  return [
    `${result}  ${file}${at === undefined ? '' : `, judged as of ${at}, not as of now`}`,
    ...reasonLines(failures.map(({ rule, reason }) => ({ rule, text: reason }))),
    ...reasonLines(assessment?.standingReasons ?? []),
    ...(verdict === null
      ? []
      : [
          `  verdict ${verdict.recorded.verdict}, by ${verdict.recorded.author} on ${verdict.recorded.at}, commit ${verdict.recorded.source.commit}`,
          `  digest as recorded ${verdict.digest}`,
          `  digest as derived  ${verdict.derivedDigest ?? 'none'}`,
        ]),
    ...(head === null ? [] : [`  log of ${head.size} records, head ${head.root}`]),
    ...signers.map(
      (signer) =>
        `  ${signer.pinned ? 'pinned' : 'NOT PINNED'}  ${signer.person} ${signer.keyId}, ${signer.records} records`,
    ),
    ...(signers.length > 0 && pinned === 0
      ? ['Nothing is pinned: get pins from whom you trust (`holdfast gate pins`), and name them with --keys.']
      : []),
  ].join('\n');
}

export function pins(file: string | undefined, options: GateOptions): CommandResult {
  const data = pinsOf(validGate(readGateFile(options)));
  const json = `${JSON.stringify(data, undefined, 2)}\n`;
  if (file === undefined) return { data, text: json };
  writeNew(file, Buffer.from(json));
  return { data, text: `${file}: keep it where nobody of the gate can change it` };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('a file cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
  }
}

function writeNew(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes, { flag: 'wx' });
  } catch (cause) {
    throw new HoldfastError('a file is never overwritten: name a new one', {
      code: 'ERR_INPUT_INVALID',
      fields: { file },
      cause,
    });
  }
}
