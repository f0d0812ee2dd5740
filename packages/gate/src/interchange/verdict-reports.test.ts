import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SaxesParser } from 'saxes';
import type { Assessment } from '../verdict/assessment.ts';
import { readSarif } from './read-sarif.ts';
import { verdictJunit } from './verdict-junit.ts';
import { verdictSarif } from './verdict-sarif.ts';

const EVIDENCE = { role: 'reviewer', packet: '01', run: null, attempts: 0, failedAttempts: 0 } as const;

/** What the writers read; the rest of an assessment is nothing to them. */
const NO_GO = {
  gate: { id: 'shop', release: '1.0.0', resource: 'pkg:npm/shop' },
  policyDigest: 'a'.repeat(64),
  candidate: { commit: 'b'.repeat(40), tree: 'c'.repeat(64), dirtyFiles: 0 },
  at: '2026-05-01T12:00:00.000Z',
  packets: [
    {
      id: '01',
      title: 'Tests <&"\u0007> of everything',
      state: 'DONE',
      review: 'APPROVED',
      note: null,
      evidence: [
        { ...EVIDENCE, command: 'unit', valid: true, invalid: [] },
        { ...EVIDENCE, command: 'e2e', valid: false, invalid: ['missing'] },
      ],
    },
  ],
  milestone: [{ ...EVIDENCE, role: 'milestone', packet: null, command: 'unit', valid: false, invalid: ['dirty-tree'] }],
  findings: [{ id: 'F-1', location: 'src/auth.ts' }],
  verdict: 'NO_GO',
  reasons: [
    { code: 'open-finding', rule: 'R-17', subject: 'F-1', text: 'finding F-1 is open: P0' },
    { code: 'evidence-invalid', rule: 'R-08', subject: 'e2e', text: 'evidence of e2e does not count' },
  ],
} as unknown as Assessment;
const GO = { ...NO_GO, verdict: 'GO', reasons: [], packets: [], milestone: [] } as Assessment;

function elementsOf(xml: string): { name: string; attributes: Record<string, string> }[] {
  const found: { name: string; attributes: Record<string, string> }[] = [];
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) => found.push({ name, attributes: attributes }));
  parser.write(xml).close(); // throws for what is not well-formed
  return found;
}

const failures = (verdict: string): string | undefined =>
  elementsOf(verdictJunit({ ...GO, verdict } as Assessment))[0]?.attributes['failures'];

describe('verdictSarif', () => {
  it('R-32: has what SARIF 2.1.0 requires, one result for each reason', () => {
    const sarif = JSON.parse(verdictSarif(NO_GO)) as {
      version: string;
      runs: { results: { ruleIndex: number; locations: unknown }[] }[];
    };
    assert.equal(sarif.version, '2.1.0');
    assert.deepEqual(
      sarif.runs[0]?.results.map(({ ruleIndex }) => ruleIndex),
      [0, 1],
    );
    assert.match(JSON.stringify(sarif.runs[0]?.results[0]?.locations), /src\/auth\.ts/);
    assert.match(JSON.stringify(sarif.runs[0]?.results[1]?.locations), /gate\.yaml/);
  });

  it('R-32: what it writes, readSarif reads, and GO has no result', () => {
    const { findings, state } = readSarif(Buffer.from(verdictSarif(NO_GO)));
    assert.deepEqual(
      findings.map(({ rule, severity }) => [rule, severity]),
      [
        ['open-finding', 'P0'],
        ['evidence-invalid', 'P0'],
      ],
    );
    assert.equal(state, 'complete');
    assert.deepEqual(readSarif(Buffer.from(verdictSarif(GO))).findings, []);
    const unknown = { ...NO_GO, verdict: 'INCONCLUSIVE' } as Assessment;
    assert.equal(readSarif(Buffer.from(verdictSarif(unknown))).state, 'inconclusive');
  });
});

describe('verdictJunit', () => {
  it('R-32: is well-formed, with a suite for each packet, the milestone and the verdict', () => {
    const elements = elementsOf(verdictJunit(NO_GO));
    const suites = elements.filter(({ name }) => name === 'testsuite').map(({ attributes }) => attributes);
    assert.deepEqual(
      suites.map(({ name }) => name),
      ['packet 01: Tests <&"\ufffd> of everything', 'milestone', 'verdict'],
    );
    assert.deepEqual(
      suites.map(({ tests, failures }) => `${tests}/${failures}`),
      ['3/1', '1/1', '1/1'],
    );
    const messages = elements.filter(({ name }) => name === 'failure').map(({ attributes }) => attributes['message']);
    assert.deepEqual(messages, ['missing', 'dirty-tree', 'R-17 open-finding: finding F-1 is open: P0']);
  });

  it('R-32: only GO and GO_WITH_CONDITIONS pass', () => {
    assert.deepEqual(['GO', 'GO_WITH_CONDITIONS', 'NO_GO', 'INCONCLUSIVE'].map(failures), ['0', '0', '1', '1']);
  });
});
