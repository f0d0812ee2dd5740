import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256Hex } from '@holdfast/crypto';
import * as fc from 'fast-check';
import { parseGate } from './parse-gate.ts';

const refusals: { name: string; text: string; line: number | null; says: RegExp }[] = [
  { name: 'a key twice', text: 'id: a\ntitle: b\nid: c\n', line: 3, says: /`id` twice/ },
  { name: 'an alias', text: 'id: &a x\ntitle: *a\n', line: 1, says: /anchor/ },
  { name: 'a tag', text: 'id: !!binary aGk=\n', line: 1, says: /tag/i },
  { name: 'a tag of its own', text: 'id: !secret x\n', line: 1, says: /tag/i },
  { name: 'two documents', text: 'id: a\n---\nid: b\n', line: 2, says: /more than one document/ },
  { name: 'another YAML', text: '%YAML 1.1\n---\nid: a\n', line: 1, says: /another version/ },
  { name: 'an open bracket', text: 'id: a\ntitle: [b\n', line: 3, says: /not YAML 1\.2/ },
  { name: 'nesting without end', text: '['.repeat(100_000), line: 1, says: /not YAML|nested/ },
  { name: 'a lone surrogate', text: 'id: \ud800', line: null, says: /not UTF-8/ },
  { name: 'one character too many', text: `#${'x'.repeat(4_000_000)}`, line: null, says: /longer than 4000000/ },
];

describe('parseGate', () => {
  for (const { name, text, line, says } of refusals) {
    it(`R-01: refuses ${name}`, () => {
      const { gate, problems } = parseGate(text);
      assert.equal(gate, null);
      assert.equal(problems[0]?.line, line);
      assert.match(problems.map(({ message }) => message).join('\n'), says);
    });
  }

  it('R-01: takes the longest text, and says what else is wrong with it', () => {
    const { problems } = parseGate(`#${'x'.repeat(3_999_999)}`);
    assert.ok(problems.every(({ message }) => !message.includes('longer')));
  });

  it('R-01: aliases that would unfold to a billion are refused before they unfold', () => {
    const levels = Array.from(
      { length: 12 },
      (_, n) =>
        `l${n}: &l${n} [${Array(9)
          .fill(n === 0 ? 'x' : `*l${n - 1}`)
          .join(', ')}]`,
    );
    const { gate, problems } = parseGate(levels.join('\n'));
    assert.equal(gate, null);
    assert.ok(problems.some(({ message }) => message.includes('alias')));
  });

  it('R-01: keys are counted, not compared: 100,000 different ones end in a bounded report', () => {
    const { problems } = parseGate(Array.from({ length: 100_000 }, (_, n) => `k${n}: 1`).join('\n'));
    assert.equal(problems.length, 1_001);
    assert.match(problems.at(-1)?.message ?? '', /more/);
  });

  it('R-01: names the digest of any text, good or bad', () => {
    assert.equal(parseGate('nonsense').digest, sha256Hex('nonsense'));
  });

  it('R-01: never throws, and never passes what is not there', () => {
    const yamlish = fc.stringMatching(/^[-?:,[\]{}#&*!|>'"%@`a-c0-1 \n\t]{0,80}$/);
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), yamlish, fc.json()),
        (text) => {
          const { gate, problems } = parseGate(text);
          return gate === null && problems.some(({ severity }) => severity === 'error');
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
