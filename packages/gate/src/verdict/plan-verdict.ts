/**
 * The verdict as it will be signed: an assessment, with who issues it, over which log, and the
 * artefacts it is about. Every number in it is computed, and the same inputs give the same bytes.
 */
import { canonicalJson, HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { Refusal } from '../board/rules.ts';
import type { LogHead } from '../log/gate-log.ts';
import type { GateVerdict } from '../records/statements.ts';
import type { Assessment } from './assessment.ts';
import { refuseIssuer } from './issuer.ts';

export interface VerdictContext {
  /** Who signs it. */
  readonly author: string;
  /** Digests of all files that the gate file names as artefacts. */
  readonly artifacts: GateVerdict['artifacts'];
  /** Head of the log whose records were assessed. */
  readonly head: LogHead;
}

/**
 * Says when, for which sources and after which verdict as the assessment does; nothing of that is typed.
 *
 * @throws `ERR_GATE_RULE` when nothing is frozen, the author may not issue it, or it would be good
 * and an artefact is missing or unknown
 */
export function planVerdict(assessment: Assessment, { author, artifacts, head }: VerdictContext): GateVerdict {
  const { gate, revision, at, verdict, candidate, policyDigest, counts, conditions, reasons } = assessment;
  if (gate === null) throw refused({ rule: 'R-03', reason: 'no gate file is frozen' });
  const refusal = refuseIssuer(gate, author) ?? refuseArtifacts(gate.artifacts, artifacts, verdict);
  if (refusal !== null) throw refused(refusal);
  const standing = conditions.filter(({ status }) => status === 'standing');
  return {
    gate: gate.id,
    revision,
    author,
    at,
    verdict,
    previous: assessment.verdicts.at(-1)?.leaf ?? null,
    release: gate.release,
    policyDigest,
    source: candidate,
    artifacts: artifacts.toSorted((one, other) => (one.path < other.path ? -1 : 1)),
    inputs: { size: head.size, root: head.root },
    counts,
    conditions: standing.map(({ id, finding, text, command, owner, due, expires }) => ({
      id,
      finding,
      text,
      command,
      owner,
      due,
      expires,
    })),
    reasons: [...reasons],
    rollbackTriggers: gate.rollbackTriggers,
    operatorList: gate.operatorList,
  };
}

/** SHA-256 of the verdict's canonical JSON, hex: what two people compare who judged the same inputs. */
export const verdictDigest = (verdict: GateVerdict): string => sha256Hex(canonicalJson(verdict));

function refuseArtifacts(
  wanted: readonly string[],
  given: GateVerdict['artifacts'],
  verdict: GateVerdict['verdict'],
): Refusal | null {
  if (verdict === 'NO_GO' || verdict === 'INCONCLUSIVE') return null;
  const paths = new Set(given.map(({ path }) => path));
  const isEqual = paths.size === given.length && paths.symmetricDifference(new Set(wanted)).size === 0;
  return isEqual
    ? null
    : { rule: 'R-22', reason: `the verdict names exactly the ${wanted.length} artefacts of the gate file` };
}

const refused = ({ rule, reason }: Refusal): HoldfastError =>
  new HoldfastError(`${rule}: ${reason}`, { code: 'ERR_GATE_RULE', fields: { rule, reason } });
