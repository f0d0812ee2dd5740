/**
 * What a program does without our meter and without our WASI: the engine, the original bytes, and
 * Node's own WASI. Good for programs we wrote ourselves, and as the peer in tests and measurements; it
 * confines nothing (its documentation says so).
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASI } from 'node:wasi';
import { wasmApi, type WasmModule } from '../../src/engine/web-assembly.ts';

export interface PlainResult {
  readonly exitCode: number;
  readonly stdout: string;
}

export interface PlainOptions {
  /** Called with the exports of the new instance before it starts. */
  readonly prepare?: (exports: Readonly<Record<string, unknown>>) => void;
  /** Functions beside those of WASI, in its module. */
  readonly imports?: Readonly<Record<string, unknown>>;
}

/** Runs an instance of `module` to its end, standard output going to an open file. @returns its exit code */
export function startPlain(
  module: WasmModule,
  args: readonly string[],
  stdoutFd: number,
  { prepare, imports = {} }: PlainOptions = {},
): number {
  const wasi = new WASI({
    version: 'preview1',
    args: [...args],
    env: {},
    stdin: stdoutFd,
    stdout: stdoutFd,
    stderr: stdoutFd,
  });
  const instance = new wasmApi.Instance(module, {
    wasi_snapshot_preview1: { ...wasi.wasiImport, ...imports },
  });
  prepare?.(instance.exports);
  return wasi.start(instance);
}

export function runPlain(bytes: Uint8Array, args: readonly string[]): PlainResult {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-corpus-'));
  const path = join(directory, 'stdout');
  try {
    const fd = openSync(path, 'w+');
    try {
      const exitCode = startPlain(new wasmApi.Module(bytes), args, fd);
      return { exitCode, stdout: readFileSync(path, 'utf8') };
    } finally {
      closeSync(fd);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}
