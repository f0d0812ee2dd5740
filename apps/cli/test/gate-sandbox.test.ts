/** Commands of a gate that ask for a sandbox profile, through `holdfast gate rehearse` and the real sandbox. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { encodeBase64, signerFromSeed } from '@holdfast/crypto';
import { needs, temporaryDirectory } from '@holdfast/testing';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const NOBODY = 65_534;

/** Passes only where it sees the repository, and can neither change it nor see what is around it. */
const CONFINED = `#!/bin/sh
test -r src/shop.txt || exit 3
echo changed 2>/dev/null >> src/shop.txt && exit 4
cat /etc/passwd 2>/dev/null && exit 5
/bin/sh ./tool.sh >/dev/null && ./tool.sh || exit 6
printf 'ok 1 - shut in\\n1..1\\n'
`;

const person = (id: string, role: string, seed: number) =>
  `  - { id: ${id}, name: ${id}, contact: ${id}@example.com, roles: [${role}], keys: [${encodeBase64(signerFromSeed(new Uint8Array(32).fill(seed)).publicKey)}] }`;

const gateYaml = (profile: string, gapTests: string): string => `
version: 1
id: shop
title: The shop
release: 2.0.0
resource: pkg:generic/shop
base: null
scope:
  surfaces: [{ id: shop, title: Shop, paths: ["src/**"], tests: ["shut in"] }]
rubric:
  P0: [{ id: leak, text: Data of one customer reaches another }]
  P1: [{ id: unproven, text: A protection that nothing shows }]
  P2: [{ id: minor, text: A defect with a workaround }]
toolchain: [{ name: shell, argv: [/bin/echo, one], release: one }]
commands:
  - { id: tests, kind: test, argv: [/bin/sh, test.sh], report: { format: tap, from: stdout }, floor: 1, sandbox: ${profile}${gapTests} }
packets:
  - { id: "00", title: Scope, checklist: [Agreed], implementer: maker, reviewer: reader }
  - { id: "01", title: Shop, checklist: [Done], commands: [tests], implementer: maker, reviewer: reader }
milestone: [tests]
people:
${person('maker', 'implementer', 1)}
${person('reader', 'reviewer', 2)}
${person('decider', 'issuer', 3)}
`;

interface Prepared {
  readonly profile: string;
  readonly profiles?: Readonly<Record<string, string>>;
  readonly gapTests?: string;
}

/** A committed repository that the sandbox's user can read. */
function repository(t: TestContext, { profile, profiles = {}, gapTests = '' }: Prepared): string {
  const root = temporaryDirectory(t);
  const files = {
    'src/shop.txt': 'the shop\n',
    'test.sh': CONFINED,
    'tool.sh': '#!/bin/sh\necho "# its own tools run"\n',
    'gate.yaml': gateYaml(profile, gapTests),
    ...Object.fromEntries(Object.entries(profiles).map(([name, text]) => [`.holdfast-sandbox/${name}.toml`, text])),
  };
  for (const directory of ['src', '.holdfast-sandbox']) mkdirSync(join(root, directory));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  chmodSync(join(root, 'tool.sh'), 0o755);
  chmodSync(root, 0o755);
  const who = ['-c', 'user.name=Maker', '-c', 'user.email=maker@example.com', '-c', 'commit.gpgsign=false'];
  const git = (...args: readonly string[]): unknown => execFileSync('git', [...who, ...args], { cwd: root });
  git('init', '-q');
  git('add', '--all');
  git('commit', '-q', '-m', 'the shop');
  return root;
}

function rehearse(root: string, uid = 0) {
  const argv = ['--disable-warning=ExperimentalWarning', MAIN, 'gate', 'rehearse', '--directory', root];
  const env = { PATH: '/usr/bin:/bin' };
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    uid,
    gid: uid,
    env,
    cwd: '/',
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const NAMED = 'name = "narrow"\nuser = "nobody"\n[limits]\nprocesses = 8\n';

describe('holdfast gate: commands with a sandbox profile', needs('root', 'bubblewrap'), () => {
  it('R-07: run behind the default profile, with the repository to read and to execute', (t) => {
    const root = repository(t, { profile: 'default' });
    const { status, stdout, stderr } = rehearse(root);
    assert.equal(status, 0, stdout + stderr);
    assert.equal(readFileSync(join(root, 'src/shop.txt'), 'utf8'), 'the shop\n');
  });

  it('R-07: run behind a profile that is a file of the repository', (t) => {
    const { status, stdout, stderr } = rehearse(repository(t, { profile: 'narrow', profiles: { narrow: NAMED } }));
    assert.equal(status, 0, stdout + stderr);
  });

  it('R-06: a mutation runs behind the same profile, in its copy', (t) => {
    const gapTests = ', gapTests: [{ test: shut in, mutation: { file: test.sh, replace: "ok 1", with: "not ok 1" } }]';
    const { status, stdout, stderr } = rehearse(repository(t, { profile: 'default', gapTests }));
    assert.equal(status, 0, stdout + stderr);
  });

  const refusals = [
    {
      name: 'a profile that is nowhere',
      profile: 'absent',
      want: /\.holdfast-sandbox\/absent\.toml.*ERR_SANDBOX_PROFILE/,
    },
    {
      name: 'a profile that does not parse',
      profile: 'broken',
      profiles: { broken: 'name = "broken"\nfilez = 1\n' },
      want: /does not parse.*ERR_SANDBOX_PROFILE/,
    },
    {
      name: 'a profile under another name',
      profile: 'other',
      profiles: { other: NAMED },
      want: /another name.*ERR_SANDBOX_PROFILE/,
    },
  ];
  for (const { name, want, ...prepared } of refusals) {
    it(`R-07: ${name} starts nothing, and says so`, (t) => {
      const { status, stderr } = rehearse(repository(t, prepared));
      assert.equal(status, 20, stderr);
      assert.match(stderr, want);
      assert.match(stderr, /tests ✘ not-started/);
      assert.doesNotMatch(stderr, /shut in/);
    });
  }

  it('R-07: whoever is not root starts nothing that asks for every layer, and is told which is missing', (t) => {
    const root = repository(t, { profile: 'default' });
    execFileSync('chown', ['-R', String(NOBODY), root]);
    const { status, stderr } = rehearse(root, NOBODY);
    assert.equal(status, 20, stderr);
    assert.match(stderr, /not started behind profile default.*own-user.*ERR_SANDBOX_MISSING.*holdfast sandbox layers/);
  });
});
