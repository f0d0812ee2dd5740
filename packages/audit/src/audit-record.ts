/**
 * One audit record and its line (P-18).
 *
 * A line is `<hash> <body>\n`: 64 hex digits, a space, one JSON object, a newline. `hash` is the
 * SHA-256 of the bytes of `body`, and `body` holds every other field, the hash of the record before
 * it included, in one fixed order and with `detail` as canonical JSON (RFC 8785). The text itself
 * is what is hashed, so the encoding is injective: two records that differ in any field differ in
 * their text. `cut -c66- | jq` reads a segment, `sha256sum` checks a line.
 */
import { canonicalJson, HoldfastError, type Json, type JsonObject } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';

export const AUDIT_RECORD_VERSION = 1;
/** A line with its newline. Content belongs into evidence; the log holds what happened and digests. */
export const MAX_LINE_BYTES = 256 * 1024;
const MAX_FIELD_CHARS = 1_000;
const HASH_CHARS = 64;
const BODY_START = HASH_CHARS + 1;
const SPACE = 0x20;

/** What a caller says about one thing that happened, or is about to. */
export interface AuditEntry {
  /** Who: a principal's id, or `holdfast` for what the daemon does by itself. */
  readonly actor: string;
  /** What, such as `request`, `change.ended`, `evidence.sealed`. */
  readonly action: string;
  /** On what: an operation, a change id, a check. */
  readonly subject: string;
  readonly outcome: string;
  /** Never secrets: the log is read by auditors. */
  readonly detail: JsonObject;
}

export interface AuditRecord extends AuditEntry {
  readonly version: typeof AUDIT_RECORD_VERSION;
  /** From 1, without gaps. */
  readonly seq: number;
  /** Hash of the record before; 64 zeros before the first. */
  readonly prevHash: string;
  /** UTC with milliseconds; for display only (P-09). */
  readonly wallTime: string;
  readonly monotonicMs: number;
  readonly bootId: string;
  readonly hash: string;
}

/** Where a chain stands: the newest record of it. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** The head of a log without records. */
export const EMPTY_HEAD: ChainHead = { seq: 0, hash: '0'.repeat(HASH_CHARS) };

export interface RecordTime {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly bootId: string;
}

/**
 * Makes the line that continues the chain after `head`.
 *
 * @throws `ERR_AUDIT_RECORD_INVALID`, `ERR_NOT_CANONICAL`
 */
export function encodeRecord(entry: AuditEntry, head: ChainHead, time: RecordTime): { line: string; head: ChainHead } {
  const { actor, action, subject, outcome } = entry;
  if (![actor, action, subject, outcome].every(isField)) throw invalid('a field is empty or too long');
  const seq = head.seq + 1;
  // Field by field rather than from an object: the order is part of the format.
  const body =
    `${bodyStart(seq, head.hash)}"wallTime":"${wallTimeOf(time.wallMs)}",` +
    `"monotonicMs":${Math.floor(time.monotonicMs)},"bootId":${canonicalJson(time.bootId)},` +
    `"actor":${canonicalJson(actor)},"action":${canonicalJson(action)},"subject":${canonicalJson(subject)},` +
    `"outcome":${canonicalJson(outcome)},"detail":${canonicalJson(entry.detail)}}`;
  // A character is at most 3 bytes of UTF-8 a UTF-16 unit: short lines need no second look.
  if (body.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(body) + BODY_START + 1 > MAX_LINE_BYTES) {
    throw invalid('too large');
  }
  const hash = sha256Hex(body);
  return { line: `${hash} ${body}\n`, head: { seq, hash } };
}

/** The records of a group mostly share their millisecond, and printing it is a fifth of encoding one. */
let printed = { wallMs: 0, text: new Date(0).toISOString() };

function wallTimeOf(wallMs: number): string {
  if (printed.wallMs !== wallMs) printed = { wallMs, text: new Date(wallMs).toISOString() };
  return printed.text;
}

export type LineFault = 'not-a-record' | 'hash-mismatch' | 'unknown-version' | 'chain-broken';

/**
 * Checks the line in `start` … `end` of `bytes` (without its newline): its own hash, its version and
 * its place in the chain, all in one comparison of its first bytes with what they have to be.
 *
 * Does not look into the rest of the body: what a chain up to a signed head vouches for is its bytes,
 * and reading a record parses them.
 *
 * @returns the chain with this record; `undefined` when it does not continue the chain, for a reason
 * that `faultOf` tells
 */
export function checkLine(bytes: Buffer, start: number, end: number, after: ChainHead): ChainHead | undefined {
  if (end - start <= BODY_START) return undefined;
  const seq = after.seq + 1;
  const hash = sha256Hex(bytes.subarray(start + BODY_START, end));
  const expected = `${hash} ${bodyStart(seq, after.hash)}`;
  // Beyond a line that is shorter stands a newline, which `expected` has none of.
  return bytes.toString('latin1', start, start + expected.length) === expected ? { seq, hash } : undefined;
}

/** Why a line does not continue the chain after `after`. */
export function faultOf(line: Uint8Array, after: ChainHead): LineFault {
  if (selfHash(line) === undefined) return looksLikeRecord(line) ? 'hash-mismatch' : 'not-a-record';
  const start = bufferOf(line).toString('latin1', BODY_START, BODY_START + bodyStart(after.seq + 1, after.hash).length);
  return start.startsWith(VERSION_START) ? 'chain-broken' : 'unknown-version'; // P-18
}

/** The record in a line that was checked; `undefined` when its body has another shape. */
export function parseRecord(line: Uint8Array): AuditRecord | undefined {
  const text = bufferOf(line).toString('utf8');
  return parseBody(text.slice(BODY_START), text.slice(0, HASH_CHARS));
}

/** The hash of a line that agrees with its body, whatever the body is; `undefined` when it does not. */
export function selfHash(line: Uint8Array): string | undefined {
  if (!looksLikeRecord(line)) return undefined;
  const hash = sha256Hex(line.subarray(BODY_START));
  const claimed = bufferOf(line).toString('latin1', 0, HASH_CHARS);
  return hash === claimed ? hash : undefined;
}

function looksLikeRecord(line: Uint8Array): boolean {
  return line.length > BODY_START && line[HASH_CHARS] === SPACE;
}

const VERSION_START = `{"version":${AUDIT_RECORD_VERSION},`;

/** The same memory as a `Buffer`. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bodyStart(seq: number, prevHash: string): string {
  return `${VERSION_START}"seq":${seq},"prevHash":"${prevHash}",`;
}

const FIELDS = 'version,seq,prevHash,wallTime,monotonicMs,bootId,actor,action,subject,outcome,detail';

function parseBody(body: string, hash: string): AuditRecord | undefined {
  let value: Json;
  try {
    value = JSON.parse(body) as Json; // any JSON is `Json`; its shape is looked at next
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).join(',') !== FIELDS) return undefined;
  const record = Object.assign(value, { hash }) as unknown as AuditRecord; // the checks below make it one
  const texts = [record.wallTime, record.bootId, record.actor, record.action, record.subject, record.outcome];
  const isRecord =
    texts.every((text) => typeof text === 'string') &&
    Number.isSafeInteger(record.monotonicMs) &&
    typeof record.detail === 'object' &&
    record.detail !== null &&
    !Array.isArray(record.detail);
  return isRecord ? record : undefined;
}

function isField(text: string): boolean {
  return text.length > 0 && text.length <= MAX_FIELD_CHARS && text.isWellFormed();
}

function invalid(what: string): HoldfastError {
  return new HoldfastError(`audit record refused: ${what}`, { code: 'ERR_AUDIT_RECORD_INVALID', fields: { what } });
}
