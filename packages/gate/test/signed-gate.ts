/**
 * The log of a gate that is GO, of any size, with real signatures and outputs: for tests of bundles and
 * for the bench. Each packet is started, run, submitted, run again by its reviewer, and approved.
 */
import { canonicalJson } from '@holdfast/core';
import { GrowingTree, leafHash, sha256Hex, type Signer } from '@holdfast/crypto';
import { parse, stringify } from 'yaml';
import {
  commandDigest,
  type Gate,
  type LogBytes,
  type NewRecord,
  parseGate,
  type PredicateOf,
  type RecordKind,
  sealRecord,
  type TestResult,
} from '../src/index.ts';
import { encodeLog } from '../src/log/log-lines.ts';
import { signHead } from '../src/log/signed-head.ts';
import { gateText, GATE_ID, signerOf, SOURCE } from './sample-gate.ts';

export interface SignedGateOptions {
  readonly packets: number;
  /** Of which each packet requires all; the first is a test, the others are builds. */
  readonly commands: number;
}

export const START_MS = Date.parse('2026-03-02T08:00:00.000Z');
const OUTPUT = Buffer.from('ok 1 - a test\n');
const TESTS: readonly TestResult[] = [{ id: 'web > shows a cart', status: 'passed' }];

export class SignedGate {
  readonly text: string;
  readonly gate: Gate;
  readonly objects: readonly Uint8Array[];
  /** Of the newest record. */
  nowMs = START_MS;
  readonly #envelopes: Uint8Array[] = [];
  readonly #tree = new GrowingTree();
  readonly #pack: Buffer;
  #ids = 0;
  #last: Signer = signerOf('ann');

  constructor({ packets, commands }: SignedGateOptions) {
    this.text = textOf(packets, commands);
    const { gate, problems } = parseGate(this.text);
    if (gate === null) throw new TypeError(JSON.stringify(problems));
    this.gate = gate;
    this.#pack = Buffer.concat(gate.commands.map(() => OUTPUT));
    this.objects = [this.#pack];
    this.add('freeze', 'ann', { gateFile: { digest: sha256Hex(this.text), text: this.text }, source: SOURCE });
    for (const { id, commands: wanted } of gate.packets) {
      if (id !== '00') this.#move(id, 'start');
      this.#session('implementer', 'ann', id, wanted);
      this.#move(id, 'submit');
      this.#review(id, this.#session('reviewer', 'bob', id, wanted));
    }
    this.#session('milestone', 'dora', null, gate.milestone);
  }

  get head() {
    return { size: this.#tree.size, root: Buffer.from(this.#tree.root()).toString('hex') };
  }

  get bytes(): LogBytes {
    return { log: encodeLog(this.#envelopes), checkpoint: signHead(GATE_ID, this.head, this.#last) };
  }

  add<K extends RecordKind>(
    kind: K,
    author: string,
    predicate: Omit<PredicateOf<K>, 'gate' | 'revision' | 'author' | 'at'>,
  ): void {
    this.nowMs += 1_000;
    const header = { gate: GATE_ID, revision: 1, author, at: new Date(this.nowMs).toISOString() };
    // The pairing of kind and predicate is this function's signature.
    const record = { kind, predicate: { ...header, ...predicate } } as unknown as NewRecord;
    this.#last = signerOf(author);
    const envelope = sealRecord(record, this.#last);
    this.#envelopes.push(envelope);
    this.#tree.append(leafHash(envelope));
  }

  /** A UUIDv7 of its own. */
  #id(): string {
    this.#ids++;
    return `0198a000-0000-7000-8000-${this.#ids.toString(16).padStart(12, '0')}`;
  }

  #move(packet: string, event: 'start' | 'submit'): void {
    this.add('transition', 'ann', { packet, event, source: SOURCE, reason: null });
  }

  #session(
    role: 'implementer' | 'reviewer' | 'milestone',
    author: string,
    packet: string | null,
    commands: readonly string[],
  ): string | null {
    if (commands.length === 0) return null;
    const session = this.#id();
    this.add('attempt', author, { session, role, packet, commands: [...commands], source: SOURCE });
    const runs = commands.map((command, at) => this.#run(command, at));
    this.add('command-run', author, {
      session,
      role,
      packet,
      host: { name: 'desk', system: 'linux', release: '6.1', architecture: 'x64' },
      toolchain: [{ name: 'node', version: 'v26.10.0', executable: null }],
      environmentDigest: sha256Hex('environment'),
      cachesOff: true,
      pack: { digest: sha256Hex(this.#pack), bytes: this.#pack.length },
      runs,
    });
    for (const { id, tests } of runs)
      if (tests !== null) this.add('test-result', author, { session, run: id, tests: [...TESTS] });
    return session;
  }

  #run(id: string, at: number): PredicateOf<'command-run'>['runs'][number] {
    const command = this.gate.commands.find((each) => each.id === id);
    if (command === undefined) throw new TypeError(`no command ${id}`);
    const kept = { bytes: OUTPUT.length, digest: sha256Hex(OUTPUT), at: at * OUTPUT.length, kept: OUTPUT.length };
    const silent = { bytes: 0, digest: sha256Hex(''), at: 0, kept: 0 };
    const isTest = command.kind === 'test';
    return {
      id: this.#id(),
      command: id,
      commandDigest: commandDigest(command),
      argv: command.argv,
      mutation: null,
      before: SOURCE,
      after: SOURCE,
      startedAt: new Date(this.nowMs).toISOString(),
      durationMs: 812.5,
      ending: 'itself',
      exitCode: 0,
      signal: null,
      stdout: kept,
      stderr: silent,
      report: isTest ? { ...kept, format: 'tap', status: 'read' } : null,
      tests: isTest
        ? { passed: TESTS.length, failed: 0, skipped: 0, digest: sha256Hex(canonicalJson([...TESTS])) }
        : null,
      cached: false,
      matches: null,
      sandbox: null,
    };
  }

  #review(packet: string, session: string | null): void {
    const pass = { result: 'PASS', note: null } as const;
    this.add('packet-review', 'bob', {
      packet,
      decision: 'approve',
      source: SOURCE,
      changes: [{ path: 'src/web/cart.ts', reason: 'the feature' }],
      authors: ['ann@example.com'],
      session,
      checklist: [{ item: 'all read', done: true }],
      checks: { integrity: pass, behaviour: pass, record: pass },
      residualRisk: 'none that we know',
      rollback: { plan: 'revert the commit', changesDataOrConfiguration: false },
      checkpoint: { ...this.head, commit: SOURCE.commit },
    });
  }
}

function textOf(packets: number, commands: number): string {
  const ids = Array.from({ length: commands }, (_, at) => (at === 0 ? 'unit' : `build-${at}`));
  // As it comes out of the sample, with more of everything.
  const sample = parse(gateText()) as { packets: { id: string }[] };
  const template = sample.packets.at(-1);
  return stringify(
    {
      ...sample,
      commands: ids.map((id) =>
        id === 'unit'
          ? { id, kind: 'test', argv: ['npm', 'test'], report: { format: 'tap', from: 'stdout' }, floor: 1 }
          : { id, kind: 'build', argv: ['npm', 'run', id] },
      ),
      packets: [
        sample.packets[0],
        ...Array.from({ length: packets }, (_, at) => ({
          ...template,
          id: `p${at}`,
          title: `Packet ${at}`,
          commands: ids,
        })),
      ],
      milestone: ids,
    },
    { aliasDuplicateObjects: false },
  );
}
