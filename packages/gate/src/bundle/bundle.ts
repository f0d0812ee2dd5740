/**
 * A gate's records in one file that a stranger can keep and verify offline: an uncompressed
 * tar of the log, its signed head and the objects that records name. It is derived from the records
 * alone: the same log gives the same bytes. What it is worth is `verify-bundle.ts`.
 */
import { canonicalJson, HoldfastError } from '@holdfast/core';
import { publicKeyPem } from '@holdfast/crypto';
import { parseGate } from '../gate-file/parse-gate.ts';
import { GATE_ID_PATTERN } from '../gate-file/gate-schema.ts';
import type { GateLog } from '../log/gate-log.ts';
import { MemoryGateLog } from '../log/memory-gate-log.ts';
import { keysOf } from '../records/keys.ts';
import type { GateRecord } from '../records/statements.ts';
import { BUNDLE_README } from './bundle-readme.ts';
import { decodeTar, encodeTar, type TarEntry } from './tar.ts';

/** The bytes are in memory while they are verified. */
export const MAX_BUNDLE_BYTES = 2 ** 31 - 1;
/** A session has one object; ten times the sessions of 1,000 packets. */
const MAX_ENTRIES = 50_000;
const OBJECTS = 'objects/';

/**
 * The bundle of `log`.
 *
 * @throws `ERR_GATE_BUNDLE` when nothing was recorded; `ERR_GATE_OBJECT_MISSING`; `ERR_GATE_LOG_INVALID`
 */
export async function exportBundle(log: GateLog): Promise<Uint8Array> {
  if (log.head.size === 0) throw unreadable('the gate has no records yet');
  const { log: lines, checkpoint } = await log.bytes();
  return encodeTar(layOut(lines, checkpoint, log.records, await objectsOf(log)));
}

/**
 * Reads a bundle from untrusted bytes: its form, every signature and every digest, under the keys that
 * the bundle itself brings along. Whose keys those are is for whoever pins them.
 *
 * @throws `ERR_GATE_BUNDLE` for anything `exportBundle` would not have written; `ERR_GATE_LOG_INVALID`;
 * `ERR_GATE_OBJECT_MISSING`
 */
export async function openBundle(bytes: Uint8Array): Promise<MemoryGateLog> {
  if (bytes.length > MAX_BUNDLE_BYTES) throw unreadable('it is too large');
  const entries = decodeTar(bytes, MAX_ENTRIES);
  if (entries === undefined) throw unreadable('it is damaged, or no bundle');
  const files = new Map(entries.map(({ name, bytes: content }) => [name, content]));
  // Bytes that are no UTF-8 would not come out again as they are, which is compared below.
  const checkpoint = Buffer.from(files.get('checkpoint') ?? []).toString('utf8');
  const lines = files.get('log.jsonl');
  if (checkpoint === '' || lines === undefined) throw unreadable('it has no log');
  const objects = entries.filter(({ name }) => name.startsWith(OBJECTS)).map((entry) => entry.bytes);
  const log = await MemoryGateLog.read(gateIdIn(checkpoint), { log: lines, checkpoint }, objects);
  // What else there is follows from the records: nothing unlisted, nothing twice, nothing in another place.
  const expected = layOut(lines, checkpoint, log.records, await objectsOf(log));
  const different = expected.find(({ name, bytes: content }, at) => {
    const entry = entries[at];
    return entry?.name !== name || Buffer.compare(entry.bytes, content) !== 0;
  });
  if (different !== undefined) throw unreadable(`${different.name} is not what follows from the records`);
  if (entries.length !== expected.length) throw unreadable('it has files that no record names');
  return log;
}

/** The name comes out of the head before that is verified; every record and the head are then held against it. */
function gateIdIn(checkpoint: string): string {
  const id = /^holdfast-gate\/([^\n]*)\n/.exec(checkpoint)?.[1] ?? '';
  if (!GATE_ID_PATTERN.test(id)) throw unreadable('its head names no gate');
  return id;
}

const text = (name: string, content: string): TarEntry => ({ name, bytes: Buffer.from(content) });

/** Every file, sorted by name. */
function layOut(
  lines: Uint8Array,
  checkpoint: string,
  records: readonly GateRecord[],
  objects: readonly TarEntry[],
): TarEntry[] {
  return [
    text('README.txt', BUNDLE_README),
    text('checkpoint', checkpoint),
    text('keys.json', `${canonicalJson(keysIn(records))}\n`),
    { name: 'log.jsonl', bytes: lines },
    ...objects,
  ];
}

/** For information: whose keys count under the newest freeze, as PEM. They prove nothing about themselves. */
function keysIn(records: readonly GateRecord[]): { person: string; publicKey: string }[] {
  const freeze = records.findLast((record) => record.kind === 'freeze');
  const gate = freeze === undefined ? null : parseGate(freeze.predicate.gateFile.text).gate;
  return gate === null
    ? []
    : keysOf(gate).map(({ person, publicKey }) => ({ person, publicKey: publicKeyPem(publicKey) }));
}

/** The objects that records cannot do without, each once, sorted: outputs of sessions, and proofs of findings. */
async function objectsOf(log: GateLog): Promise<TarEntry[]> {
  const digests = new Set(log.records.flatMap(digestsIn));
  const entries: TarEntry[] = [];
  for (const digest of [...digests].toSorted()) {
    const name = `${OBJECTS}${digest.slice(0, 2)}/${digest.slice(2)}`;
    entries.push({ name, bytes: await log.getObject(digest) });
  }
  return entries;
}

function digestsIn({ kind, predicate }: GateRecord): string[] {
  if (kind === 'command-run') return [predicate.pack.digest];
  if (kind === 'finding') return predicate.evidence.flatMap(({ digest }) => (digest === null ? [] : [digest]));
  return [];
}

function unreadable(reason: string): HoldfastError {
  return new HoldfastError(`the bundle cannot be used: ${reason}`, { code: 'ERR_GATE_BUNDLE', fields: { reason } });
}
