/** A gate's assessment as the API shows it (W-09), and as a line of what needs a person (W-02). */
import { type Attention, type GateRow, type GateRun, type GateView, MAX_GATE_RUNS } from '@holdfast/api';
import { type Assessment, type GateRecord, nextSteps } from '@holdfast/gate';
import type { PublishedGate } from './published-gates.ts';

const WAITING: ReadonlySet<string> = new Set(['open', 'accepted']);

export function toGateRow(published: PublishedGate, assessment: Assessment): GateRow {
  const { gate, packets, findings, conditions, risks, standing, verdict } = assessment;
  const count = (severity: 'P0' | 'P1' | 'P2'): number =>
    findings.filter((finding) => finding.severity === severity && WAITING.has(finding.status)).length;
  const dates = [
    ...conditions.filter(({ status }) => status !== 'lifted').flatMap(({ due, expires }) => [due, expires]),
    ...risks.filter(({ status }) => status !== 'closed').map(({ due }) => due),
  ];
  return {
    gate: published.gate,
    title: gate?.title ?? published.gate,
    release: gate?.release ?? 'unknown',
    standing,
    verdict,
    packets: { total: packets.length, approved: packets.filter(({ review }) => review === 'APPROVED').length },
    openFindings: { P0: count('P0'), P1: count('P1'), P2: count('P2') },
    conditions: conditions.filter(({ status }) => status !== 'lifted').length,
    nextDate: dates.toSorted()[0] ?? null,
    receivedAt: published.receivedAt.toISOString(),
    asOf: assessment.at,
  };
}

export function toGateView(published: PublishedGate, assessment: Assessment): GateView {
  const { gate, candidate, packets, milestone, surfaces, findings, conditions, risks, verdicts } = assessment;
  const { commit, tree } = candidate;
  const view = {
    gate: published.gate,
    title: gate?.title ?? published.gate,
    release: gate?.release ?? 'unknown',
    resource: gate?.resource ?? 'unknown',
    revision: assessment.revision,
    policyDigest: assessment.policyDigest,
    candidate: { commit, tree },
    log: published.head,
    bundleDigest: published.digest,
    receivedAt: published.receivedAt.toISOString(),
    asOf: assessment.at,
    packets,
    milestone,
    surfaces,
    findings,
    conditions,
    risks,
    verdicts,
    verdict: assessment.verdict,
    reasons: assessment.reasons,
    standing: assessment.standing,
    standingSince: sinceOf(published, assessment),
    standingReasons: assessment.standingReasons,
    steps: gate === null ? [] : nextSteps(gate, assessment),
    people: (gate?.people ?? []).map(({ id, name, contact, roles }) => ({ id, name, contact, roles })),
    outOfScope: gate?.scope.outOfScope ?? [],
    rollbackTriggers: gate?.rollbackTriggers ?? [],
    operatorList: gate?.operatorList ?? [],
    runs: listRuns(published.records),
  };
  // The answer is written to the wire next, where arrays have no reader to protect from.
  return view as GateView;
}

function listRuns(records: readonly GateRecord[]): GateRun[] {
  const runs: GateRun[] = [];
  for (const record of records.toReversed()) {
    if (record.kind !== 'command-run') continue;
    const { packet, role, author, runs: recorded } = record.predicate;
    for (const run of recorded.toReversed()) {
      if (runs.length >= MAX_GATE_RUNS) return runs;
      runs.push({
        run: run.id,
        command: run.command,
        argv: run.argv,
        packet,
        role,
        author,
        startedAt: run.startedAt,
        durationMs: run.durationMs,
        ending: run.ending,
        exitCode: run.exitCode,
        commit: run.before.commit,
        tests: run.tests === null ? null : { ...counted(run.tests) },
        leaf: record.leaf,
      });
    }
  }
  return runs;
}

const counted = ({ passed, failed, skipped }: { passed: number; failed: number; skipped: number }) => ({
  passed,
  failed,
  skipped,
});

const sinceOf = ({ swept }: PublishedGate, { standing }: Assessment): string | null =>
  swept?.standing === standing ? swept.since.toISOString() : null;

/** a verdict that is no longer worth what it said needs a person; one that never was GO is no surprise. */
export function gateAttention(published: PublishedGate, assessment: Assessment): Attention[] {
  const { standing, standingReasons, verdicts, gate } = assessment;
  const last = verdicts.at(-1);
  const lapsed = standing === 'STALE' || (standing === 'NO_GO' && last !== undefined && last.verdict !== 'NO_GO');
  if (!lapsed || last === undefined) return [];
  return [
    {
      kind: 'gate',
      severity: standing === 'NO_GO' ? 'critical' : 'high',
      title: `${gate?.title ?? published.gate} ${gate?.release ?? ''} is ${standing}: ${standingReasons[0]?.text ?? 'its inputs changed'}`,
      nextStep: 'Open the gate: its reasons name what lapsed and who answers for it.',
      hostId: null,
      check: null,
      bundleId: null,
      gate: published.gate,
      // Until the sweep has seen it, it has just happened.
      since: sinceOf(published, assessment) ?? assessment.at,
    },
  ];
}
