import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from './errors.ts';
import { formatUuidV7, parseBundleId, parseHostId, parseSha256Hex } from './ids.ts';

const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_INPUT_INVALID');

describe('ids', () => {
  it('T-01: accepts 1 to 64 characters of the set and nothing else', () => {
    assert.equal(parseHostId('a'.repeat(64)), 'a'.repeat(64));
    for (const text of ['', 'a'.repeat(65), 'a/b', '..', 'a b', 'ä', 'a\n', null, 7]) {
      assert.throws(() => parseHostId(text), isRefusal);
    }
  });

  it('makes the UUIDv7 of RFC 9562 Appendix A.6', () => {
    // 017F22E2-79B0-7CC3-98C4-DC0C0C07398F at 2022-02-22T19:22:22Z
    const random = Buffer.from('7cc398c4dc0c0c07398f', 'hex');
    assert.equal(formatUuidV7(Date.parse('2022-02-22T19:22:22Z'), random), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  it('parses only UUIDs of version 7', () => {
    assert.equal(parseBundleId('017f22e2-79b0-7cc3-98c4-dc0c0c07398f'), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
    for (const text of ['017f22e2-79b0-4cc3-98c4-dc0c0c07398f', '017F22E2-79B0-7CC3-98C4-DC0C0C07398F', '../../etc']) {
      assert.throws(() => parseBundleId(text), isRefusal);
    }
  });

  it('sorts by time', () => {
    const random = Buffer.alloc(10, 0xff);
    assert.ok(formatUuidV7(1_000, random) < formatUuidV7(1_001, Buffer.alloc(10)));
  });

  it('parses digests in lower-case hex only', () => {
    assert.equal(parseSha256Hex('a'.repeat(64)), 'a'.repeat(64));
    assert.throws(() => parseSha256Hex('A'.repeat(64)), isRefusal);
    assert.throws(() => parseSha256Hex('a'.repeat(63)), isRefusal);
  });
});
