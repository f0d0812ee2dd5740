import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signerFromSeed } from '@holdfast/crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import type { Repository } from './detect-projects.ts';
import { gateJsonSchema } from './gate-json-schema.ts';
import { initGate } from './init-gate.ts';
import { parseGate } from './parse-gate.ts';

const VERSIONS = new Map([
  ['node', 'v26.10.0'],
  ['go', 'go version go1.19.8 linux/amd64'],
  ['rustc', 'rustc 1.63.0'],
  ['python', 'Python 3.11.2'],
]);
const repository = (files: Readonly<Record<string, string>>): Repository => ({
  name: 'Our Shop',
  files: new Map(Object.entries(files)),
  versions: VERSIONS,
});

/** What the three people do first. */
function filledIn(text: string): string {
  let person = 0;
  return text
    .replaceAll('name: FILL-IN', 'name: Somebody')
    .replaceAll('contact: FILL-IN@example.invalid', () => `contact: p${++person}@shop.example`)
    .replaceAll(/keys: \[\]\n {4}git: \[\]/g, () => {
      const key = Buffer.from(signerFromSeed(Buffer.alloc(32, ++person)).publicKey).toString('base64');
      return `keys: ["${key}"]\n    git: ["p${person}@shop.example"]`;
    });
}

const cases: {
  name: string;
  files: Readonly<Record<string, string>>;
  argv: RegExp;
  format: string;
  resource: string;
}[] = [
  {
    name: 'node:test',
    files: { 'package.json': '{"name":"@our/shop","version":"2.1.0"}' },
    argv: /^node --test/,
    format: 'tap',
    resource: 'pkg:npm/%40our/shop',
  },
  {
    name: 'vitest',
    files: { 'package.json': '{"name":"shop","devDependencies":{"vitest":"4"}}' },
    argv: /vitest run/,
    format: 'vitest-json',
    resource: 'pkg:npm/shop',
  },
  {
    name: 'jest',
    files: { 'package.json': '{"name":"shop","devDependencies":{"jest":"30"}}' },
    argv: /jest --ci/,
    format: 'vitest-json',
    resource: 'pkg:npm/shop',
  },
  {
    name: 'mocha',
    files: { 'package.json': '{"name":"shop","devDependencies":{"mocha":"11"}}' },
    argv: /mocha --reporter tap/,
    format: 'tap',
    resource: 'pkg:npm/shop',
  },
  {
    name: 'tape',
    files: { 'package.json': '{"name":"shop","devDependencies":{"tape":"5"}}' },
    argv: /tape test/,
    format: 'tap',
    resource: 'pkg:npm/shop',
  },
  {
    name: 'a package.json that does not parse',
    files: { 'package.json': '{' },
    argv: /^node --test/,
    format: 'tap',
    resource: 'pkg:npm/Our Shop',
  },
  {
    name: 'go',
    files: { 'go.mod': 'module example.com/shop\n\ngo 1.19\n' },
    argv: /^go test -json -count=1 /,
    format: 'go-test-json',
    resource: 'pkg:golang/example.com/shop',
  },
  {
    name: 'rust',
    files: { 'Cargo.toml': '[package]\nname = "shop"\nversion = "0.3.1"\n' },
    argv: /^cargo test/,
    format: 'libtest',
    resource: 'pkg:cargo/shop',
  },
  {
    name: 'python by pyproject.toml',
    files: { 'pyproject.toml': '[project]\nname = "shop"\n' },
    argv: /pytest .*--junitxml=/,
    format: 'pytest-junit',
    resource: 'pkg:pypi/shop',
  },
  {
    name: 'python by setup.cfg',
    files: { 'setup.cfg': '[metadata]\nname = shop\n' },
    argv: /pytest/,
    format: 'pytest-junit',
    resource: 'pkg:pypi/shop',
  },
];

describe('initGate', () => {
  for (const { name, files, argv, format, resource } of cases) {
    it(`R-01: ${name} gets a gate without errors once its people are filled in`, () => {
      const { gate, problems } = parseGate(filledIn(initGate(repository(files))));
      assert.deepEqual(
        problems.filter(({ severity }) => severity === 'error'),
        [],
      );
      assert.match(gate?.commands[0]?.argv.join(' ') ?? '', argv);
      assert.equal(gate?.commands[0]?.report?.format, format);
      assert.equal(gate?.resource, resource);
    });
  }

  it('R-01: what is left to fill in is all that lint refuses', () => {
    const { problems } = parseGate(initGate(repository({ 'go.mod': 'module example.com/shop' })));
    const errors = problems.filter(({ severity }) => severity === 'error');
    assert.equal(errors.length, 9, 'a name, a contact and a key for each of three');
    for (const { path } of errors) assert.match(path, /^people\[\d\]\.(?:name|contact|keys)$/);
  });

  it('R-08: a toolchain that nobody asked for its version is refused until it is written down', () => {
    const { problems } = parseGate(filledIn(initGate({ ...repository({ 'go.mod': '' }), versions: new Map() })));
    assert.deepEqual(
      problems.flatMap(({ path, severity }) => (severity === 'error' ? [path] : [])),
      ['toolchain[0]'],
    );
  });

  it('R-01: a repository of several kinds tests them all, again for the verdict', () => {
    const text = initGate(repository({ 'package.json': '{}', 'go.mod': '', 'Cargo.toml': '', 'setup.py': '' }));
    const { gate } = parseGate(filledIn(text));
    assert.deepEqual(gate?.milestone, ['node-tests', 'go-tests', 'rust-tests', 'python-tests', 'secrets']);
  });

  it('R-01: a repository of no known kind gets a command that lint wants filled in', () => {
    const { problems } = parseGate(filledIn(initGate(repository({}))));
    assert.ok(problems.some(({ path }) => path === 'commands[0].argv[0]'));
  });

  it('R-09, R-25: a scan that could not look is declared to be inconclusive, not unexpected', () => {
    const { gate } = parseGate(filledIn(initGate(repository({ 'go.mod': '' }))));
    const scans = gate?.commands.filter(({ kind }) => kind === 'scan') ?? [];
    assert.deepEqual(
      scans.map(({ triage }) => triage.map(({ exit, outcome }) => [exit, outcome])),
      [[[30, 'inconclusive']]],
    );
  });

  it('R-01: no name and no manifest breaks the file', () => {
    const kinds = fc.constantFrom('package.json', 'go.mod', 'Cargo.toml', 'pyproject.toml');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), kinds, fc.string(), (name, kind, content) => {
        const { problems } = parseGate(initGate({ name, files: new Map([[kind, content]]) }));
        return problems.every(({ path, severity }) => severity === 'warning' || /^(?:people|toolchain)\[/.test(path));
      }),
    );
  });
});

describe('gateJsonSchema', () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(gateJsonSchema());

  it('R-01: takes what the schema takes, with defaults left out', () => {
    const text = filledIn(initGate(repository({ 'go.mod': '' })));
    assert.ok(validate(parse(text)), JSON.stringify(validate.errors));
  });

  it('R-01: refuses a misspelt key', () => {
    const gate = parse(filledIn(initGate(repository({ 'go.mod': '' })))) as Record<string, unknown>;
    assert.ok(!validate({ ...gate, packtes: [] }));
  });
});
