import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { MAX_DEPTH, parseRequestLine } from './request-parser.ts';

const parse = (text: string): ReturnType<typeof parseRequestLine> => parseRequestLine(Buffer.from(text));
const plan = (params: string): string => `{"v":1,"id":"a","kind":"plan","operation":"a.b","params":${params}}`;

const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

describe('parseRequestLine', () => {
  it('G-01: whatever comes, the answer is a request or a code', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (line) => {
          const parsed = parseRequestLine(line);
          assert.ok('request' in parsed || parsed.code === 'ERR_GUARD_MALFORMED');
        },
      ),
    );
  });

  it('G-01: a request with any one byte changed is a request or a code', () => {
    const line = Buffer.from(plan('{"path":"/etc/motd","deep":[[{"a":1}]]}'));
    for (let at = 0; at < line.length; at += 1) {
      for (const byte of [0, 0x22, 0x5c, 0x7b, 0xff]) {
        const changed = Buffer.from(line);
        changed[at] = byte;
        const parsed = parseRequestLine(changed);
        assert.ok('request' in parsed || parsed.code === 'ERR_GUARD_MALFORMED');
      }
    }
  });

  it('G-01: the deepest nesting is taken, one level more is not; brackets in strings do not count', () => {
    assert.ok('request' in parse(plan(nested(MAX_DEPTH - 2))));
    assert.ok('code' in parse(plan(nested(MAX_DEPTH - 1))));
    assert.ok('request' in parse(plan(JSON.stringify({ a: `"${'['.repeat(1_000)}\\` }))));
  });

  it('an id that is none is not repeated', () => {
    for (const id of [7, null, {}, 'x'.repeat(65)]) {
      const parsed = parse(JSON.stringify({ v: 1, id, kind: 'status' }));
      assert.ok('code' in parsed);
      assert.equal(parsed.id, '');
    }
  });
});
