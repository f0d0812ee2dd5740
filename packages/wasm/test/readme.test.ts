/** The example of the README, executed as it is printed there. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';

import { compileC } from './compile-c.ts';

const README = join(import.meta.dirname, '../README.md');

const COUNT = `
#include <stdio.h>
int main(int argc, char **argv) {
  FILE *in = fopen(argv[1], "r");
  if (!in) return 1;
  int lines = 0, c;
  while ((c = getc(in)) != EOF) lines += c == '\\n';
  FILE *out = fopen("/data/lines.txt", "w");
  fprintf(out, "%d", lines);
  fclose(out);
  printf("%d lines\\n", lines);
  return 0;
}`;

describe('README', () => {
  it('stays short, and its example does what it says', needs('clang'), async (t) => {
    const text = readFileSync(README, 'utf8');
    assert.ok(text.split('\n').length <= 81);
    const example = /```ts\n(?<code>[\s\S]*?)```/u.exec(text)?.groups?.['code'];
    assert.ok(example !== undefined);
    const directory = temporaryDirectory(t);
    const path = join(directory, 'example.ts');
    const entry = pathToFileURL(join(import.meta.dirname, '../src/index.ts')).href;
    writeFileSync(path, example.replace("'@holdfast/wasm'", `'${entry}'`));
    const { countLines } = (await import(pathToFileURL(path).href)) as { countLines: (bytes: Uint8Array) => string };
    assert.equal(countLines(compileC(t, COUNT)), '2 lines\ncreated lines.txt');
    assert.throws(
      () => countLines(new Uint8Array(4)),
      (error: unknown) => hasCode(error, 'ERR_WASM_MALFORMED'),
    );
  });
});
