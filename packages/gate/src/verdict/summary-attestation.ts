/**
 * The verdict in the form that other tools read: a SLSA Verification Summary in an in-toto
 * statement. It says whether the policy passed; it claims no SLSA level, because the gate verifies none.
 *
 * Follows https://slsa.dev/spec/v1.0/verification_summary
 */
import { STATEMENT_TYPE } from '@holdfast/evidence';
import type { Gate } from '../gate-file/gate-schema.ts';
import type { GateVerdict, VerdictResult } from '../records/statements.ts';
import { verdictDigest } from './plan-verdict.ts';

export const VERIFICATION_SUMMARY_TYPE = 'https://slsa.dev/verification_summary/v1';
/** "Producers MAY add extension fields using field names that are URIs": which verdict this sums up. */
const VERDICT_FIELD = 'https://holdfast.dev/gate/gate-verdict/v1';

export interface SummaryContext {
  /** URI of whoever verified; consumers accept only pairs of signer and verifier that they know. */
  readonly verifierId: string;
  /** URI of the frozen gate file. */
  readonly policyUri: string;
}

export interface SummaryAttestation {
  readonly _type: typeof STATEMENT_TYPE;
  readonly subject: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly predicateType: typeof VERIFICATION_SUMMARY_TYPE;
  readonly predicate: {
    readonly verifier: { readonly id: string };
    readonly timeVerified: string;
    readonly resourceUri: string;
    readonly policy: { readonly uri: string; readonly digest: { readonly sha256: string } };
    readonly verificationResult: 'PASSED' | 'FAILED';
    readonly verifiedLevels: readonly string[];
    readonly slsaVersion: '1.0';
    readonly [VERDICT_FIELD]: { readonly digest: { readonly sha256: string } };
  };
}

/** GO passes; GO_WITH_CONDITIONS only where the policy says so; all else fails. `gate` is the frozen one. */
export function summaryAttestation(
  gate: Pick<Gate, 'resource' | 'policies'>,
  verdict: GateVerdict,
  { verifierId, policyUri }: SummaryContext,
): SummaryAttestation {
  const passed = passes(verdict.verdict, gate.policies.conditionsPass);
  return {
    _type: STATEMENT_TYPE,
    subject: subjectsOf(gate, verdict),
    predicateType: VERIFICATION_SUMMARY_TYPE,
    predicate: {
      verifier: { id: verifierId },
      timeVerified: verdict.at,
      resourceUri: gate.resource,
      policy: { uri: policyUri, digest: { sha256: verdict.policyDigest } },
      verificationResult: passed ? 'PASSED' : 'FAILED',
      // Custom values MUST NOT start with `SLSA_`.
      verifiedLevels: [passed ? `HOLDFAST_GATE_${verdict.verdict}` : 'FAILED'],
      slsaVersion: '1.0',
      [VERDICT_FIELD]: { digest: { sha256: verdictDigest(verdict) } },
    },
  };
}

const passes = (verdict: VerdictResult, conditionsPass: boolean): boolean =>
  verdict === 'GO' || (verdict === 'GO_WITH_CONDITIONS' && conditionsPass);

/** What is released; where the gate names no artefacts, the commit itself. */
function subjectsOf({ resource }: Pick<Gate, 'resource'>, { artifacts, source }: GateVerdict) {
  if (artifacts.length > 0) return artifacts.map(({ path, digest }) => ({ name: path, digest: { sha256: digest } }));
  return [{ name: resource, digest: { gitCommit: source.commit } }];
}
