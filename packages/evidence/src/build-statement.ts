/**
 * From a predicate to a statement and back from verified bytes. The statement's one subject ties its
 * name and the digest of the post-state to the predicate; both are derived, never taken on trust.
 */
import { canonicalJson, HoldfastError, isHoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { z } from 'zod';
import {
  type EvidenceKind,
  type Predicate,
  PredicateSchema,
  predicateTypeOf,
  type Statement,
  STATEMENT_TYPE,
  StatementSchema,
} from './statement.ts';

/**
 * The statement about `predicate`.
 *
 * @throws `ERR_EVIDENCE_MALFORMED` when the predicate does not have its documented shape, or names both a
 * check and an operation; `ERR_NOT_CANONICAL` when a state in it has no canonical form
 */
export function buildStatement(kind: EvidenceKind, predicate: Predicate): Statement {
  const parsed = PredicateSchema.safeParse(predicate);
  if (!parsed.success) throw malformed('predicate', parsed.error);
  return {
    _type: STATEMENT_TYPE,
    subject: [subjectOf(kind, parsed.data)],
    predicateType: predicateTypeOf(kind),
    predicate: parsed.data,
  };
}

/**
 * Reads a statement from payload bytes that were verified before.
 *
 * @throws `ERR_EVIDENCE_MALFORMED` also when the payload is not in canonical form or its subject is not the predicate's
 */
export function parseStatement(payload: Uint8Array): Statement {
  const statement = parseShape(payload);
  const [subject] = statement.subject;
  const wanted = subjectOf(kindOf(statement), statement.predicate);
  if (subject?.name !== wanted.name) throw malformed('subject name');
  if (subject.digest.sha256 !== wanted.digest.sha256) throw malformed('subject digest');
  return statement;
}

/** The kind in the statement's predicate type. */
export function kindOf(statement: Statement): EvidenceKind {
  // predicateTypeOf puts the kind between the last two slashes; the schema allows nothing else.
  return statement.predicateType.split('/').at(-2) as EvidenceKind;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseShape(payload: Uint8Array): Statement {
  let text: string;
  let canonical: string;
  let value: unknown;
  try {
    text = utf8.decode(payload);
    value = JSON.parse(text);
    canonical = canonicalJson(value as Parameters<typeof canonicalJson>[0]); // JSON.parse gives JSON
  } catch (error) {
    throw malformed(isHoldfastError(error) ? 'no canonical form' : 'not JSON'); // parser messages quote the input
  }
  // P-06: one value, one text. Also refuses repeated members, of which parsers see different ones.
  if (canonical !== text) throw malformed('not canonical');
  const parsed = StatementSchema.safeParse(value);
  if (!parsed.success) throw malformed('statement', parsed.error);
  return parsed.data;
}

function subjectOf(kind: EvidenceKind, predicate: Predicate): Statement['subject'][number] {
  const { check, operation } = predicate;
  if (check !== null && operation !== null) throw malformed('both check and operation');
  const about = check ?? operation;
  // Only what was refused before it was understood may be about nothing more particular than its kind.
  if (about === null && kind !== 'order' && kind !== 'decision') throw malformed('neither check nor operation');
  return {
    name: `host/${predicate.hostId}/${about ?? kind}`,
    digest: { sha256: sha256Hex(canonicalJson(predicate.postState)) },
  };
}

function malformed(what: string, error?: z.ZodError): HoldfastError {
  const path = error?.issues[0]?.path.join('.') ?? '';
  return new HoldfastError(`evidence refused: ${what}${path === '' ? '' : ` at ${path}`}`, {
    code: 'ERR_EVIDENCE_MALFORMED',
    fields: { what, path },
  });
}
