export type { Clock } from './clock.ts';
export { canonicalJson } from './canonical-json.ts';
export { ERROR_CODES, type ErrorCode, type ErrorEntry, type Remedy } from './error-codes/all.ts';
export { renderErrorsDoc } from './errors-doc.ts';
export { hasCode, HoldfastError, type HoldfastErrorOptions, isHoldfastError, type LogFields } from './errors.ts';
export {
  type BundleId,
  formatUuidV7,
  type HostId,
  ID_PATTERN,
  type OrgId,
  parseBundleId,
  parseHostId,
  parseOrgId,
  parseSha256Hex,
  parseSiteId,
  type Sha256Hex,
  SHA256_HEX_PATTERN,
  type SiteId,
  UUID_V7_PATTERN,
} from './ids.ts';
export type { Json, JsonObject } from './json.ts';
export { Secret } from './secret.ts';
export {
  isInsideWindow,
  type MaintenanceWindow,
  nextWindowStart,
  parseMaintenanceWindow,
} from './maintenance-window.ts';
