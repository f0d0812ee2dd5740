/** Error codes of the WebAssembly sandbox. */
import type { ErrorTable } from './table.ts';

export const WASM_ERRORS = {
  ERR_WASM_MALFORMED: {
    remedy: 'fix-input',
    title: 'The bytes are not a valid WebAssembly module',
    text: 'The module does not decode or does not validate. The fields give the byte offset. A component (the successor format) is not a core module: build for `wasm32-wasi` or `wasm32-wasip1`.',
  },
  ERR_WASM_FEATURE: {
    remedy: 'fix-input',
    title: 'The module uses a feature that is not accepted',
    text: 'The module is valid and uses a proposal outside the accepted set, named in the fields, such as threads, SIMD, exceptions or 64-bit memory. Compile without it.',
  },
  ERR_WASM_IMPORT: {
    remedy: 'fix-input',
    title: 'The module imports something that does not exist',
    text: 'Modules may import functions of WASI preview 1 (`wasi_snapshot_preview1`) that Holdfast offers, and nothing else. The fields name the import. It was refused at load; nothing ran.',
  },
  ERR_WASM_LIMIT: {
    remedy: 'fix-input',
    title: 'The module is larger than allowed',
    text: 'A limit on the module itself (bytes, functions, size of one function, locals, tables, memory, nesting) is exceeded. The fields name the limit, its value and what was found.',
  },
  ERR_WASM_FUEL: {
    remedy: 'give-up',
    title: 'The module used up its fuel',
    text: 'Fuel is the deterministic measure of work. The run was ended where it reached zero; the same module with the same input ends at the same place every time. Give it more fuel if the work is legitimate.',
  },
  ERR_WASM_DEADLINE: {
    remedy: 'give-up',
    title: 'The module did not end before its deadline',
    text: 'The wall-clock deadline passed and the process that hosted the module was killed.',
  },
  ERR_WASM_MEMORY: {
    remedy: 'give-up',
    title: 'The module wanted more memory than allowed',
    text: 'The module tried to grow its memory beyond its cap and is configured to end when that is refused, or its initial memory is already above the cap.',
  },
  ERR_WASM_STACK: {
    remedy: 'give-up',
    title: 'The module recursed too deeply',
    text: 'The call stack reached its limit and the run was ended.',
  },
  ERR_WASM_ENTRY: {
    remedy: 'fix-input',
    title: 'The module has no such entry',
    text: 'A command exports a function `_start` without parameters, and a run may name another exported function without parameters. The module exports none of that name. Nothing of it ran.',
  },
  ERR_WASM_TRAP: {
    remedy: 'give-up',
    title: 'The module trapped',
    text: 'The module did something WebAssembly forbids, such as dividing by zero, reaching `unreachable` or accessing memory out of bounds. The fields name the trap.',
  },
  ERR_WASM_OUTPUT: {
    remedy: 'give-up',
    title: 'The module wrote more than allowed',
    text: 'The output or the quota of a writable directory is used up and the module is configured to end when that happens.',
  },
  ERR_WASM_DIRECTORY: {
    remedy: 'fix-input',
    title: 'A directory cannot be given to the module',
    text: 'The host directory does not exist, is not a directory, is larger than its quota although the module may write to its copy, or the kernel has no `openat2`, without which no directory is shared. The fields name the reason. Nothing ran.',
  },
  ERR_WASM_RUNNER: {
    remedy: 'retry',
    title: 'The process that hosts WebAssembly ended',
    text: 'The runner process could not be started, was killed from outside or broke its protocol. The task did not complete; other tenants are not affected.',
  },
  ERR_TASK_QUEUE_FULL: {
    remedy: 'retry',
    title: 'The task queue is full',
    text: 'The queue is at its bound and the task was not taken. Nothing is lost: submit it again when others have ended.',
  },
  ERR_TASK_DRAINED: {
    remedy: 'retry',
    title: 'The task service is stopping',
    text: 'The service takes no more tasks, or this task had not ended when the time for draining was over. It is kept among the dead letters while the service lives; submit it again afterwards.',
  },
} as const satisfies ErrorTable;
