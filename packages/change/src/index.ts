export {
  type ChangeEngine,
  type ChangeEngineDeps,
  type ChangeEngineOptions,
  type ChangeRequest,
  createChangeEngine,
  DEFAULT_CHANGE_OPTIONS,
} from './change-engine.ts';
export { type ChangeJournal, MAX_SETTLED_ENTRIES } from './change-journal.ts';
export type { BootInstant, ChangeEntry, ChangeError, ChangeRecord } from './change-record.ts';
export type { Seal } from './change-sealer.ts';
export { CHANGE_STATES, type ChangeState } from './change-state.ts';
export { KEK_BYTES } from './captured-box.ts';
export { memoryJournal } from './memory-journal.ts';
export {
  type AnyOperation,
  type ChangeOutcome,
  eraseTypes,
  type Operation,
  type Resource,
  type Step,
  type Verification,
} from './operation.ts';
export { openSqliteJournal, type SqliteJournal } from './sqlite-journal.ts';
