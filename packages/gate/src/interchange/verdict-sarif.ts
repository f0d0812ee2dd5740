/**
 * A verdict as SARIF 2.1.0, for tools that show code-scanning results: one result for each reason why
 * it is no better than it is. Follows
 * https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html (§3.13, §3.14, §3.27).
 */
import type { Assessment, Reason } from '../verdict/assessment.ts';

/** The same assessment gives the same text. */
export function verdictSarif(assessment: Assessment): string {
  const { reasons, gate, candidate, verdict, at } = assessment;
  const rules = new Map(reasons.map(({ code, rule }) => [code, rule]));
  const ruleIds = [...rules.keys()];
  return `${JSON.stringify(
    {
      $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 'holdfast gate',
              rules: [...rules].map(([id, rule]) => ({
                id,
                shortDescription: { text: id.replaceAll('-', ' ') },
                properties: { requirement: rule },
              })),
            },
          },
          automationDetails: { id: `holdfast-gate/${gate?.id ?? 'not-frozen'}/` },
          // What could not be judged is no finding, but it is no success either.
          invocations: [{ executionSuccessful: verdict !== 'INCONCLUSIVE', endTimeUtc: at }],
          versionControlProvenance: [
            { repositoryUri: repositoryOf(gate?.resource ?? 'not-frozen'), revisionId: candidate.commit },
          ],
          properties: {
            gate: gate?.id ?? null,
            release: gate?.release ?? null,
            verdict,
            policyDigest: assessment.policyDigest,
          },
          results: reasons.map((reason) => resultOf(reason, ruleIds, assessment)),
        },
      ],
    },
    undefined,
    2,
  )}\n`;
}

/** §3.23.3 wants a URI; package URLs are URIs, and other names become one. */
const repositoryOf = (resource: string): string =>
  URL.canParse(resource) ? resource : `urn:holdfast:${encodeURIComponent(resource)}`;

function resultOf(
  { code, subject, text }: Reason,
  ruleIds: readonly string[],
  { gate, findings, verdict }: Assessment,
) {
  const finding = findings.find(({ id }) => id === subject);
  return {
    ruleId: code,
    ruleIndex: ruleIds.indexOf(code),
    // Reasons for GO_WITH_CONDITIONS are what was accepted.
    level: verdict === 'GO_WITH_CONDITIONS' ? 'warning' : 'error',
    message: { text },
    locations: [
      { physicalLocation: { artifactLocation: { uri: fileOf(finding?.location) }, region: { startLine: 1 } } },
    ],
    partialFingerprints: { 'gateReason/v1': `${gate?.id ?? ''}/${code}/${subject}` },
  };
}

/** The file of a finding, when its location is one; the gate file otherwise. */
function fileOf(location: string | undefined): string {
  const path = /^[\w.@/-]+$/.test(location ?? '') && !location?.startsWith('/') ? location : undefined;
  return encodeURI(path ?? 'gate.yaml');
}
