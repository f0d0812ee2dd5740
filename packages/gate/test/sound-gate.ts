/** A gate without a single problem, and how one thing in it is broken. */
import assert from 'node:assert/strict';
import { publicKeyPem, signerFromSeed } from '@holdfast/crypto';
import { parse, stringify } from 'yaml';

export const keyOf = (n: number): string =>
  Buffer.from(signerFromSeed(Buffer.alloc(32, n)).publicKey).toString('base64');
export const pemOf = (n: number): string => publicKeyPem(Buffer.from(keyOf(n), 'base64'));

/** A gate without a single problem; every case below breaks one thing in it. */
export const SOUND = `
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
export type Tree = { [key: string]: Tree } & Tree[];
export const broken = (breakIt: (gate: Tree) => void): string => {
  const document = parse(SOUND) as Tree;
  breakIt(document);
  return stringify(document, { aliasDuplicateObjects: false });
};
export const put = (at: Tree | undefined, value: object): void =>
  void Object.assign(at ?? assert.fail('no such place'), value);
