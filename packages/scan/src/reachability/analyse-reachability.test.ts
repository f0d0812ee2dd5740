import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { definePackage } from '../packages/package.ts';
import { memoryFiles } from '../packages/source-files.ts';
import { analyseReachability } from './analyse-reachability.ts';

const { signal } = new AbortController();
const installed = (name: string, code = '', manifest = '') => ({
  [`node_modules/${name}/package.json`]: `{"name":"${name}","version":"1.0.0"${manifest}}`,
  [`node_modules/${name}/index.js`]: code,
});

/** Reachability of packages a, b and c. */
async function reach(tree: Record<string, string>, entries: string[] | null = null): Promise<string[]> {
  const packages = ['a', 'b', 'c'].map((name) =>
    definePackage({
      ecosystem: 'npm',
      name,
      version: '1.0.0',
      path: `node_modules/${name}`,
      lockfile: 'package-lock.json',
    }),
  );
  const files = memoryFiles({ ...installed('a'), ...installed('b'), ...installed('c'), ...tree });
  const found = await analyseReachability(files, packages, entries, signal);
  return packages.map(({ purl }) => found.get(purl) ?? 'none');
}

const CASES: { name: string; tree: Record<string, string>; entries?: string[]; want: string[] }[] = [
  {
    name: 'imports through other packages are reached',
    tree: { 'm.ts': "import 'a'", ...installed('a', "require('b')") },
    want: ['reachable', 'reachable', 'not-reached'],
  },
  {
    name: 'imports of tests are imported',
    tree: { 'm.ts': "import 'a'", 'm.test.ts': "import 'b'" },
    want: ['reachable', 'imported', 'not-reached'],
  },
  {
    name: 'import type loads nothing',
    tree: { 'm.ts': "import type { X } from 'a'; import { type Y } from 'b'" },
    want: ['not-reached', 'reachable', 'not-reached'],
  },
  {
    name: 're-exports, import() and templates without holes are followed',
    tree: { 'm.ts': "export * from 'a'; await import('b'); require(`c`)" },
    want: ['reachable', 'reachable', 'reachable'],
  },
  {
    name: 'import() of a value makes the rest unknown',
    tree: { 'm.ts': "import 'a'; await import(name)" },
    want: ['reachable', 'unknown', 'unknown'],
  },
  {
    name: 'require of a value inside a package makes the rest unknown',
    tree: { 'm.ts': "import 'a'", ...installed('a', 'require(name)') },
    want: ['reachable', 'unknown', 'unknown'],
  },
  {
    name: 'require that is handed on makes the rest unknown',
    tree: { 'm.ts': "import 'a'", ...installed('a', 'load(require)') },
    want: ['reachable', 'unknown', 'unknown'],
  },
  {
    name: 'typeof require is harmless, createRequire is followed',
    tree: { 'm.ts': "const require = createRequire(import.meta.url); typeof require; require('a')" },
    want: ['reachable', 'not-reached', 'not-reached'],
  },
  {
    name: 'an unresolved import makes the rest unknown',
    tree: { 'm.ts': "import './gone.ts'" },
    want: ['unknown', 'unknown', 'unknown'],
  },
  {
    name: 'a file that does not parse makes the rest unknown',
    tree: { 'm.ts': 'import {' },
    want: ['unknown', 'unknown', 'unknown'],
  },
  { name: 'no code at all proves nothing', tree: {}, want: ['unknown', 'unknown', 'unknown'] },
  {
    name: 'given entries are where production starts',
    tree: { 'm.ts': "import './n.js'", 'n.ts': "import 'a'", 'o.ts': "import 'b'" },
    entries: ['m.ts'],
    want: ['reachable', 'imported', 'not-reached'],
  },
  {
    name: 'an entry that is not there makes all unknown',
    tree: { 'm.ts': '' },
    entries: ['x.ts'],
    want: ['unknown', 'unknown', 'unknown'],
  },
  {
    name: 'all conditions of exports count, and patterns',
    tree: {
      'm.ts': "import 'a/f/x'",
      ...installed('a', '', ',"exports":{"./f/*":{"import":"./i/*.js","default":"./d/*.js"}}'),
      'node_modules/a/i/x.js': "import 'b'",
      'node_modules/a/d/x.js': "import 'c'",
    },
    want: ['reachable', 'reachable', 'reachable'],
  },
  {
    name: 'another version in its place is not the one that was pinned',
    tree: { 'm.ts': '', ...installed('b'), 'node_modules/b/package.json': '{"name":"b","version":"2.0.0"}' },
    want: ['not-reached', 'unknown', 'not-reached'],
  },
  {
    name: 'cycles end',
    tree: { 'm.ts': "import './n.ts'; import 'a'", 'n.ts': "import './m.ts'", ...installed('a', "require('a')") },
    want: ['reachable', 'not-reached', 'not-reached'],
  },
  {
    name: 'eval and workers make the rest unknown',
    tree: { 'm.ts': 'eval(x)' },
    want: ['unknown', 'unknown', 'unknown'],
  },
];

describe('analyseReachability', () => {
  for (const { name, tree, entries, want } of CASES) {
    it(`R-25: ${name}`, async () => assert.deepEqual(await reach(tree, entries ?? null), want));
  }
});
