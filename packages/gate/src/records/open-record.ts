/**
 * From the bytes of a leaf back to a record: the signature first, then the form, then the closed set of
 * predicates. Who may sign what and when is `log/log-reader.ts`.
 *
 * Follows https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md, narrowed to one signature.
 */
import { canonicalJson, HoldfastError, isHoldfastError } from '@holdfast/core';
import {
  decodeBase64,
  decodeEnvelope,
  leafHash,
  MAX_ENVELOPE_BYTES,
  preAuthEncoding,
  SIGNATURE_BYTES,
  verifyEd25519InPool,
} from '@holdfast/crypto';
import { PAYLOAD_TYPE, STATEMENT_TYPE } from '@holdfast/evidence';
import { z } from 'zod';
import type { NewRecord } from '../log/gate-log.ts';
import type { KeyRing } from './keys.ts';
import { isPlainRun } from './plain-run.ts';
import type { RunRecord } from './run-record.ts';
import { subjectOf } from './seal-record.ts';
import { CommandRunSchema, gatePredicateType, type GateRecord, PREDICATES, type RecordKind } from './statements.ts';

/** The envelope before anything about it is believed. */
export interface SealedRecord {
  readonly payload: Uint8Array;
  readonly keyId: string;
  readonly signature: Uint8Array;
  /** RFC 6962 leaf hash of the envelope's bytes. */
  readonly leaf: Uint8Array;
}

const StatementShape = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.unknown()).length(1),
  predicateType: z.string(),
  predicate: z.unknown(),
});

// Object.keys of a literal with exactly these keys.
const KINDS = new Map((Object.keys(PREDICATES) as RecordKind[]).map((kind) => [gatePredicateType(kind), kind]));

/**
 * Verifies a record under the keys of `ring`, and that its author is whose key it is.
 *
 * @throws `ERR_GATE_LOG_INVALID` with the fields `record` (its index), `rule` and `reason`
 */
export async function openRecord(bytes: Uint8Array, index: number, ring: KeyRing): Promise<GateRecord> {
  const sealed = decodeSealed(bytes, index);
  await verifySealed(sealed, index, ring);
  const record = parseRecord(sealed, index);
  requireAuthor(record, ring);
  return record;
}

/** What canonical JSON has around payload, key id and signature of an envelope that `sealRecord` made. */
const HEAD = '{"payload":"';
const BEFORE_KEY = `","payloadType":"${PAYLOAD_TYPE}","signatures":[{"keyid":"`;
const BEFORE_SIGNATURE = '","sig":"';
const END = '"}]}';
const KEY_ID_PATTERN = /^SHA256:[A-Za-z0-9_-]{43}$/;
const KEY_ID_CHARS = 50;
const SIGNATURE_CHARS = 88;

/** Takes the envelope apart; believes nothing. */
export function decodeSealed(bytes: Uint8Array, index: number): SealedRecord {
  return decodeOwn(bytes) ?? decodeAny(bytes, index);
}

/** By the places of its parts, when it has them where we write them. @returns `undefined` for any other envelope */
function decodeOwn(bytes: Uint8Array): SealedRecord | undefined {
  if (bytes.length > MAX_ENVELOPE_BYTES) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const signatureAt = text.length - END.length - SIGNATURE_CHARS;
  const keyAt = signatureAt - BEFORE_SIGNATURE.length - KEY_ID_CHARS;
  const payloadEnd = keyAt - BEFORE_KEY.length;
  const keyId = text.slice(keyAt, keyAt + KEY_ID_CHARS);
  const isOurs =
    text.startsWith(HEAD) &&
    text.startsWith(BEFORE_KEY, payloadEnd) &&
    KEY_ID_PATTERN.test(keyId) &&
    text.startsWith(BEFORE_SIGNATURE, keyAt + KEY_ID_CHARS) &&
    text.endsWith(END);
  if (!isOurs || payloadEnd < HEAD.length) return undefined;
  const payload = decodeBase64(text.slice(HEAD.length, payloadEnd));
  const signature = decodeBase64(text.slice(signatureAt, -END.length));
  if (payload === undefined || signature?.length !== SIGNATURE_BYTES) return undefined;
  return { payload, keyId, signature, leaf: leafHash(bytes) };
}

function decodeAny(bytes: Uint8Array, index: number): SealedRecord {
  let envelope: ReturnType<typeof decodeEnvelope>;
  try {
    envelope = decodeEnvelope(bytes);
  } catch (cause) {
    if (!isHoldfastError(cause)) throw cause;
    throw invalidRecord(index, 'R-10', 'its envelope is malformed', cause);
  }
  const [only, ...others] = envelope.signatures;
  // one record, one signer.
  if (only === undefined || others.length > 0) throw invalidRecord(index, 'R-34', 'it has more than one signature');
  if (envelope.payloadType !== PAYLOAD_TYPE) throw invalidRecord(index, 'R-10', 'it is no in-toto statement');
  const payload = decodeBase64(envelope.payload);
  const signature = decodeBase64(only.sig);
  // decodeEnvelope has checked both.
  if (payload === undefined || signature === undefined) throw new TypeError('not the base64 that was decoded before');
  return { payload, keyId: only.keyid, signature, leaf: leafHash(bytes) };
}

/** @throws `ERR_GATE_LOG_INVALID` unless the key is in `ring` and made the signature */
export async function verifySealed(sealed: SealedRecord, index: number, ring: KeyRing): Promise<void> {
  const key = ring.get(sealed.keyId);
  if (key === undefined) throw invalidRecord(index, 'R-13', 'it is signed by a key that does not count');
  const signed = preAuthEncoding(PAYLOAD_TYPE, sealed.payload);
  if (!(await verifyEd25519InPool(key.publicKey, signed, sealed.signature))) {
    throw invalidRecord(index, 'R-10', 'its signature does not verify');
  }
}

/** What a payload says whose signature was verified. */
export function parseRecord({ payload, keyId, leaf }: SealedRecord, index: number): GateRecord {
  const statement = StatementShape.safeParse(parseCanonical(payload, index));
  if (!statement.success) throw invalidRecord(index, 'R-10', 'it is no in-toto statement');
  const kind = KINDS.get(statement.data.predicateType);
  if (kind === undefined) throw invalidRecord(index, 'R-10', 'its predicate type is not known');
  const parsed = parsePredicate(kind, statement.data.predicate);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? '';
    throw invalidRecord(
      index,
      'R-10',
      `its ${kind} does not have the documented shape, first at ${path.slice(0, 200)}`,
    );
  }
  const predicate = parsed.data;
  const [subject] = statement.data.subject;
  if (canonicalJson(subject as Parameters<typeof canonicalJson>[0]) !== canonicalJson(subjectOf(predicate))) {
    throw invalidRecord(index, 'R-10', 'its subject is not what it is about');
  }
  const record: NewRecord & Omit<GateRecord, 'kind' | 'predicate'> = {
    kind,
    predicate,
    index,
    leaf: Buffer.from(leaf).toString('hex'),
    keyId,
  };
  return record as GateRecord; // the schema of `kind` made `predicate`, which the compiler cannot follow through the table
}

/** As in the table of predicates, for sessions whose runs need no second look; others and wrong ones are for the table. */
const PlainSessionSchema = CommandRunSchema.extend({ runs: z.array(z.custom<RunRecord>(isPlainRun)).max(1_000) });

function parsePredicate(kind: RecordKind, value: unknown) {
  if (kind === 'command-run') {
    const plain = PlainSessionSchema.safeParse(value);
    if (plain.success) return plain;
  }
  return PREDICATES[kind].safeParse(value);
}

/** the author is the person whose key signed. */
export function requireAuthor({ predicate, keyId, index }: GateRecord, ring: KeyRing): void {
  if (ring.get(keyId)?.person !== predicate.author) {
    throw invalidRecord(index, 'R-13', 'its author is not the person whose key signed it');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Refuses repeated members, of which parsers see different ones, and everything else that has two
 * spellings. What prints as it came needs no second look at the order of its members: nothing depends on it.
 */
function parseCanonical(payload: Uint8Array, index: number): unknown {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(payload);
    value = JSON.parse(text);
  } catch {
    throw invalidRecord(index, 'R-10', 'its payload is not JSON'); // parser messages quote the input
  }
  if (JSON.stringify(value) === text && !text.includes('\\ud')) return value;
  // Members named like numbers print in another order; lone surrogates have no canonical form.
  try {
    if (canonicalJson(value as Parameters<typeof canonicalJson>[0]) === text) return value;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
  throw invalidRecord(index, 'R-10', 'its payload is not in canonical form');
}

/** @param rule the row of the requirement that it breaks */
export function invalidRecord(index: number, rule: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`record ${index} of the gate does not verify: ${reason}`, {
    code: 'ERR_GATE_LOG_INVALID',
    fields: { record: index, rule, reason },
    cause,
  });
}
