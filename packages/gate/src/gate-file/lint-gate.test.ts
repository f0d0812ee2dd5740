import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { publicKeyPem, signerFromSeed } from '@holdfast/crypto';
import { parse, stringify } from 'yaml';
import type { z } from 'zod';
import { GateSchema } from './gate-schema.ts';
import { lintGate } from './lint-gate.ts';
import { parseGate } from './parse-gate.ts';
import { findCycles } from './rules/packet-rules.ts';

const keyOf = (n: number): string => Buffer.from(signerFromSeed(Buffer.alloc(32, n)).publicKey).toString('base64');
const pemOf = (n: number): string => publicKeyPem(Buffer.from(keyOf(n), 'base64'));

/** A gate without a single problem; every case below breaks one thing in it. */
const SOUND = `
version: 1
id: shop-1.0
title: Shop
release: 1.0.0
resource: pkg:npm/shop
base: v0.9.0
scope:
  surfaces:
    - { id: sign-in, title: Sign-in, paths: [src/auth/**], tests: ['auth*'] }
    - { id: docs, title: Manual, paths: [docs/**], tests: ['docs*'], p0: false }
  outOfScope: [{ what: legacy/**, reason: not shipped }]
rubric:
  P0: [{ id: leak, text: A tenant sees another }]
  P1: [{ id: wrong, text: A wrong result }]
  P2: [{ id: ugly, text: Looks wrong }]
toolchain: [{ name: node, argv: [node, --version], release: v26.10.0 }]
commands:
  - id: unit
    kind: test
    argv: [npm, test]
    report: { format: tap, from: stdout }
    floor: 10
    gapTests: [{ test: auth > refuses, mutation: { file: src/auth/check.ts, replace: 'return no', with: 'return yes' } }]
  - { id: eval, kind: search, argv: [git, grep, -n, TODO], expect: {}, exit: [0, 1] }
  - { id: secrets, kind: scan, argv: [holdfast, gate, scan, secrets], report: { format: scan, from: stdout } }
packets:
  - { id: '00', title: Scope, checklist: [read], implementer: ann, reviewer: bob }
  - { id: '01', title: Tests, checklist: [run], commands: [unit, eval], implementer: ann, reviewer: bob }
  - { id: '02', title: Audit, checklist: [run], needs: ['01'], commands: [secrets], implementer: bob, reviewer: ann, secondReviewer: cleo }
milestone: [unit, secrets]
people:
  - { id: ann, name: Ann, contact: ann@shop.example, roles: [implementer, reviewer], keys: [${keyOf(1)}], git: [ann@shop.example] }
  - { id: bob, name: Bob, contact: +41 44 000 00 00, roles: [implementer, reviewer], keys: [${keyOf(2)}], git: [bob@shop.example] }
  - { id: cleo, name: Cleo, contact: https://shop.example/cleo, roles: [reviewer], keys: [${keyOf(3)}], git: [cleo@shop.example] }
  - { id: dan, name: Dan, contact: dan@shop.example, roles: [issuer], keys: [${keyOf(4)}] }
`;

/** The document without types: the cases write what no type would allow. */
type Tree = { [key: string]: Tree } & Tree[];
const broken = (breakIt: (gate: Tree) => void): string => {
  const document = parse(SOUND) as Tree;
  breakIt(document);
  return stringify(document, { aliasDuplicateObjects: false });
};
const put = (at: Tree | undefined, value: object): void =>
  void Object.assign(at ?? assert.fail('no such place'), value);

const cases: {
  name: string;
  breakIt: (gate: Tree) => void;
  path: string;
  rule: string;
  severity?: 'warning';
  says: RegExp;
}[] = [
  {
    name: 'R-01: an unknown command in a packet',
    breakIt: (g) => put(g['packets']?.[1], { commands: ['unit', 'gone'] }),
    path: 'packets[1].commands[1]',
    rule: 'R-01',
    says: /no command `gone`/,
  },
  {
    name: 'R-01: an unknown command in the milestone',
    breakIt: (g) => put(g, { milestone: ['unit', 'secrets', 'gone'] }),
    path: 'milestone[2]',
    rule: 'R-01',
    says: /no command `gone`/,
  },
  {
    name: 'R-01: a command named twice',
    breakIt: (g) => put(g, { milestone: ['unit', 'secrets', 'unit'] }),
    path: 'milestone[2]',
    rule: 'R-01',
    severity: 'warning',
    says: /twice/,
  },
  {
    name: 'R-01: an unknown packet',
    breakIt: (g) => put(g['packets']?.[1], { needs: ['07'] }),
    path: 'packets[1].needs[0]',
    rule: 'R-01',
    says: /no packet `07`/,
  },
  {
    name: 'R-01: a second packet of one id',
    breakIt: (g) => put(g['packets']?.[2], { id: '01', needs: [] }),
    path: 'packets[2].id',
    rule: 'R-01',
    says: /second packet/,
  },
  {
    name: 'R-01: a second command of one id',
    breakIt: (g) => put(g['commands']?.[1], { id: 'unit' }),
    path: 'commands[1].id',
    rule: 'R-01',
    says: /second command/,
  },
  {
    name: 'R-01: a second surface of one id',
    breakIt: (g) => put(g['scope']?.['surfaces']?.[1], { id: 'sign-in' }),
    path: 'scope.surfaces[1].id',
    rule: 'R-01',
    says: /second surface/,
  },
  {
    name: 'R-01: a second person of one id',
    breakIt: (g) => put(g['people']?.[3], { id: 'cleo' }),
    path: 'people[3].id',
    rule: 'R-01',
    says: /second person/,
  },
  {
    name: 'R-01: a second tool of one name',
    breakIt: (g) => g['toolchain']?.push(g['toolchain'][0] ?? assert.fail()),
    path: 'toolchain[1].name',
    rule: 'R-01',
    says: /second tool/,
  },
  {
    name: 'R-16: one clause for two severities',
    breakIt: (g) => put(g['rubric']?.['P2']?.[0], { id: 'leak' }),
    path: 'rubric.P2[0].id',
    rule: 'R-16',
    says: /second clause/,
  },
  {
    name: 'R-01: a cycle, by name',
    breakIt: (g) => put(g['packets']?.[1], { needs: ['02'] }),
    path: 'packets[2].needs',
    rule: 'R-01',
    says: /01 → 02 → 01/,
  },
  {
    name: 'R-01: a packet that needs itself',
    breakIt: (g) => put(g['packets']?.[1], { needs: ['01'] }),
    path: 'packets[1].needs',
    rule: 'R-01',
    says: /01 → 01/,
  },
  {
    name: 'R-03: no packet 00',
    breakIt: (g) => put(g['packets']?.[0], { id: '03' }),
    path: 'packets',
    rule: 'R-03',
    says: /no packet "00"/,
  },
  {
    name: 'R-03: a packet 00 that waits',
    breakIt: (g) => put(g['packets']?.[0], { needs: ['01'] }),
    path: 'packets[0].needs',
    rule: 'R-03',
    says: /comes first/,
  },
  {
    name: 'R-06: packets that require nothing',
    breakIt: (g) => [1, 2].forEach((n) => put(g['packets']?.[n], { commands: [] })),
    path: 'packets',
    rule: 'R-06',
    says: /nothing would be proven/,
  },
  {
    name: 'R-02: one packet that requires nothing',
    breakIt: (g) => put(g['packets']?.[2], { commands: [] }),
    path: 'packets[2].commands',
    rule: 'R-02',
    severity: 'warning',
    says: /checklist alone/,
  },
  {
    name: 'R-02: an empty checklist',
    breakIt: (g) => put(g['packets']?.[2], { checklist: [] }),
    path: 'packets[2].checklist',
    rule: 'R-01',
    says: /./,
  },
  {
    name: 'R-06: a command that nothing requires',
    breakIt: (g) => put(g['packets']?.[1], { commands: ['unit'] }),
    path: 'commands[1]',
    rule: 'R-06',
    severity: 'warning',
    says: /nothing requires `eval`/,
  },
  {
    name: 'R-06: no test at all',
    breakIt: (g) => {
      put(g, { milestone: ['secrets'] });
      put(g['packets']?.[1], { commands: ['eval'] });
    },
    path: 'scope.surfaces',
    rule: 'R-06',
    says: /by no command/,
  },
  {
    name: 'R-11: a surface above every possible tier',
    breakIt: (g) => put(g['scope']?.['surfaces']?.[1], { minTier: 'production-observed' }),
    path: 'scope.surfaces[1].minTier',
    rule: 'R-11',
    says: /production-observed/,
  },
  {
    name: 'R-11: a tier above the cap of its kind',
    breakIt: (g) => put(g['commands']?.[0], { tier: 'local-rehearsal' }),
    path: 'commands[0].tier',
    rule: 'R-11',
    says: /test-proof at most/,
  },
  {
    name: 'R-34: a milestone that is smaller than the packets',
    breakIt: (g) => put(g, { milestone: ['secrets'] }),
    path: 'milestone',
    rule: 'R-20',
    says: /smaller than the packets.*`unit`/,
  },
  {
    name: 'R-20: a P0 surface that the milestone cannot reach at its tier',
    breakIt: (g) => {
      put(g['scope']?.['surfaces']?.[0], { minTier: 'local-rehearsal' });
      g['commands']?.push({
        id: 'drill',
        kind: 'drill',
        argv: ['drill'],
        tier: 'local-rehearsal',
        floor: 1,
        report: { format: 'tap', from: 'stdout' },
      } as unknown as Tree);
      put(g['packets']?.[2], { commands: ['drill'] });
    },
    path: 'scope.surfaces[0]',
    rule: 'R-20',
    says: /no command of the milestone/,
  },
  {
    name: 'R-06: a test without a report',
    breakIt: (g) => put(g['commands']?.[0], { report: null }),
    path: 'commands[0]',
    rule: 'R-06',
    says: /which tests ran/,
  },
  {
    name: 'R-06: a test with the report of a scan',
    breakIt: (g) => put(g['commands']?.[0], { report: { format: 'sarif', from: 'stdout' } }),
    path: 'commands[0].report.format',
    rule: 'R-06',
    says: /no test report/,
  },
  {
    name: 'R-06: a test without a floor',
    breakIt: (g) => put(g['commands']?.[0], { floor: null }),
    path: 'commands[0]',
    rule: 'R-06',
    says: /no `floor`/,
  },
  {
    name: 'R-06: a floor without a report',
    breakIt: (g) => put(g['commands']?.[1], { floor: 3 }),
    path: 'commands[1].floor',
    rule: 'R-06',
    says: /no test report/,
  },
  {
    name: 'R-24: a scan that nobody reads',
    breakIt: (g) => put(g['commands']?.[2], { report: null }),
    path: 'commands[2]',
    rule: 'R-24',
    says: /nobody reads/,
  },
  {
    name: 'R-09: a search without expectation',
    breakIt: (g) => put(g['commands']?.[1], { expect: null }),
    path: 'commands[1]',
    rule: 'R-09',
    says: /without `expect`/,
  },
  {
    name: 'R-09: an expectation on what is no search',
    breakIt: (g) => put(g['commands']?.[0], { expect: {} }),
    path: 'commands[0].expect',
    rule: 'R-09',
    says: /kind search alone/,
  },
  {
    name: 'R-09: an exit code with two meanings',
    breakIt: (g) => put(g['commands']?.[0], { triage: [{ exit: 0, outcome: 'fail', means: 'no' }] }),
    path: 'commands[0].triage[0].exit',
    rule: 'R-09',
    says: /two meanings/,
  },
  {
    name: 'R-34: a pattern that does not select the test that closes a gap',
    breakIt: (g) => put(g['scope']?.['surfaces']?.[0], { tests: ['login*'] }),
    path: 'commands[0].gapTests[0].test',
    rule: 'R-34',
    says: /no surface selects it/,
  },
  {
    name: 'R-06: a mutation that changes nothing',
    breakIt: (g) => put(g['commands']?.[0]?.['gapTests']?.[0]?.['mutation'], { with: 'return no' }),
    path: 'commands[0].gapTests[0].mutation',
    rule: 'R-06',
    says: /changes nothing/,
  },
  {
    name: 'R-07: a report among the records',
    breakIt: (g) => put(g['commands']?.[0], { report: { format: 'tap', from: '.gate/out.tap' } }),
    path: 'commands[0].report.from',
    rule: 'R-07',
    says: /lies in the records/,
  },
  {
    name: 'R-07: a command that runs among the records',
    breakIt: (g) => put(g['commands']?.[0], { cwd: '.gate/shop' }),
    path: 'commands[0].cwd',
    rule: 'R-07',
    says: /lies in the records/,
  },
  {
    name: 'R-07: a report outside the repository',
    breakIt: (g) => put(g['commands']?.[0], { report: { format: 'tap', from: '../out.tap' } }),
    path: 'commands[0].report.from',
    rule: 'R-01',
    says: /./,
  },
  {
    name: 'R-07: a script in a shell',
    breakIt: (g) => put(g['commands']?.[2], { argv: ['/bin/bash', '-euc', 'scan || true'] }),
    path: 'commands[2].argv',
    rule: 'R-07',
    severity: 'warning',
    says: /hide a failure/,
  },
  {
    name: 'R-07: a placeholder in argv',
    breakIt: (g) => put(g['commands']?.[2], { argv: ['scan', '<directory>'] }),
    path: 'commands[2].argv[1]',
    rule: 'R-07',
    says: /placeholder/,
  },
  {
    name: 'R-08: an empty toolchain',
    breakIt: (g) => put(g, { toolchain: [] }),
    path: 'toolchain',
    rule: 'R-01',
    says: /./,
  },
  {
    name: 'R-08: a toolchain to be filled in',
    breakIt: (g) => put(g['toolchain']?.[0], { release: 'FILL IN' }),
    path: 'toolchain[0]',
    rule: 'R-08',
    says: /placeholder/,
  },
  {
    name: 'R-08: records that are the whole repository',
    breakIt: (g) => put(g, { records: '.' }),
    path: 'records',
    rule: 'R-08',
    says: /directory of its own/,
  },
  {
    name: 'R-08: a surface among the records',
    breakIt: (g) => put(g, { records: 'src' }),
    path: 'scope.surfaces[0].paths[0]',
    rule: 'R-08',
    says: /no digest of the sources covers/,
  },
  {
    name: 'R-13: no base',
    breakIt: (g) => put(g, { base: null }),
    path: 'base',
    rule: 'R-13',
    severity: 'warning',
    says: /not set/,
  },
  {
    name: 'R-01: a surface that is out of scope',
    breakIt: (g) => put(g['scope']?.['outOfScope']?.[0], { what: 'src/**' }),
    path: 'scope.outOfScope[0].what',
    rule: 'R-01',
    says: /puts in/,
  },
  {
    name: 'R-01: a part of a surface that is out of scope',
    breakIt: (g) => put(g['scope']?.['outOfScope']?.[0], { what: 'src/auth/old/**' }),
    path: 'scope.outOfScope[0].what',
    rule: 'R-01',
    severity: 'warning',
    says: /overlaps/,
  },
  {
    name: 'R-34: a reviewer who implements',
    breakIt: (g) => put(g['packets']?.[1], { reviewer: 'ann' }),
    path: 'packets[1].reviewer',
    rule: 'R-13',
    says: /also implements/,
  },
  {
    name: 'R-13: a second reviewer who implements',
    breakIt: (g) => put(g['packets']?.[2], { secondReviewer: 'bob' }),
    path: 'packets[2].secondReviewer',
    rule: 'R-13',
    says: /also implements/,
  },
  {
    name: 'R-13: a second reviewer who is the first',
    breakIt: (g) => put(g['packets']?.[2], { secondReviewer: 'ann' }),
    path: 'packets[2].secondReviewer',
    rule: 'R-13',
    says: /first reviewer/,
  },
  {
    name: 'R-13: an unknown person',
    breakIt: (g) => put(g['packets']?.[1], { reviewer: 'eve' }),
    path: 'packets[1].reviewer',
    rule: 'R-13',
    says: /no person `eve`/,
  },
  {
    name: 'R-13: a person without the role',
    breakIt: (g) => put(g['packets']?.[1], { reviewer: 'dan' }),
    path: 'packets[1].reviewer',
    rule: 'R-13',
    says: /does not have the role reviewer/,
  },
  {
    name: 'R-13: a person without a key',
    breakIt: (g) => put(g['people']?.[2], { keys: [] }),
    path: 'people[2].keys',
    rule: 'R-13',
    says: /no key/,
  },
  {
    name: 'R-13: a text that is no key',
    breakIt: (g) => put(g['people']?.[2], { keys: [keyOf(3).slice(4)] }),
    path: 'people[2].keys[0]',
    rule: 'R-13',
    says: /no Ed25519 public key/,
  },
  {
    name: 'R-34: one key of two people, as PEM and as base64',
    breakIt: (g) => put(g['people']?.[2], { keys: [pemOf(1)] }),
    path: 'people[2].keys[0]',
    rule: 'R-13',
    says: /the key of `ann`/,
  },
  {
    name: 'R-34: one key twice of one person',
    breakIt: (g) => put(g['people']?.[0], { keys: [keyOf(1), pemOf(1)] }),
    path: 'people[0].keys[1]',
    rule: 'R-13',
    says: /listed twice/,
  },
  {
    name: 'R-13: one address in git of two people',
    breakIt: (g) => put(g['people']?.[1], { git: ['Ann@shop.example'] }),
    path: 'people[1].git[0]',
    rule: 'R-13',
    says: /how `ann` commits/,
  },
  {
    name: 'R-13: a reviewer who cannot be told from an author',
    breakIt: (g) => put(g['people']?.[2], { git: [] }),
    path: 'people[2].git',
    rule: 'R-13',
    severity: 'warning',
    says: /cannot be told/,
  },
  {
    name: 'R-18: one contact of two people',
    breakIt: (g) => put(g['people']?.[3], { contact: 'ann@shop.example' }),
    path: 'people[3].contact',
    rule: 'R-18',
    severity: 'warning',
    says: /one person/,
  },
  {
    name: 'R-18: somebody who cannot be reached',
    breakIt: (g) => put(g['people']?.[3], { contact: 'over there' }),
    path: 'people[3].contact',
    rule: 'R-01',
    says: /telephone/,
  },
  {
    name: 'R-13: nobody who may issue',
    breakIt: (g) => put(g['people']?.[3], { roles: ['approver'] }),
    path: 'people',
    rule: 'R-13',
    says: /role issuer/,
  },
  {
    name: 'R-13: only issuers who review',
    breakIt: (g) => {
      put(g['people']?.[3], { roles: ['approver'] });
      put(g['people']?.[2], { roles: ['reviewer', 'issuer'] });
    },
    path: 'people',
    rule: 'R-13',
    says: /every issuer/,
  },
];

describe('lint', () => {
  it('R-01: a sound gate has no problem', () => {
    const { gate, problems } = parseGate(SOUND);
    assert.deepEqual(problems, []);
    assert.equal(gate?.packets.length, 3);
  });

  for (const { name, breakIt, path, rule, severity = 'error', says } of cases) {
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
