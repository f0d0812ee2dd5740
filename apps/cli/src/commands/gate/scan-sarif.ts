/**
 * A scanner's report as SARIF, for code hosts and editors. It holds what the report holds: no secret.
 *
 * Follows https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
import type { Json } from '@holdfast/core';
import type { ScanFinding, ScanSummary } from '@holdfast/scan';

const LEVELS: Readonly<Record<ScanFinding['severity'], string>> = { P0: 'error', P1: 'error', P2: 'warning' };

export function scanSarif({ scanner, rules, findings, state, reasons }: ScanSummary): Json {
  const ids = [...new Set(findings.map(({ rule }) => rule))].toSorted();
  const notifications = reasons.map((text) => ({ level: 'error', message: { text } }));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: { name: `holdfast gate scan ${scanner}`, version: rules.version, rules: ids.map((id) => ({ id })) },
        },
        invocations: [{ executionSuccessful: state === 'complete', toolExecutionNotifications: notifications }],
        results: findings.map((finding) => resultOf(finding)),
      },
    ],
  };
}

function resultOf({ rule, severity, message, location, line, fingerprint, suppressed, aliases }: ScanFinding): Json {
  return {
    ruleId: rule,
    level: LEVELS[severity],
    message: { text: message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: encodeURI(location) },
          ...(line === null ? {} : { region: { startLine: line } }),
        },
      },
    ],
    partialFingerprints: { 'holdfast/v1': fingerprint },
    properties: { severity, aliases: [...aliases] },
    ...(suppressed === null
      ? {}
      : { suppressions: [{ kind: 'external', justification: `${suppressed.reason} (${suppressed.owner})` }] }),
  };
}
