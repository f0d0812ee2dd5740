export type { AdmittedModule, AdmitModule, OfferedImports } from './admit.ts';
export type { RunRequest, WasmResult, WasmUsage } from './engine/run.ts';
export { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS, type ModuleLimits, type RunLimits } from './limits.ts';
export type {
  Capabilities,
  FileError,
  FileKind,
  FileResult,
  FileStat,
  GuestClock,
  GuestDirectory,
  GuestFile,
  GuestFileSystem,
  GuestRandomness,
} from './wasi/capabilities.ts';
