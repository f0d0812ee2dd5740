import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalJson, hasCode } from '@holdfast/core';
import { GateVerdictSchema } from '../src/records/statements.ts';
import { assess } from '../src/verdict/assess.ts';
import { planVerdict, verdictDigest } from '../src/verdict/plan-verdict.ts';
import { REASONS, reason, verdictOf } from '../src/verdict/reasons.ts';
import { summaryAttestation } from '../src/verdict/summary-attestation.ts';
import { goStory, SHOP, SOURCE, Story } from './story.ts';

const judge = (story: Story) =>
  assess({ records: story.records, current: null, candidate: SOURCE, nowMs: story.nowMs });
const archive = { path: 'dist/shop.tgz', digest: 'c'.repeat(64), bytes: 3 };
const withArtifacts = { ...SHOP, artifacts: [archive.path] };
const SUMMARY = { verifierId: 'https://example.com/gate', policyUri: 'https://example.com/gate.yaml' };

describe('planVerdict', () => {
  it('R-22: the same inputs give the same bytes, and they are a valid record', () => {
    const [one, other] = [goStory(), goStory()].map((story) =>
      planVerdict(judge(story), { author: 'dan', artifacts: [], head: story.head }),
    );
    assert.ok(one !== undefined && other !== undefined);
    assert.equal(canonicalJson(one), canonicalJson(other));
    assert.equal(verdictDigest(one), verdictDigest(other));
    assert.deepEqual(GateVerdictSchema.parse(one), one);
  });

  it('R-22: a NO_GO carries its reasons, and is a valid record too', () => {
    const story = new Story().freeze();
    const verdict = planVerdict(judge(story), { author: 'dan', artifacts: [], head: story.head });
    assert.equal(verdict.verdict, 'NO_GO');
    assert.ok(verdict.reasons.length > 0);
    assert.deepEqual(GateVerdictSchema.parse(verdict), verdict);
  });

  it('R-12: every number in it is counted from the records, whatever they say of themselves', () => {
    const story = goStory();
    story.finding({ severity: 'P2', clause: 'ugly' });
    const { counts } = planVerdict(judge(story), { author: 'dan', artifacts: [], head: story.head });
    const { packets, surfaces, findings, milestone } = judge(story);
    const required = [...packets.flatMap(({ evidence }) => evidence), ...milestone];
    assert.equal(counts.packets, story.gate.packets.length);
    assert.equal(counts.approved, packets.filter(({ review }) => review === 'APPROVED').length);
    assert.equal(counts.surfaces, story.gate.scope.surfaces.length);
    assert.equal(counts.covered, surfaces.filter(({ coveredBy }) => coveredBy.length > 0).length);
    assert.equal(counts.validRuns, required.filter(({ valid }) => valid).length);
    assert.deepEqual(counts.findings, { P0: 0, P1: 0, P2: findings.length });
  });

  it('R-13: implementers, reviewers and people without the role issue nothing', () => {
    const story = goStory();
    for (const author of ['ann', 'bob', 'cleo', 'eve', 'mallory'])
      assert.throws(
        () => planVerdict(judge(story), { author, artifacts: [], head: story.head }),
        (error) => hasCode(error, 'ERR_GATE_RULE') && error.fields['rule'] === 'R-13',
      );
  });

  it('R-03: there is no verdict before the first freeze', () => {
    const story = new Story();
    assert.throws(
      () => planVerdict(judge(story), { author: 'dan', artifacts: [], head: story.head }),
      (error) => hasCode(error, 'ERR_GATE_RULE') && error.fields['rule'] === 'R-03',
    );
  });

  it('R-22: a good verdict names exactly the artefacts of the gate file', () => {
    const story = goStory({ gate: withArtifacts });
    const plan = (...artifacts: (typeof archive)[]) =>
      planVerdict(judge(story), { author: 'dan', artifacts, head: story.head });
    assert.deepEqual(plan(archive).artifacts, [archive]);
    for (const wrong of [[], [archive, archive], [archive, { ...archive, path: 'dist/other' }]])
      assert.throws(
        () => plan(...wrong),
        (error) => hasCode(error, 'ERR_GATE_RULE') && error.fields['rule'] === 'R-22',
      );
  });
});

describe('summaryAttestation', () => {
  const results = [
    { verdict: 'GO', conditionsPass: false, want: 'PASSED' },
    { verdict: 'GO_WITH_CONDITIONS', conditionsPass: false, want: 'FAILED' },
    { verdict: 'GO_WITH_CONDITIONS', conditionsPass: true, want: 'PASSED' },
    { verdict: 'NO_GO', conditionsPass: true, want: 'FAILED' },
    { verdict: 'INCONCLUSIVE', conditionsPass: true, want: 'FAILED' },
  ] as const;
  for (const { verdict, conditionsPass, want } of results)
    it(`R-22: ${verdict} ${conditionsPass ? 'with' : 'without'} conditionsPass gives ${want}`, () => {
      const story = goStory();
      const planned = planVerdict(judge(story), { author: 'dan', artifacts: [], head: story.head });
      const gate = { ...story.gate, policies: { ...story.gate.policies, conditionsPass } };
      const { predicate } = summaryAttestation(gate, { ...planned, verdict }, SUMMARY);
      assert.equal(predicate.verificationResult, want);
      assert.deepEqual(predicate.verifiedLevels, [want === 'PASSED' ? `HOLDFAST_GATE_${verdict}` : 'FAILED']);
    });

  it('R-22: is the statement that SLSA describes', () => {
    const story = goStory({ gate: withArtifacts });
    const verdict = planVerdict(judge(story), { author: 'dan', artifacts: [archive], head: story.head });
    assert.deepEqual(summaryAttestation(story.gate, verdict, SUMMARY), {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: archive.path, digest: { sha256: archive.digest } }],
      predicateType: 'https://slsa.dev/verification_summary/v1',
      predicate: {
        verifier: { id: SUMMARY.verifierId },
        timeVerified: verdict.at,
        resourceUri: 'pkg:npm/shop',
        policy: { uri: SUMMARY.policyUri, digest: { sha256: story.gateFileDigest } },
        verificationResult: 'PASSED',
        verifiedLevels: ['HOLDFAST_GATE_GO'],
        slsaVersion: '1.0',
        'https://holdfast.dev/gate/gate-verdict/v1': { digest: { sha256: verdictDigest(verdict) } },
      },
    });
  });

  it('R-22: without artefacts the commit is what was verified', () => {
    const story = goStory();
    const verdict = planVerdict(judge(story), { author: 'dan', artifacts: [], head: story.head });
    assert.deepEqual(summaryAttestation(story.gate, verdict, SUMMARY).subject, [
      { name: 'pkg:npm/shop', digest: { gitCommit: SOURCE.commit } },
    ]);
  });
});

describe('REASONS', () => {
  it('R-19: the worst reason decides, and a code that nobody knows allows nothing', () => {
    const [condition, open, wrong] = (['condition-standing', 'evidence-inconclusive', 'open-finding'] as const).map(
      (code) => reason(code),
    );
    assert.ok(condition && open && wrong);
    assert.equal(verdictOf([]), 'GO');
    assert.equal(verdictOf([condition]), 'GO_WITH_CONDITIONS');
    assert.equal(verdictOf([condition, open]), 'INCONCLUSIVE');
    assert.equal(verdictOf([open, wrong, condition]), 'NO_GO');
    assert.equal(verdictOf([{ ...wrong, code: 'unheard-of' }]), 'NO_GO');
    assert.equal(verdictOf([{ ...wrong, code: 'constructor' }]), 'NO_GO');
  });

  it('R-22: every reason fits a record, whatever it is filled with', () => {
    const long = '{detail}$&😀'.repeat(500);
    for (const code of Object.keys(REASONS) as (keyof typeof REASONS)[]) {
      const { subject, text } = reason(code, long, long);
      assert.ok(subject.length <= 1_000 && text.length <= 1_000 && text.isWellFormed() && subject.isWellFormed());
    }
  });
});
