export type { DirectoryGrant, WasmRunner, WasmTask, WasmTaskResult } from './runner.ts';
