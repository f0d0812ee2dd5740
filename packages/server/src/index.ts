export {
  isLoopback,
  parseServerConfig,
  type ServerConfig,
  type ServerConfigInput,
  ServerConfigSchema,
} from './config.ts';
export { ingestBundles, type IngestDeps, promiseText, type Upload } from './ingest/ingest.ts';
export type { AuthenticatedHost } from './ingest/verify-upload.ts';
export {
  type IntegrityDeps,
  type IntegrityProblem,
  type IntegrityReport,
  verifyStoredEvidence,
} from './integrity-walk.ts';
export { type RunningServer, type ServerDeps, startServer } from './server.ts';
