/**
 * The append-only log of one gate: DSSE envelopes as leaves of an RFC 6962 Merkle tree, and beside
 * them the objects (outputs, reports) that records name by digest. Everything a gate knows is
 * derived from it; nothing in it is ever changed.
 */
import type { Signer } from '@holdfast/crypto';
import type { GateRecord, PredicateOf, RecordKind } from '../records/statements.ts';

/** The head of the log, as a C2SP checkpoint signed by whoever appended last. */
export interface LogHead {
  readonly size: number;
  /** Hex root hash. */
  readonly root: string;
}

/** A record before it is signed. */
export interface NewRecord<K extends RecordKind = RecordKind> {
  readonly kind: K;
  readonly predicate: PredicateOf<K>;
}

/** Whose keys count: person by key id, at any revision of the gate. */
export interface KnownKey {
  readonly person: string;
  /** Raw 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The log as files have it, as of its head. */
export interface LogBytes {
  /** One envelope a line. */
  readonly log: Uint8Array;
  /** The signed head; empty for an empty log. */
  readonly checkpoint: string;
}

/** Every implementation passes `describeGateLog` from `@holdfast/gate/conformance`. */
export interface GateLog {
  readonly head: LogHead;
  /**
   * All records in order, each verified: signature by a key of the author it names, schema, leaf in the
   * tree of the signed head. Also those appended since the log was opened.
   */
  readonly records: readonly GateRecord[];
  /**
   * Signs, appends and makes durable, all of `batch` or nothing. One writer at a time across processes:
   * waits for the lock, and refuses when the log grew under the caller (`ERR_GATE_LOG_MOVED`), whose
   * decision may no longer hold; `records` then has what is new. Any other failure leaves this log, on
   * disk and here, as it was.
   *
   * @throws `ERR_GATE_KEY` when the signer is not the author; `ERR_GATE_RULE` when a record would not count
   * for another reason; `ERR_GATE_LOG_MOVED`; `ERR_GATE_LOG_WRITE`
   */
  append(batch: readonly NewRecord[], signer: Signer): Promise<readonly GateRecord[]>;
  /** What was verified, byte for byte. */
  bytes(): Promise<LogBytes>;
  /** Keeps `bytes` under their SHA-256, durably, before any record names them. Returns the hex digest. */
  putObject(bytes: Uint8Array): Promise<string>;
  /** Bytes that MUST NOT be changed. @throws `ERR_GATE_OBJECT_MISSING`; `ERR_GATE_LOG_INVALID` when the bytes are not those of the digest */
  getObject(digest: string): Promise<Uint8Array>;
}
