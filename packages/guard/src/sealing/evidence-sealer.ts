/**
 * Makes evidence: adds who and where, redacts, signs, and brings it to the store and the audit log so
 * that a crash at any point loses nothing that was acknowledged (P-05, P-19, P-26, P-28).
 *
 * Order: staged in the store, then `evidence.sealed` in the audit log, then published. After a restart
 * what is staged is audited unless it was, and published.
 */
import type { AuditLog } from '@holdfast/audit';
import type { Trust } from '@holdfast/api';
import { type BundleId, HoldfastError, type JsonObject } from '@holdfast/core';
import { decodeBase64, decodeEnvelope, type Signer } from '@holdfast/crypto';
import {
  buildStatement,
  type EvidenceStore,
  kindOf,
  parseStatement,
  type Predicate,
  redactPredicate,
  type RedactionRules,
  type SealedEvidence,
  sealEvidence,
} from '@holdfast/evidence';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Draft } from './predicates.ts';

export const SEALED_ACTION = 'evidence.sealed';
/** The actor of what the guard does of itself. */
export const GUARD_ACTOR = 'holdfast';

export interface SealerDeps {
  readonly audit: AuditLog;
  readonly store: EvidenceStore;
  readonly index: EvidenceIndex;
  readonly signer: Signer;
  readonly trust: Trust;
  readonly simulated: boolean;
  readonly redactionRules?: RedactionRules | undefined;
}

export interface Sealed {
  readonly bundleId: BundleId;
  readonly digest: string;
  readonly seq: number;
}

export class EvidenceSealer {
  readonly #deps: SealerDeps;
  readonly #running = new Map<BundleId, { requestDigest: string; result: Promise<Sealed> }>();

  constructor(deps: SealerDeps) {
    this.#deps = deps;
  }

  /**
   * Seals a draft under its bundle id, once: asking again with the same request gives the same answer.
   * When it resolves, evidence and record are durable.
   *
   * @param requestDigest names what is asked for
   * @throws `ERR_BUNDLE_CONFLICT` when something else was sealed under the id
   */
  async seal(draft: Draft, requestDigest: string): Promise<Sealed> {
    const bundleId = draft.predicate.bundleId as BundleId; // its schema has the id's own pattern
    const known = this.#deps.index.find(bundleId);
    if (known !== undefined) return same(known, known.requestDigest, requestDigest);
    const running = this.#running.get(bundleId);
    if (running !== undefined) return same(await running.result, running.requestDigest, requestDigest);
    const result = this.#make(draft, bundleId, requestDigest);
    this.#running.set(bundleId, { requestDigest, result });
    try {
      return await result;
    } finally {
      this.#running.delete(bundleId);
    }
  }

  /** Brings index and store to where the audit log says they are, and what is staged to its end. Call before `seal`. */
  async recover(): Promise<void> {
    const { audit, index, store } = this.#deps;
    await this.#readAuditFrom(index.lastSeq() + 1);
    for (const sealed of (await store.listPending()).pending) {
      if (index.find(sealed.bundleId) === undefined) await this.#record(sealed, index.requestDigestOf(sealed.bundleId));
    }
    for (const bundleId of index.listUnpublished()) {
      try {
        index.recordPublished(bundleId, await store.publish(bundleId));
      } catch (error) {
        // The log knows of evidence that the disk does not have: that is said, and the guard goes on.
        const code = error instanceof HoldfastError ? error.code : 'ERR_GUARD_INTERNAL';
        await audit.append({
          actor: GUARD_ACTOR,
          action: 'evidence.lost',
          subject: bundleId,
          outcome: 'failed',
          detail: { code },
        });
      }
    }
  }

  async #make(draft: Draft, bundleId: BundleId, requestDigest: string): Promise<Sealed> {
    const { index, store, signer } = this.#deps;
    const sealed = sealEvidence(buildStatement(draft.kind, this.#fill(draft)), signer);
    if (index.requestDigestOf(bundleId) === null) index.intend(bundleId, requestDigest);
    else if (index.requestDigestOf(bundleId) !== requestDigest) throw conflict();
    const staged = await store.get(bundleId);
    // Staged by an attempt whose audit record failed: those very bytes are what was signed.
    if (staged === undefined) await store.stage(sealed);
    const recorded = await this.#record(staged === undefined ? sealed : await this.#pending(bundleId), requestDigest);
    index.recordPublished(bundleId, await store.publish(bundleId));
    return recorded;
  }

  async #pending(bundleId: BundleId): Promise<SealedEvidence> {
    const found = (await this.#deps.store.listPending()).pending.find((one) => one.bundleId === bundleId);
    if (found === undefined) throw conflict(); // published under the id, and yet not in the log
    return found;
  }

  async #record({ bundleId, bytes, digest }: SealedEvidence, requestDigest: string | null): Promise<Sealed> {
    const { seq } = await this.#deps.audit.append({
      actor: GUARD_ACTOR,
      action: SEALED_ACTION,
      subject: bundleId,
      outcome: 'ok',
      detail: { digest, requestDigest, keyId: this.#deps.signer.keyId, ...describe(bytes) },
    });
    this.#deps.index.recordSealed({ bundleId, digest, seq, requestDigest });
    return { bundleId, digest, seq };
  }

  #fill({ predicate }: Draft): Predicate {
    const { trust, simulated, redactionRules } = this.#deps;
    const { orgId, siteId, hostId, hostName } = trust;
    const filled = { ...predicate, version: 1, orgId, siteId, hostId, hostName, redactions: {}, simulated } as const;
    return redactPredicate(filled, redactionRules);
  }

  async #readAuditFrom(from: number): Promise<void> {
    const { audit, index } = this.#deps;
    for (let next = from; ;) {
      const records = await audit.read(next, 1_000);
      const last = records.at(-1);
      if (last === undefined) return;
      for (const record of records) {
        if (record.action !== SEALED_ACTION) continue;
        const detail: JsonObject = record.detail;
        index.recordSealed({
          bundleId: record.subject as BundleId, // as `#record` wrote it
          requestDigest: typeof detail['requestDigest'] === 'string' ? detail['requestDigest'] : null,
          digest: typeof detail['digest'] === 'string' ? detail['digest'] : '',
          seq: record.seq,
        });
      }
      next = last.seq + 1;
    }
  }
}

function same(sealed: Sealed, before: string | null, now: string): Sealed {
  if (before !== null && before !== now) throw conflict();
  return { bundleId: sealed.bundleId, digest: sealed.digest, seq: sealed.seq };
}

/** What the evidence is about, for readers of the log: from the signed bytes themselves. */
function describe(bytes: Uint8Array): JsonObject {
  const statement = parseStatement(decodeBase64(decodeEnvelope(bytes).payload) ?? new Uint8Array());
  const { check, operation, outcome, observedBy } = statement.predicate;
  return { kind: kindOf(statement), about: check ?? operation, outcome, observedBy };
}

const conflict = (): HoldfastError =>
  new HoldfastError('something else was sealed under this bundle id', { code: 'ERR_BUNDLE_CONFLICT' });
