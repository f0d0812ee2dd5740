/**
 * Makes record and evidence of what was refused (G-31), and keeps a caller that is refused all day
 * from filling the disk: past a small rate its refusals are counted and become one record and one
 * statement with the count.
 */
import type { AuditLog } from '@holdfast/audit';
import { type BundleId, type Clock, formatUuidV7, type JsonObject } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { TokenBuckets } from '@holdfast/policy';
import type { EvidenceSealer } from './sealing/evidence-sealer.ts';
import { draftOfRefusal, type Refusal } from './sealing/predicates.ts';

/** Refusals of one principal that get a record each; a person who mistypes never comes near it. */
export const REFUSAL_BUCKET = { burst: 10, perMinute: 6 };
export const DEFAULT_SUMMARY_MS = 60_000;
/** Principals with uncounted refusals at once; beyond, they share one line. */
const MAX_SUMMARIES = 200;

export interface DenialDeps {
  readonly audit: AuditLog;
  readonly sealer: EvidenceSealer;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Told when record or evidence of a refusal could not be made. MUST NOT throw. */
  readonly onFault: (error: unknown) => void;
}

interface Summary {
  readonly first: Refusal;
  readonly startedMs: number;
  readonly codes: Map<string, number>;
  count: number;
}

export class DenialDesk implements AsyncDisposable {
  readonly #deps: DenialDeps;
  readonly #summaryMs: number;
  readonly #buckets = new TokenBuckets();
  readonly #summaries = new Map<string, Summary>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(deps: DenialDeps, summaryMs = DEFAULT_SUMMARY_MS) {
    this.#deps = deps;
    this.#summaryMs = summaryMs;
  }

  /** @returns the evidence's id; `null` when the refusal was only counted, or could not be recorded */
  async refuseMutation(refusal: Refusal): Promise<BundleId | null> {
    if (!this.#mayRecord(refusal)) return null;
    const bundleId = this.#newId();
    const now = this.#now();
    try {
      await this.#record('request.refused', refusal, { bundleId });
      await this.#deps.sealer.seal(
        draftOfRefusal(refusal, { bundleId, started: now, ended: now }),
        sha256Hex(bundleId),
      );
      return bundleId;
    } catch (error) {
      this.#deps.onFault(error); // the refusal stands whether or not it could be written down
      return null;
    }
  }

  /** A refused read: recorded, not evidence (P-26 is about mutations). */
  async refuseRead(refusal: Refusal): Promise<void> {
    if (!this.#mayRecord(refusal)) return;
    try {
      await this.#record('read.refused', refusal, {});
    } catch (error) {
      this.#deps.onFault(error);
    }
  }

  /** Writes the summaries now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(async () => this.#writeSummaries());
    await this.#flushing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }

  #mayRecord(refusal: Refusal): boolean {
    const { principal } = refusal.circumstances;
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#buckets.take(principal, REFUSAL_BUCKET, nowMs)) return true;
    const key = this.#summaries.has(principal) || this.#summaries.size < MAX_SUMMARIES ? principal : '(others)';
    const summary = this.#summaries.get(key) ?? {
      first: refusal,
      startedMs: this.#deps.clock.wallMs(),
      codes: new Map<string, number>(),
      count: 0,
    };
    summary.count += 1;
    summary.codes.set(refusal.code, (summary.codes.get(refusal.code) ?? 0) + 1);
    this.#summaries.set(key, summary);
    this.#timer ??= setTimeout(() => void this.flush(), this.#summaryMs);
    this.#timer.unref();
    return false;
  }

  async #writeSummaries(): Promise<void> {
    for (const [principal, summary] of this.#summaries) {
      this.#summaries.delete(principal);
      const bundleId = this.#newId();
      const postState = { refused: summary.count, codes: Object.fromEntries(summary.codes) };
      const refusal: Refusal = {
        ...summary.first,
        // One statement about many requests names none of them.
        operation: null,
        paramsDigest: null,
        code: 'ERR_GUARD_DENIED',
        circumstances: {
          ...summary.first.circumstances,
          principal,
          orderId: null,
          remediationId: null,
          decision: {
            effect: 'deny',
            rule: null,
            reasons: [`${summary.count} more refusals within the rate limit of records`],
          },
        },
        kind: 'decision',
        outcome: 'deny',
      };
      const started = new Date(summary.startedMs).toISOString();
      try {
        await this.#record('request.refused.summary', refusal, { bundleId, ...postState });
        const draft = draftOfRefusal(refusal, { bundleId, started, ended: this.#now(), postState });
        await this.#deps.sealer.seal(draft, sha256Hex(bundleId));
      } catch (error) {
        this.#deps.onFault(error);
      }
    }
  }

  async #record(action: string, refusal: Refusal, detail: JsonObject): Promise<void> {
    const { circumstances } = refusal;
    await this.#deps.audit.append({
      actor: circumstances.principal,
      action,
      subject: refusal.operation ?? refusal.kind,
      outcome: refusal.outcome,
      detail: {
        ...detail,
        code: refusal.code,
        correlationId: circumstances.correlationId,
        rule: circumstances.decision.rule,
        reasons: circumstances.decision.reasons,
        paramsDigest: refusal.paramsDigest,
        orderId: circumstances.orderId,
      },
    });
  }

  #newId(): BundleId {
    return formatUuidV7(this.#deps.clock.wallMs(), this.#deps.randomBytes(10));
  }

  #now(): string {
    return new Date(this.#deps.clock.wallMs()).toISOString();
  }
}
