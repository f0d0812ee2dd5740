import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { readPackages } from './read-packages.ts';
import { memoryFiles, openDirectory } from './source-files.ts';

const { signal } = new AbortController();
const read = (tree: Record<string, string>) => readPackages(memoryFiles(tree), () => false, signal);

const CASES: { name: string; tree: Record<string, string>; want: string[] }[] = [
  {
    name: 'package-lock.json 3: alias, nested, link, bundled, git',
    tree: {
      'package-lock.json': JSON.stringify({
        lockfileVersion: 3,
        packages: {
          '': { dependencies: { a: '1', b: '1' } },
          'node_modules/a': { name: '@x/real', version: '1.0.0', integrity: 'sha512-AA==' },
          'node_modules/a/node_modules/c': { version: '2.0.0', inBundle: true, dev: true },
          'node_modules/b': { resolved: 'packages/b', link: true },
          'packages/b': { version: '9.0.0' },
          'node_modules/g': { version: '3.0.0', resolved: 'git+ssh://git@example.com/g.git#abc' },
        },
      }),
    },
    want: ['pkg:npm/%40x/real@1.0.0 direct registry', 'pkg:npm/c@2.0.0 dev registry', 'pkg:npm/g@3.0.0 git unpinned'],
  },
  {
    name: 'npm-shrinkwrap.json of version 1',
    tree: {
      'npm-shrinkwrap.json':
        '{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","integrity":"sha1-AA","dependencies":{"b":{"version":"npm:c@2.0.0"}}}}}',
    },
    want: ['pkg:npm/a@1.0.0 registry', 'pkg:npm/c@2.0.0 registry unpinned'],
  },
  {
    name: 'yarn.lock of Yarn 1',
    tree: {
      'package.json': '{"dependencies":{"al":"npm:@x/b@^1"}}',
      'yarn.lock':
        '# yarn lockfile v1\n\n"al@npm:@x/b@^1", a@^2:\n  version "1.2.3"\n  resolved "https://r.example/@x/b/-/b-1.2.3.tgz#aa"\n  integrity sha512-AA==\n  dependencies:\n    version "^9"\n',
    },
    want: ['pkg:npm/%40x/b@1.2.3 direct registry'],
  },
  {
    name: 'yarn.lock of Yarn 4',
    tree: {
      'yarn.lock':
        '__metadata:\n  version: 8\n"a@npm:^1":\n  version: 1.0.0\n  resolution: "a@npm:1.0.0"\n  checksum: 10/ab\n"w@workspace:.":\n  version: 0.0.0\n  resolution: "w@workspace:."\n',
    },
    want: ['pkg:npm/a@1.0.0 registry'],
  },
  {
    name: 'pnpm-lock.yaml 9',
    tree: {
      'pnpm-lock.yaml':
        "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      '@x/a': {specifier: ^1, version: 1.0.0(b@2.0.0)}\npackages:\n  '@x/a@1.0.0': {resolution: {integrity: sha512-AA==}}\n  b@2.0.0: {resolution: {integrity: sha512-AA==}}\n",
    },
    want: ['pkg:npm/%40x/a@1.0.0 direct registry', 'pkg:npm/b@2.0.0 registry'],
  },
  {
    name: 'go.mod with replacements; one older than 1.17 is completed from go.sum',
    tree: {
      'go.mod':
        'module m\ngo 1.16\nrequire (\n\ta.org/x v1.0.0\n\tb.org/y v0.0.0-20200101000000-abcdefabcdef // indirect\n\tc.org/z v1.0.0\n)\nreplace a.org/x => d.org/x v1.1.0\nreplace c.org/z => ../z\n',
      'go.sum': 'd.org/x v1.1.0 h1:AA=\ne.org/deep v2.0.0+incompatible h1:BB=\nf.org/only v1.0.0/go.mod h1:CC=\n',
    },
    want: [
      'pkg:golang/b.org/y@v0.0.0-20200101000000-abcdefabcdef registry unpinned',
      'pkg:golang/d.org/x@v1.1.0 direct registry',
      'pkg:golang/e.org/deep@v2.0.0+incompatible registry',
    ],
  },
  {
    name: 'Cargo.lock',
    tree: {
      'Cargo.lock':
        '[[package]]\nname="app"\nversion="0.1.0"\ndependencies=["a"]\n[[package]]\nname="a"\nversion="1.0.0"\nsource="registry+https://x"\nchecksum="ab"\n[[package]]\nname="g"\nversion="2.0.0"\nsource="git+https://x#1"\n',
    },
    want: ['pkg:cargo/a@1.0.0 direct registry', 'pkg:cargo/g@2.0.0 git unpinned'],
  },
  {
    name: 'poetry.lock',
    tree: {
      'pyproject.toml': '[tool.poetry.dependencies]\nzope-Interface="*"\n',
      'poetry.lock':
        '[[package]]\nname="Zope.interface"\nversion="5.0"\nfiles=[{file="x",hash="sha256:ab"}]\n[[package]]\nname="t"\nversion="1"\ngroups=["dev"]\nfiles=[]\n',
    },
    want: ['pkg:pypi/t@1 dev registry unpinned', 'pkg:pypi/zope-interface@5.0 direct registry'],
  },
  {
    name: 'uv.lock',
    tree: {
      'uv.lock':
        '[[package]]\nname="app"\nsource={editable="."}\ndependencies=[{name="a"}]\n[[package]]\nname="a"\nversion="1"\nsource={registry="x"}\nwheels=[{hash="sha256:ab"}]\n',
    },
    want: ['pkg:pypi/a@1 direct registry'],
  },
  {
    name: 'Pipfile.lock',
    tree: {
      'Pipfile.lock':
        '{"default":{"a":{"version":"==1.0","hashes":["sha256:ab"],"index":"pypi"}},"develop":{"b":{"version":"==2"}}}',
    },
    want: ['pkg:pypi/a@1.0 direct registry', 'pkg:pypi/b@2 dev registry unpinned'],
  },
  {
    name: 'requirements.txt with continued lines, extras, markers and hashes',
    tree: {
      'requirements.txt':
        '# c\n-r requirements-dev.txt\nA_b[x]==1.0 ; python_version>"3" \\\n  --hash=sha256:ab\n--index-url https://x\n',
    },
    want: ['pkg:pypi/a-b@1.0 direct registry'],
  },
];

describe('readPackages', () => {
  for (const { name, tree, want } of CASES) {
    it(`R-25: ${name}`, async () => {
      const { packages, unpinned, unlocked } = await read(tree);
      const rows = packages.map(({ purl, direct, dev, source, integrity }) =>
        [purl, direct && 'direct', dev && 'dev', source, integrity === null && 'unpinned'].filter(Boolean).join(' '),
      );
      assert.deepEqual(rows.toSorted(), want);
      assert.deepEqual([unpinned, unlocked], [[], []]);
    });
  }

  it('R-26: what pins nothing is reported with its line', async () => {
    const { unpinned } = await read({ 'requirements.txt': 'flask\nx>=1\n-e .\na==1.*\ngit+https://x/y\nok==1\n' });
    assert.deepEqual(
      unpinned.map(({ line }) => line),
      [1, 2, 3, 4, 5],
    );
  });

  it('R-26: a manifest that no lockfile pins is reported; settings alone are none', async () => {
    const { unlocked } = await read({
      'package.json': '{"type":"module"}',
      'pyproject.toml': '[tool.black]\n',
      'a/package.json': '{"dependencies":{"x":"1"}}',
      'b/Cargo.toml': '[dependencies]\nx="1"\n',
    });
    assert.deepEqual(unlocked, ['a/package.json', 'b/Cargo.toml']);
  });

  const hostile: [file: string, text: string][] = [
    ['package-lock.json', '{"packages":'],
    ['package-lock.json', '[]'],
    ['package-lock.json', '{"packages":{"node_modules/a":{}}}'],
    [
      'package-lock.json',
      `{"lockfileVersion":1,"dependencies":${'{"a":{"version":"1","dependencies":'.repeat(200)}{}${'}}'.repeat(200)}}`,
    ],
    ['yarn.lock', 'nonsense'],
    ['yarn.lock', '# yarn lockfile v1\na@1:\n  resolved "x"\nb@1:\n'],
    ['pnpm-lock.yaml', 'lockfileVersion: 5.4\n'],
    [
      'pnpm-lock.yaml',
      `a: &a [x]\n${Array.from({ length: 20 }, (_, n) => `k${n}: &b${n} [${'*a,'.repeat(20)}]`).join('\n')}`,
    ],
    ['go.mod', 'require a.org/x latest\n'],
    ['Cargo.lock', '[[package]\n'],
    ['Cargo.lock', 'package="x"\n'],
    ['poetry.lock', '[[package]]\nname="x"\n'],
    ['uv.lock', 'package=1'],
    ['Pipfile.lock', '{}'],
  ];
  for (const [index, [file, text]] of hostile.entries()) {
    it(`refuses hostile input ${index} and names ${file}`, async () => {
      await assert.rejects(
        read({ [`d/${file}`]: text }),
        (error: Error) => hasCode(error, 'ERR_SCAN_INPUT') && error.fields['file'] === `d/${file}`,
      );
    });
  }
});

describe('openDirectory', () => {
  it('reads nothing outside of the root, and leaves installed things out of the list', async (t) => {
    const root = temporaryDirectory(t);
    const other = temporaryDirectory(t);
    writeFileSync(join(other, 'secret'), 'x');
    mkdirSync(join(root, 'node_modules/a'), { recursive: true });
    writeFileSync(join(root, 'node_modules/a/package.json'), '{}');
    writeFileSync(join(root, 'yarn.lock'), 'x');
    symlinkSync(join(other, 'secret'), join(root, 'link'));
    symlinkSync('self', join(root, 'self'));
    const files = openDirectory(root);
    assert.deepEqual(await files.list(signal), ['link', 'self', 'yarn.lock']);
    for (const path of ['link', 'self', '../x', '/etc/passwd', 'absent'])
      assert.equal(await files.read(path), null, path);
    assert.equal((await files.read('node_modules/a/package.json'))?.length, 2);
  });
});
