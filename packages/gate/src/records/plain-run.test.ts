import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { REPORT_FORMATS } from '../gate-file/gate-schema.ts';
import { isPlainRun } from './plain-run.ts';
import { ENDINGS, REPORT_STATUSES, RunRecordSchema } from './run-record.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), ...exactly(length) });
const exactly = (length: number) => ({ minLength: length, maxLength: length });
const digest = hex(64);
const count = fc.nat();
const source = fc.record({ commit: fc.oneof(hex(40), hex(64)), tree: digest, dirtyFiles: count });
const stream = { bytes: count, digest, at: count, kept: count };
const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const run = fc.record({
  id: fc.uuid({ version: 7 }),
  command: fc.constantFrom('unit', 'go.test-1', '0'),
  commandDigest: digest,
  argv: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
  mutation: nullable(fc.record({ test: fc.string(), digest })),
  before: source,
  after: source,
  startedAt: fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z') })
    .map((date) => date.toISOString()),
  durationMs: fc.double({ min: 0, noDefaultInfinity: true, noNaN: true }),
  ending: fc.constantFrom(...ENDINGS),
  exitCode: nullable(fc.nat(255)),
  signal: nullable(fc.constantFrom('SIGKILL', '')),
  stdout: fc.record(stream),
  stderr: fc.record(stream),
  report: nullable(
    fc.record({ ...stream, format: fc.constantFrom(...REPORT_FORMATS), status: fc.constantFrom(...REPORT_STATUSES) }),
  ),
  tests: nullable(fc.record({ passed: count, failed: count, skipped: count, digest })),
  cached: fc.boolean(),
  matches: fc.constant(null),
  sandbox: nullable(fc.record({ profile: fc.string(), profileHash: digest })),
});

/** Near the limits, and of every other type. */
const odd = fc.oneof(
  fc.constantFrom(-1, 0.5, 256, 2 ** 53, Infinity, '', 'null', [], {}, null, undefined, true, 'a'.repeat(65)),
  fc.constantFrom(
    '2026-02-30T00:00:00.000Z',
    '2024-02-29T00:00:00.000Z',
    '2026-01-01T00:00:00Z',
    '2026-01-01T24:00:00.000Z',
  ),
  fc.constantFrom('A'.repeat(64), `${'a'.repeat(64)}\n`, 'x'.repeat(4_097), 'x'.repeat(501), 'x'.repeat(21)),
  fc.array(fc.constant('a'), { minLength: 257, maxLength: 257 }),
  digest,
  fc.anything(),
);
type Change = {
  readonly path: number;
  readonly member: number;
  readonly value: unknown;
  readonly how: 'set' | 'remove' | 'add';
};
const change: fc.Arbitrary<Change> = fc.record({
  path: fc.nat(),
  member: fc.nat(),
  value: odd,
  how: fc.constantFrom('set', 'set', 'set', 'remove', 'add'),
});

/** Changes one member of the run or of an object in it. */
function changed(value: object, { path, member, value: replacement, how }: Change): unknown {
  const copy = structuredClone(value);
  const objects = [
    copy,
    ...Object.values(copy).filter((each) => typeof each === 'object' && each !== null && !Array.isArray(each)),
  ] as object[];
  const target = objects[path % objects.length] ?? copy;
  const names = Object.keys(target);
  const name = how === 'add' ? '__proto__' : (names[member % names.length] ?? '');
  if (how === 'remove') Reflect.deleteProperty(target, name);
  else
    Object.defineProperty(target, name, { value: replacement, enumerable: true, writable: true, configurable: true });
  return copy;
}

describe('isPlainRun', () => {
  it('R-07: knows every run without matches, so that the schema need not look at it', () => {
    fc.assert(fc.property(run, (value) => isPlainRun(value) && RunRecordSchema.safeParse(value).success));
  });

  it('R-07: accepts nothing that the schema refuses or changes', () => {
    const cases = fc.tuple(run, fc.array(change, { minLength: 1, maxLength: 2 }));
    let refused = 0;
    fc.assert(
      fc.property(cases, ([value, changes]) => {
        const candidate = changes.reduce<unknown>((before, each) => changed(before as object, each), value);
        if (!isPlainRun(candidate)) {
          refused++;
          return;
        }
        assert.deepEqual(RunRecordSchema.parse(candidate), candidate);
      }),
      { numRuns: 5_000 },
    );
    assert.ok(refused > 1_000);
  });

  for (const value of [null, undefined, 1, 'run', [], {}]) {
    it(`R-07: ${JSON.stringify(value)} is no run`, () => assert.equal(isPlainRun(value), false));
  }
});
