import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { canonicalJson } from './canonical-json.ts';
import { hasCode } from './errors.ts';
import type { Json } from './json.ts';
import { Secret } from './secret.ts';

interface Vectors {
  documents: { name: string; input: string; canonical: string }[];
  numbers: { ieee754: string; canonical: string }[];
  refusedNumbers: string[];
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/rfc8785.json', import.meta.url), 'utf8')) as Vectors;

const doubleOf = (hex: string): number => Buffer.from(hex, 'hex').readDoubleBE();
const nested = (depth: number): Json => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as Json;
const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_NOT_CANONICAL');

describe('canonicalJson', () => {
  for (const { name, input, canonical } of vectors.documents) {
    it(`P-06: RFC 8785 test document ${name}`, () => {
      assert.equal(canonicalJson(JSON.parse(input) as Json), canonical);
    });
  }

  for (const { ieee754, canonical } of vectors.numbers) {
    it(`P-06: RFC 8785 Appendix B prints ${ieee754} as ${canonical}`, () => {
      assert.equal(canonicalJson(doubleOf(ieee754)), canonical);
    });
  }

  for (const ieee754 of vectors.refusedNumbers) {
    it(`P-06: RFC 8785 Appendix B refuses ${ieee754}`, () => {
      assert.throws(() => canonicalJson([doubleOf(ieee754)]), isRefusal);
    });
  }

  it('P-06: sorts keys by UTF-16 code units, not by code points', () => {
    // U+1F600 is D83D DE00 in UTF-16 and therefore sorts before U+FB33.
    assert.equal(canonicalJson({ '\uFB33': 1, '\u{1F600}': 2, a: 3 }), '{"a":3,"\u{1F600}":2,"\uFB33":1}');
  });

  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const refused: { name: string; value: unknown }[] = [
    { name: 'a lone high surrogate', value: 'a\uD800b' },
    { name: 'a lone low surrogate in a key', value: { '\uDC00': 1 } },
    { name: 'undefined', value: undefined },
    { name: 'undefined in an object', value: { a: undefined } },
    { name: 'a hole in an array', value: Array.from({ length: 3 }) },
    { name: 'a bigint', value: 1n },
    { name: 'a function', value: () => 1 },
    { name: 'a symbol', value: Symbol('s') },
    { name: 'a Date', value: new Date(0) },
    { name: 'a Map', value: new Map() },
    { name: 'bytes', value: new Uint8Array(1) },
    { name: 'a secret', value: new Secret('x') },
    { name: 'a cycle', value: cyclic },
  ];
  for (const { name, value } of refused) {
    it(`P-06: refuses ${name}`, () => {
      assert.throws(() => canonicalJson(value as Json), isRefusal);
    });
  }

  it('P-06: refuses nesting deeper than 200 and accepts 200 below the top', () => {
    assert.equal(canonicalJson(nested(201)).length, 402);
    assert.throws(() => canonicalJson(nested(202)), isRefusal);
  });

  it('P-06: any JSON value survives, and its canonical form is a fixed point', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const wellFormed = JSON.parse(JSON.stringify(value)) as Json;
        let text: string;
        try {
          text = canonicalJson(wellFormed);
        } catch (error) {
          assert.ok(isRefusal(error));
          assert.equal(JSON.stringify(wellFormed).includes(String.raw`\ud`), true);
          return;
        }
        assert.deepEqual(JSON.parse(text), wellFormed);
        assert.equal(canonicalJson(JSON.parse(text) as Json), text);
      }),
    );
  });
});
