export { type AuditorKit, exportKit, type KitKey, type KitProof, renderKit } from './auditor-kit.ts';
export { buildStatement, kindOf, parseStatement } from './build-statement.ts';
export { type DetachedEvidence, exportDetached } from './detached.ts';
export {
  type EvidenceList,
  type EvidenceStore,
  type EvidenceStoreOptions,
  type IntegrityFinding,
  openEvidenceStore,
} from './evidence-store.ts';
export type { EvidenceFilter, EvidenceStatistics, EvidenceSummary } from './evidence-summary.ts';
export {
  DEFAULT_REDACTION_RULES,
  parseRedactionRules,
  redact,
  type RedactionCounts,
  type RedactionRules,
  redactPredicate,
} from './redact.ts';
export { evidenceLeafHash, type SealedEvidence, sealEvidence } from './seal-evidence.ts';
export * from './statement.ts';
export {
  type BundleVerdict,
  type EvidenceKey,
  type EvidenceKeys,
  inspectBundle,
  type VerificationStep,
  type VerifiedBundle,
  verifyBundle,
} from './verify-bundle.ts';
export { type EvidencePins, type EvidenceReport, verifyEvidence } from './verify-evidence.ts';
