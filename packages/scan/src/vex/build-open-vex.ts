/**
 * An OpenVEX 0.2.0 document (github.com/openvex/spec) of what was found and decided: a decision that
 * is in force; without one, `not_affected` where the import graph proves that nothing reaches the
 * package; else `under_investigation`. Deterministic: author and time are arguments.
 */
import { canonicalJson } from '@holdfast/core';
import { hash } from 'node:crypto';
import type { TriagedVulnerability } from '../vulnerabilities/apply-triage.ts';

export interface VexOptions {
  readonly author: string;
  /** purl or URL of what is released. */
  readonly product: string;
  readonly nowMs: number;
}

export function buildOpenVex(triaged: readonly TriagedVulnerability[], { author, product, nowMs }: VexOptions): string {
  const statements = triaged
    .map((one) => describe(one, product))
    .toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  const document = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    // An IRI that need not resolve; by the content, so that two documents never share it.
    '@id': `https://openvex.dev/docs/public/vex-${hash('sha256', canonicalJson([product, author, nowMs, statements]))}`,
    author,
    timestamp: new Date(nowMs).toISOString(),
    version: 1,
    statements,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function describe({ vulnerability, reachability, decision }: TriagedVulnerability, product: string) {
  const [name, ...aliases] = vulnerability.ids;
  const about = {
    vulnerability: { name, aliases },
    products: [{ '@id': product, subcomponents: [{ '@id': vulnerability.package.purl }] }],
  };
  if (decision !== null) {
    const { status, justification, reason } = decision;
    if (justification !== null) return { ...about, status, justification, impact_statement: reason };
    // "affected" has to say what to do.
    return status === 'affected'
      ? { ...about, status, action_statement: reason }
      : { ...about, status, status_notes: reason };
  }
  if (reachability === 'not-reached') {
    return {
      ...about,
      status: 'not_affected',
      justification: 'vulnerable_code_not_in_execute_path',
      impact_statement: 'No module that production loads imports the package (import graph).',
    };
  }
  return { ...about, status: 'under_investigation' };
}
