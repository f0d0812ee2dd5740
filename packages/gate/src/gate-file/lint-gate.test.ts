import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import type { z } from 'zod';
import { LINT_CASES } from '../../test/lint-cases.ts';
import { broken, put, SOUND } from '../../test/sound-gate.ts';
import { GateSchema } from './gate-schema.ts';
import { lintGate } from './lint-gate.ts';
import { parseGate } from './parse-gate.ts';
import { findCycles } from './rules/packet-rules.ts';

describe('lint', () => {
  it('R-01: a sound gate has no problem', () => {
    const { gate, problems } = parseGate(SOUND);
    assert.deepEqual(problems, []);
    assert.equal(gate?.packets.length, 3);
  });

  for (const { name, breakIt, path, rule, severity = 'error', says } of LINT_CASES) {
    it(`finds ${name}`, () => {
      const { gate, problems } = parseGate(broken(breakIt));
      const found = problems.find((problem) => problem.path === path && problem.rule === rule);
      assert.ok(found, `nothing at ${path}: ${JSON.stringify(problems)}`);
      assert.equal(found.severity, severity);
      assert.match(found.message, says);
      assert.ok((found.line ?? 0) > 1, 'says where');
      assert.equal(
        gate === null,
        problems.some((problem) => problem.severity === 'error'),
      );
    });
  }

  it('R-01: what parseGate says of a well-shaped gate, lintGate says without lines', () => {
    const text = broken((gate) => put(gate['packets']?.[1], { reviewer: 'ann', commands: ['gone'] }));
    const problems = lintGate(GateSchema.parse(parse(text)));
    assert.deepEqual(
      new Set(problems.map(({ path, message }) => `${path} ${message}`)),
      new Set(parseGate(text).problems.map(({ path, message }) => `${path} ${message}`)),
    );
    assert.ok(problems.every(({ line }) => line === null));
  });

  it('R-01: reports what is wrong in sound sections although others are broken', () => {
    const text = broken((gate) => {
      put(gate, { title: 7, surplus: true });
      put(gate['commands']?.[0], { timeoutSeconds: 0 });
      put(gate['packets']?.[1], { reviewer: 'ann' });
    });
    const paths = parseGate(text).problems.map(({ path }) => path);
    for (const path of ['title', 'surplus', 'commands[0].timeoutSeconds', 'packets[1].reviewer'])
      assert.ok(paths.includes(path), `${path} in ${paths.join(', ')}`);
  });

  it('R-01: a chain of 10,000 packets is no cycle, and one edge makes it one', () => {
    const chain = Array.from({ length: 10_000 }, (_, n) => ({ id: `p${n}`, needs: [`p${n + 1}`] }));
    assert.deepEqual(findCycles(chain), []);
    const closed = [...chain, { id: 'p10000', needs: ['p0'] }];
    assert.equal(findCycles(closed)[0]?.length, 10_001);
  });

  it('R-01: every section of the schema has a default or is linted as missing', () => {
    const required = Object.entries(GateSchema.shape).filter(
      ([, schema]) => !(schema as z.ZodType).safeParse(undefined).success,
    );
    const paths = new Set(
      parseGate('{}').problems.flatMap(({ path, severity }) => (severity === 'error' ? [path] : [])),
    );
    assert.deepEqual(paths, new Set(required.map(([name]) => name)));
  });
});
