export { commitChanges } from './directories/commit-changes.ts';
export { DEFAULT_WASM_RUNNER_OPTIONS, openWasmRunner, type WasmRunnerOptions } from './open-wasm-runner.ts';
export { plainRunnerHost, type RunnerChild, type RunnerHost } from './process/runner-host.ts';
export { sandboxRunnerHost } from './process/sandbox-runner-host.ts';
export type {
  DirectoryChange,
  DirectoryGrant,
  RunnerStatistics,
  WasmRunner,
  WasmTask,
  WasmTaskResult,
} from './runner.ts';
export { decideRetry, MAX_TRIES, type RetryDecision } from './scheduler/decide-retry.ts';
export { TASK_PRIORITIES, type TaskPriority } from './scheduler/task-queue.ts';
export {
  createTaskScheduler,
  type DeadLetter,
  type SchedulerDeps,
  type SchedulerOptions,
  type TaskScheduler,
} from './scheduler/task-scheduler.ts';
