export { type AuditLog, type AuditLogOptions, DEFAULT_AUDIT_OPTIONS } from './audit-log.ts';
export {
  AUDIT_RECORD_VERSION,
  type AuditEntry,
  type AuditRecord,
  type ChainHead,
  EMPTY_HEAD,
  MAX_LINE_BYTES,
} from './audit-record.ts';
export { GAP_ACTION } from './gap.ts';
export { type LogFile, type LogFiles, type OpenMode, systemLogFiles } from './log-files.ts';
export { openAuditLog, type OpenAuditLogDeps, type OpenAuditLogOptions } from './open-audit-log.ts';
export { HEAD_NAME, HEAD_PAYLOAD_TYPE } from './signed-head.ts';
export {
  type AuditFault,
  type AuditProblem,
  type AuditVerdict,
  verifyAuditLog,
  type VerifyAuditLogOptions,
} from './verify-audit-log.ts';
