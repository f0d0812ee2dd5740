import assert from 'node:assert/strict';
import { it } from 'node:test';

import * as fc from 'fast-check';

import { LiteralIndex } from './literal-index.ts';

function naive(literals: readonly string[], text: string): string[] {
  const found: string[] = [];
  for (const [index, literal] of literals.entries()) {
    for (let at = text.toLowerCase().indexOf(literal); at >= 0; at = text.toLowerCase().indexOf(literal, at + 1)) {
      found.push(`${index}@${at}`);
    }
  }
  return found.toSorted();
}

it('R-24: finds every literal wherever it is, overlapping and in either case', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-'), minLength: 1, maxLength: 5 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'B', 'c', '-', 'é'), maxLength: 60 });
  fc.assert(
    fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 12 }), text, (literals, content) => {
      const found: string[] = [];
      new LiteralIndex(literals).find(Buffer.from(content, 'latin1'), (index, start) =>
        found.push(`${index}@${start}`),
      );
      assert.deepEqual(found.toSorted(), naive(literals, content));
    }),
  );
});
