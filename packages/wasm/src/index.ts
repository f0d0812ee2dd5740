export { type AdmittedModule, admitModule, type AdmitModule, type OfferedImports } from './admit.ts';
export type { OutputListener, OutputStreamName, RunRequest, WasmResult, WasmUsage } from './engine/run.ts';
export { compileAdmitted, type CompiledModule, runModule } from './engine/run-module.ts';
export type { TrapName } from './engine/trap-name.ts';
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
export type { FileChange, SnapshotEntry } from './wasi/file-tree.ts';
export type { HostTime } from './wasi/guest-time.ts';
export { OutputBuffer } from './wasi/output-buffer.ts';
export { OFFERED_IMPORTS } from './wasi/imports.ts';
export { snapshotFileSystem, type SnapshotFileSystem, type SnapshotOptions } from './wasi/snapshot-file-system.ts';
