import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

/** Every module reachable from `entry` by relative imports, and what else they import. */
function importsOf(entry: URL, seen = new Map<string, string[]>()): Map<string, string[]> {
  if (seen.has(entry.href)) return seen;
  const specifiers = Array.from(
    readFileSync(entry, 'utf8').matchAll(/^\s*(?:import|export)\b[^;]*?from '([^']+)'/gm),
    (match) => match[1] ?? '',
  );
  seen.set(
    entry.href,
    specifiers.filter((specifier) => !specifier.startsWith('.')),
  );
  for (const specifier of specifiers) {
    if (specifier.startsWith('.')) importsOf(new URL(specifier, entry), seen);
  }
  return seen;
}

describe('what browsers import', () => {
  const entries = [
    { name: '@holdfast/core', entry: './index.ts' },
    { name: '@holdfast/evidence/statement', entry: '../../evidence/src/statement.ts' },
  ];
  for (const { name, entry } of entries) {
    it(`${name} reaches no module of Node's`, () => {
      const modules = importsOf(new URL(entry, import.meta.url));
      const foreign = [...modules.values()].flat();
      assert.ok(modules.size > 0);
      assert.deepEqual(
        foreign.filter((specifier) => !['zod', '@holdfast/core'].includes(specifier)),
        [],
      );
    });
  }
});
