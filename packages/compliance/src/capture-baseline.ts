/**
 * Writes the baseline of a host as it is now (C-04), to be read by a person and signed. What it
 * captures it calls good: use it on a host that is.
 */
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { HostReader } from '@holdfast/host';
import { stringify } from 'yaml';
import { parseBaseline, type RemediationPolicy, requireBaseline } from './baseline.ts';
import { nameOf } from './checks/ports.ts';

/** Of 64 KiB: longer files are better kept as stored copies. */
const DEFAULT_MAX_INLINE_BYTES = 16 * 1024;
/** As large as what `files.restore` puts back. */
const MAX_BLOB_BYTES = 4 * 1024 * 1024;
const OTHERS_MAY_READ = 0o004;

/** What to look at. A section is written when its option is there; an empty list gives an empty section. */
export interface CaptureOptions {
  readonly name: string;
  readonly hostId?: string;
  readonly nowMs: number;
  /** For every section; `ask` when left out (C-26). */
  readonly remediation?: RemediationPolicy;
  readonly firewall?: boolean;
  readonly units?: readonly string[];
  readonly loggingUnits?: readonly string[];
  readonly canaryWithinMs?: number;
  readonly files?: readonly string[];
  readonly maxInlineBytes?: number;
  /** Files whose content is written down although not everybody may read them. */
  readonly inlineAnyway?: readonly string[];
  /** Keeps the content of files that are not written down, under its digest; without it they cannot be restored. */
  readonly saveBlob?: (sha256: string, bytes: Uint8Array) => Promise<void>;
  readonly ports?: boolean;
  readonly accounts?: boolean;
  readonly timeSources?: readonly string[];
  readonly certificateFiles?: readonly string[];
  readonly certificatePorts?: readonly { readonly address: string; readonly port: number }[];
}

/**
 * @returns YAML that `parseBaseline` accepts
 * @throws `ERR_HOST_*` when something cannot be read: half a baseline would be worse than none
 * @throws `ERR_BASELINE_INVALID` when the host has what a baseline cannot say, such as a missing file
 */
export async function captureBaseline(
  reader: HostReader,
  options: CaptureOptions,
  signal: AbortSignal,
): Promise<string> {
  const remediation = options.remediation ?? 'ask';
  const section = <T extends object>(expectation: T) => ({ remediation, ...expectation });
  const { units, loggingUnits, canaryWithinMs, timeSources, certificateFiles, certificatePorts } = options;
  const checks = {
    ...(options.firewall === true ? { firewall: section({ ruleset: await reader.packetFilter.read(signal) }) } : {}),
    ...(units === undefined ? {} : { services: section(await captureServices(reader, units, signal)) }),
    ...(loggingUnits === undefined
      ? {}
      : { logging: section({ units: loggingUnits, ...(canaryWithinMs === undefined ? {} : { canaryWithinMs }) }) }),
    ...(options.files === undefined
      ? {}
      : { files: section({ entries: await captureFiles(reader, options.files, options, signal) }) }),
    ...(options.ports === true ? { ports: section({ listening: await capturePorts(reader, signal) }) } : {}),
    ...(options.accounts === true ? { accounts: section(await captureAccounts(reader, signal)) } : {}),
    ...(timeSources === undefined ? {} : { time_sync: section({ sources: timeSources }) }),
    ...(certificateFiles === undefined && certificatePorts === undefined
      ? {}
      : { certificates: section({ files: certificateFiles ?? [], ports: certificatePorts ?? [] }) }),
  };
  const yaml = stringify(
    {
      version: 1,
      name: options.name,
      ...(options.hostId === undefined ? {} : { hostId: options.hostId }),
      created: new Date(options.nowMs).toISOString(),
      checks,
    },
    { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2' },
  );
  requireBaseline(parseBaseline(yaml));
  return yaml;
}

async function captureServices(reader: HostReader, units: readonly string[], signal: AbortSignal) {
  const failed = (await reader.services.listFailed(signal)).filter((unit) => !units.includes(unit)).toSorted();
  return { units, ...(failed.length === 0 ? {} : { tolerateFailed: failed }) };
}

async function captureFiles(
  reader: HostReader,
  paths: readonly string[],
  { maxInlineBytes = DEFAULT_MAX_INLINE_BYTES, inlineAnyway = [], saveBlob }: CaptureOptions,
  signal: AbortSignal,
) {
  const entries = [];
  for (const path of [...new Set(paths)].toSorted()) {
    const state = await reader.files.stat(path, signal);
    if (state.kind !== 'file' || state.sha256 === null) {
      entries.push({ path }); // refused by the schema, by this path
      continue;
    }
    const entry = { path, sha256: state.sha256, mode: state.mode, uid: state.uid, gid: state.gid };
    // What not everybody may read does not belong into a document that is passed around.
    const everybodys = (Number.parseInt(state.mode, 8) & OTHERS_MAY_READ) !== 0 || inlineAnyway.includes(path);
    if (state.sizeBytes <= maxInlineBytes && everybodys) {
      const bytes = await reader.files.read(path, maxInlineBytes, signal);
      entries.push({ ...entry, sha256: sha256Hex(bytes), ...contentOf(bytes) });
    } else if (saveBlob !== undefined && state.sizeBytes <= MAX_BLOB_BYTES) {
      const bytes = await reader.files.read(path, MAX_BLOB_BYTES, signal);
      const sha256 = sha256Hex(bytes);
      await saveBlob(sha256, bytes);
      entries.push({ ...entry, sha256, blob: true });
    } else {
      entries.push(entry);
    }
  }
  return entries;
}

/** As text when it survives being text, or else as base64. */
function contentOf(bytes: Uint8Array): { text: string } | { base64: string } {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const plain = !/[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufefe]/.test(text);
  const same = Buffer.from(text).equals(bytes);
  return plain && same ? { text } : { base64: Buffer.from(bytes).toString('base64') };
}

async function capturePorts(reader: HostReader, signal: AbortSignal) {
  const byName = new Map((await reader.sockets.list(signal)).map((socket) => [nameOf(socket), socket]));
  return [...byName.keys()].toSorted().flatMap((name) => {
    const socket = byName.get(name);
    return socket === undefined ? [] : [{ protocol: socket.protocol, address: socket.address, port: socket.port }];
  });
}

async function captureAccounts(reader: HostReader, signal: AbortSignal) {
  const list = (await reader.accounts.list(signal)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const keys = list.map(({ name, authorizedKeys }) => {
    if (authorizedKeys !== null) return [name, authorizedKeys] as const;
    throw new HoldfastError('the authorised keys of an account cannot be read', {
      code: 'ERR_HOST_ACCOUNTS_UNREADABLE',
      fields: { name },
    });
  });
  return {
    uid0: list.filter(({ uid }) => uid === 0).map(({ name }) => name),
    accounts: list.filter(({ uid }) => uid !== 0).map(({ name }) => name),
    authorizedKeys: Object.fromEntries(keys.filter(([, fingerprints]) => fingerprints.length > 0)),
  };
}
