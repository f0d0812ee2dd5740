/**
 * From a record to the bytes of its leaf: an in-toto Statement v1 as canonical JSON, in a DSSE envelope
 * with exactly one signature, by the person it names as author. From here on nothing
 * re-serialises them.
 */
import { canonicalJson, HoldfastError } from '@holdfast/core';
import { encodeEnvelope, sha256Hex, signEnvelope, type Signer } from '@holdfast/crypto';
import { PAYLOAD_TYPE, STATEMENT_TYPE } from '@holdfast/evidence';
import type { NewRecord } from '../log/gate-log.ts';
import type { Source } from './run-record.ts';
import { gatePredicateType, PREDICATES, type PredicateOf, type RecordKind } from './statements.ts';

/** in-toto ResourceDescriptor, as far as it is used here; a type alias, so that it is JSON. */
export type Subject = { readonly name: string; readonly digest: Readonly<Record<string, string>> };

/**
 * Signs `record`. Whether the signer may say it is decided where it is appended.
 *
 * @throws `ERR_GATE_RULE` when the predicate does not have its documented shape
 */
export function sealRecord({ kind, predicate }: NewRecord, signer: Signer): Uint8Array {
  const parsed = PREDICATES[kind].safeParse(predicate);
  if (!parsed.success) {
    const reason = `${kind} is not complete: ${parsed.error.issues[0]?.path.join('.') ?? ''}`;
    throw new HoldfastError(reason, { code: 'ERR_GATE_RULE', fields: { rule: 'R-14', reason } });
  }
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [subjectOf(parsed.data)],
    predicateType: gatePredicateType(kind),
    predicate: parsed.data,
  };
  const payload = Buffer.from(canonicalJson(statement));
  return encodeEnvelope(signEnvelope(PAYLOAD_TYPE, payload, [signer]));
}

/** What a record is about: the source that it names; without one, the gate, under the digest of what is said about it. */
export function subjectOf(predicate: PredicateOf<RecordKind>): Subject {
  const name = `gate/${predicate.gate}`;
  const source = sourceOf(predicate);
  return source === null
    ? { name, digest: { sha256: sha256Hex(canonicalJson(predicate)) } }
    : { name: `${name}/source`, digest: { gitCommit: source.commit, sha256: source.tree } };
}

function sourceOf(predicate: PredicateOf<RecordKind>): Source | null {
  if ('source' in predicate) return predicate.source;
  return 'runs' in predicate ? (predicate.runs[0]?.before ?? null) : null;
}
