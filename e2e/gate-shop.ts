/** A small shop with a gate that would be GO, but for what a test varies; worked on in process, which is faster. */
import assert from 'node:assert/strict';
import { freeze } from '../apps/cli/src/commands/gate/freeze.ts';
import { move } from '../apps/cli/src/commands/gate/packets.ts';
import { review } from '../apps/cli/src/commands/gate/review.ts';
import { runCommands } from '../apps/cli/src/commands/gate/run.ts';
import { verdict } from '../apps/cli/src/commands/gate/verdict.ts';
import { filledIn, GateRepository, NODE } from './gate-repository.ts';

export interface Variation {
  /** What the program under test prints. */
  readonly tap?: string;
  readonly exitCode?: number;
  readonly surfaceTests?: string;
  /** Added to the command, to the file, … as YAML. */
  readonly command?: string;
  readonly commands?: string;
  readonly milestone?: string;
  readonly packetCommands?: string;
  readonly release?: string;
  readonly reviewer?: string;
  readonly readerKeyOf?: string;
}

const { signal } = new AbortController();
const GOOD_TAP = 'TAP version 13\n1..1\nok 1 - tenants are apart\n';

/** A repository whose gate would be GO, but for `variation`. */
export class Shop extends GateRepository {
  constructor(t: { after(fn: () => void): void }, variation: Variation = {}) {
    super(t);
    const keys = new Map(['maker', 'reader', 'decider'].map((id) => [id, this.addPerson(id)]));
    const { tap = GOOD_TAP, exitCode = 0 } = variation;
    this.write('src/shop.txt', 'the shop\n');
    this.write('test.mjs', `process.stdout.write(${JSON.stringify(tap)}); process.exitCode = ${exitCode};\n`);
    this.write('gate.yaml', gateYaml(keys, variation));
    this.commit('the shop');
  }

  as(person: string) {
    return { directory: this.root, file: 'gate.yaml', key: this.keyOf(person), json: true };
  }

  async freezeAndApprove(): Promise<void> {
    await freeze(this.as('maker'), signal);
    await move('submit', '00', this.as('maker'), signal);
    await this.approve('reader', '00');
  }

  override async approve(reviewer: string, packet: string): Promise<string> {
    const options = { ...this.as(reviewer) };
    await review(packet, { ...options, template: true }, signal);
    const file = `.gate/review-${packet}.yaml`;
    this.write(file, filledIn(this.read(file)));
    return (await review(packet, { ...options, approve: true }, signal)).text;
  }

  async doPacket(): Promise<void> {
    await move('start', '01', this.as('maker'), signal);
    await this.runs('maker', '01');
    await move('submit', '01', this.as('maker'), signal);
    await this.runs('reader', '01');
    await this.approve('reader', '01');
  }

  async runs(person: string, packet: string | undefined): Promise<void> {
    await runCommands(packet, { ...this.as(person), milestone: packet === undefined, mutations: true }, signal);
  }

  /** Everything that a release does, up to the verdict. */
  async walk(): Promise<void> {
    await this.freezeAndApprove();
    await this.doPacket();
    await this.runs('maker', undefined);
  }

  async isNoGo(reason: RegExp): Promise<void> {
    const { text, exitCode } = await verdict({ ...this.as('decider') }, signal);
    assert.match(text, reason);
    assert.match(text, /^(NO_GO|INCONCLUSIVE) /);
    assert.ok(exitCode === 20 || exitCode === 30, text);
  }
}

export const gateYaml = (keys: ReadonlyMap<string, string>, variation: Variation): string => `
version: 1
id: shop
title: The shop
release: 2.0.0
resource: pkg:generic/shop
base: null
scope:
  surfaces:
    - { id: tenants, title: Tenants, paths: ["src/**"], tests: ["${variation.surfaceTests ?? 'tenants are apart'}"] }
rubric:
  P0: [{ id: leak, text: Data of one customer reaches another }]
  P1: [{ id: unproven, text: A protection that nothing shows }]
  P2: [{ id: minor, text: A defect with a workaround }]
toolchain:
  - { name: node, argv: ["${NODE}", "--version"], release: "${variation.release ?? process.version}" }
commands:
  - { id: tests, kind: test, argv: ["${NODE}", "test.mjs"], report: { format: tap, from: stdout }, floor: 1${variation.command ?? ''} }
${variation.commands ?? ''}
packets:
  - { id: "00", title: Scope freeze, checklist: [Agreed], implementer: maker, reviewer: reader }
  - { id: "01", title: Tenants, checklist: [Replayed], commands: ${variation.packetCommands ?? '[tests]'}, implementer: maker, reviewer: ${variation.reviewer ?? 'reader'} }
milestone: ${variation.milestone ?? '[tests]'}
people:
  - { id: maker, name: Maker, contact: maker@example.com, roles: [implementer, reviewer], keys: ["${keys.get('maker') ?? ''}"], git: [maker@example.com] }
  - { id: reader, name: Reader, contact: reader@example.com, roles: [reviewer], keys: ["${keys.get(variation.readerKeyOf ?? 'reader') ?? ''}"], git: [reader@example.com] }
  - { id: decider, name: Decider, contact: decider@example.com, roles: [issuer, approver], keys: ["${keys.get('decider') ?? ''}"], git: [decider@example.com] }
`;
