import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { diffLines } from './line-diff.ts';

/** Applies a diff that shows everything (no more than 3 lines of context are cut from short texts). */
function patch(text: string, diff: string): string {
  const from = text.split('\n');
  const result: string[] = [];
  let at = 0;
  for (const line of diff.split('\n').slice(2, -1)) {
    const header = /^@@ -(\d+),(\d+) /.exec(line);
    if (header !== null) {
      const start = Number(header[1]) - 1;
      result.push(...from.slice(at, start));
      at = start;
    } else if (line.startsWith('+')) result.push(line.slice(1));
    else {
      if (line.startsWith(' ')) result.push(line.slice(1));
      at += 1;
    }
  }
  return [...result, ...from.slice(at)].join('\n');
}

describe('diffLines', () => {
  it('C-11: shows what differs with three lines around it', () => {
    const text = '1\n2\n3\n4\nfive\n6\n7\n8\n9\n';
    assert.equal(
      diffLines(text, text.replace('five', 'FIVE')),
      '--- expected\n+++ observed\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-five\n+FIVE\n 6\n 7\n 8\n',
    );
  });
  it('is null for equal texts', () => assert.equal(diffLines('a\n', 'a\n'), null));
  it('tells a missing last newline', () => {
    assert.match(diffLines('a\n', 'a') ?? '', /\\ No newline at end of file/);
  });
  it('never exceeds its bound, and says what it left out', () => {
    const long = Array.from({ length: 5_000 }, (_, i) => `line ${i}`).join('\n');
    const diff = diffLines(`${long}\n`, '', 10_000) ?? '';
    assert.ok(diff.length <= 10_000);
    assert.match(diff, /… \d+ more lines\n$/);
    assert.ok((diffLines('x'.repeat(50_000), 'y', 10_000) ?? '').length <= 10_000);
  });
  it('compares two large unlike texts in bounded time', () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => i);
    const startedMs = performance.now();
    assert.notEqual(diffLines(numbers.join('a\n'), numbers.join('b\n')), null);
    assert.ok(performance.now() - startedMs < 2_000);
  });
  it('turns the expected text into the observed one', () => {
    const lines = fc
      .array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 25 })
      .map((all) => all.map((x) => `${x}\n`).join(''));
    fc.assert(
      fc.property(lines, lines, (from, to) => {
        const diff = diffLines(from, to);
        assert.equal(diff === null ? from : patch(from, diff), to);
      }),
    );
  });
});
