/**
 * The way back for a frozen host (G-19): root on the host itself has looked, and gives a reason that
 * is kept in audit log and evidence (G-21). Approvals by several people are not asked for yet.
 */
import type { GuardRequest } from '@holdfast/api';
import type { AuditLog } from '@holdfast/audit';
import type { ChangeEngine } from '@holdfast/change';
import { type BundleId, type Clock, type ErrorCode, hasCode } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { Caller, Policy } from '@holdfast/policy';
import type { DenialDesk } from './denial-desk.ts';
import type { MutationDesk } from './mutation-desk.ts';
import { refusalOf } from './refuse.ts';
import type { EvidenceSealer } from './sealing/evidence-sealer.ts';
import { draftOfUnfreeze, paramsDigestOf } from './sealing/predicates.ts';

const UNFREEZE = 'guard.unfreeze';

export interface UnfreezeDeps {
  readonly engine: ChangeEngine;
  readonly audit: AuditLog;
  readonly sealer: EvidenceSealer;
  readonly denials: DenialDesk;
  readonly mutations: MutationDesk;
  readonly clock: Clock;
}

export interface Unfrozen {
  /** The changes that had frozen the host. */
  readonly changes: string[];
  readonly bundleId: BundleId;
}

export class UnfreezeDesk {
  readonly #deps: UnfreezeDeps;

  constructor(deps: UnfreezeDeps) {
    this.#deps = deps;
  }

  /**
   * Record and evidence are durable before the host is free again (P-19).
   *
   * @throws `ERR_GUARD_DENIED`, `ERR_GUARD_RATE_LIMITED`, `ERR_GUARD_NOT_FROZEN`, `ERR_GUARD_AUDIT_UNWRITABLE`
   */
  async unfreeze(
    policy: Policy | null,
    caller: Caller,
    { reason }: Extract<GuardRequest, { kind: 'unfreeze' }>,
    correlationId: string,
  ): Promise<Unfrozen> {
    const { engine, audit, sealer, mutations, clock } = this.#deps;
    if (!mutations.takeToken(policy, caller)) {
      await this.#refuse(policy, caller, 'ERR_GUARD_RATE_LIMITED', 'rate limit', correlationId);
    }
    // G-15: a guard without a policy trusts nobody, root neither: the policy comes first.
    if (policy === null) await this.#refuse(policy, caller, 'ERR_GUARD_DENIED', 'no policy is loaded', correlationId);
    if (!isMaster(caller)) {
      await this.#refuse(policy, caller, 'ERR_GUARD_DENIED', 'only root of this host may unfreeze it', correlationId);
    }
    if (!engine.frozen) throw refusalOf('ERR_GUARD_NOT_FROZEN');
    const changes = (await engine.listFreezing()).map(({ changeId }) => String(changeId));
    const decision = { effect: 'allow' as const, rule: null, reasons: ['root of this host asks'] };
    const circumstances = mutations.circumstances(policy, caller, decision, correlationId);
    const bundleId = mutations.newId();
    const at = new Date(clock.wallMs()).toISOString();
    try {
      await audit.append({
        actor: circumstances.principal,
        action: 'guard.unfrozen',
        subject: 'guard',
        outcome: 'allow',
        detail: { reason, changes, bundleId, correlationId },
      });
      await sealer.seal(draftOfUnfreeze({ circumstances, reason, changes, bundleId, at }), sha256Hex(bundleId));
    } catch (error) {
      if (hasCode(error, 'ERR_AUDIT_RECORD_INVALID')) throw refusalOf('ERR_INPUT_INVALID');
      throw refusalOf('ERR_GUARD_AUDIT_UNWRITABLE'); // it stays frozen
    }
    await engine.unfreeze();
    return { changes, bundleId };
  }

  async #refuse(
    policy: Policy | null,
    caller: Caller,
    code: ErrorCode,
    why: string,
    correlationId: string,
  ): Promise<never> {
    const decision = { effect: 'deny' as const, rule: null, reasons: [why] };
    await this.#deps.denials.refuseMutation({
      kind: 'decision',
      outcome: 'deny',
      operation: UNFREEZE,
      paramsDigest: paramsDigestOf({}),
      code,
      circumstances: this.#deps.mutations.circumstances(policy, caller, decision, correlationId),
    });
    throw refusalOf(code);
  }
}

/** Root, or whoever the guard runs as: who is that could stop it and write its files anyway. */
function isMaster(caller: Caller): boolean {
  return caller.kind === 'local' && (caller.uid === 0 || caller.uid === process.geteuid?.());
}
