/** Evidence for tests: one predicate that says nothing in particular, and bundles made from it. */
import { type BundleId, formatUuidV7 } from '@holdfast/core';
import { type Signer, signerFromSeed } from '@holdfast/crypto';
import { buildStatement, type Predicate, type SealedEvidence, sealEvidence } from '@holdfast/evidence';

export const STARTED = '2026-01-02T03:04:05.678Z';
export const hostSigner: Signer = signerFromSeed(Buffer.alloc(32, 1));
export const otherSigner: Signer = signerFromSeed(Buffer.alloc(32, 2));

export function sampleId(number: number, at: string = STARTED): BundleId {
  const random = Buffer.alloc(10);
  random.writeUInt32BE(number, 6);
  return formatUuidV7(Date.parse(at), random);
}

export function samplePredicate(changes: Partial<Predicate> = {}): Predicate {
  const started = changes.started ?? STARTED;
  return {
    version: 1,
    bundleId: sampleId(1, started),
    orgId: 'acme',
    siteId: 'home',
    hostId: 'host-1',
    hostName: 'host-1.example',
    observedBy: 'guard',
    started,
    ended: started,
    policyHash: { unknown: 'no policy' },
    baselineHash: { unknown: 'no baseline' },
    clock: { status: 'sane', offsetMs: { value: 3 } },
    check: 'firewall',
    operation: null,
    principal: null,
    decision: null,
    paramsDigest: null,
    severity: 'info',
    controls: {},
    findings: [],
    preState: null,
    postState: { rules: 3 },
    actions: [],
    outcome: 'pass',
    error: null,
    rollbackAvailable: false,
    rollbackRef: null,
    orderId: null,
    runbookId: null,
    remediationId: null,
    redactions: {},
    simulated: true,
    ...changes,
  };
}

export function sampleBundle(changes: Partial<Predicate> = {}, signer: Signer = hostSigner): SealedEvidence {
  return sealEvidence(buildStatement('check', samplePredicate(changes)), signer);
}
