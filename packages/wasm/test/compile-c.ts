/** C to a WASI command, with Debian's clang and its wasi-libc. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { temporaryDirectory } from '@holdfast/testing';

export function compileC(t: TestContext, source: string): Uint8Array {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'guest.c'), source);
  const output = join(directory, 'guest.wasm');
  const args = ['--target=wasm32-wasi', '--sysroot=/usr', '-O2', '-o', output, join(directory, 'guest.c')];
  execFileSync('/usr/bin/clang-19', args, { stdio: 'pipe' });
  return readFileSync(output);
}
