/**
 * Legal stories of a gate, for tests: records as they come out of a log, with everything in them that
 * must fit together (digests, checkpoints, sessions), and a clock that goes on by a second for each.
 * Nothing is signed; that the log only holds what was signed is proven elsewhere.
 */
import { canonicalJson } from '@holdfast/core';
import { GrowingTree, leafHash, sha256Hex } from '@holdfast/crypto';
import type { ScanSummary } from '@holdfast/scan';
import { stringify } from 'yaml';
import { hasScan } from '../src/evidence/run-faults.ts';
import { commandDigest } from '../src/gate-file/definition-digest.ts';
import type { Gate } from '../src/gate-file/gate-schema.ts';
import { parseGate } from '../src/gate-file/parse-gate.ts';
import type { RunRecord, Source, TestResult } from '../src/records/run-record.ts';
import type { CommandRun, GateRecord, PredicateOf, RecordKind } from '../src/records/statements.ts';

/** A tree, by a letter; commit and digest follow from it. */
export const sourceOf = (letter: string): Source => ({
  commit: sha256Hex(`commit ${letter}`).slice(0, 40),
  tree: sha256Hex(`tree ${letter}`),
  dirtyFiles: 0,
});
export const SOURCE = sourceOf('a');
export const FIXED = sourceOf('b');
export const START_MS = Date.parse('2026-03-02T08:00:00.000Z');

const person = (id: string, roles: readonly string[]) => ({
  id,
  name: id,
  contact: `${id}@example.com`,
  roles,
  keys: [Buffer.from(sha256Hex(id), 'hex').toString('base64')],
  git: [`${id}@example.com`],
});
const packet = (id: string, commands: readonly string[]) => ({
  id,
  title: `Packet ${id}`,
  checklist: ['all read'],
  commands,
  implementer: 'ann',
  reviewer: 'bob',
  secondReviewer: 'cleo',
});

/** A shop with two surfaces, unit tests, a secret scan and a build; two packets beside `00`. */
export const SHOP = {
  version: 1,
  id: 'shop',
  title: 'Shop',
  release: '1.0.0',
  resource: 'pkg:npm/shop',
  scope: {
    surfaces: [
      { id: 'web', title: 'Web', paths: ['src/web/**'], tests: ['web > *'] },
      { id: 'db', title: 'Database', paths: ['src/db/**'], tests: ['db > *'] },
    ],
  },
  rubric: {
    P0: [{ id: 'leak', text: 'data of one customer is shown to another' }],
    P1: [{ id: 'wrong', text: 'a wrong result' }],
    P2: [{ id: 'ugly', text: 'no harm' }],
  },
  toolchain: [{ name: 'node', argv: ['node', '--version'], release: 'v26.10.0' }],
  commands: [
    { id: 'unit', kind: 'test', argv: ['npm', 'test'], report: { format: 'tap', from: 'stdout' }, floor: 2 },
    { id: 'secrets', kind: 'scan', argv: ['scan', 'secrets'], report: { format: 'scan', from: 'stdout' } },
    { id: 'build', kind: 'build', argv: ['npm', 'run', 'build'] },
  ],
  packets: [packet('00', []), packet('a', ['unit']), packet('b', ['secrets', 'build'])],
  milestone: ['unit', 'secrets'],
  people: [
    person('ann', ['implementer']),
    person('bob', ['reviewer']),
    person('cleo', ['reviewer', 'approver']),
    person('dan', ['issuer']),
    person('eve', ['approver']),
  ],
};

export const TESTS: readonly TestResult[] = [
  { id: 'web > shows a cart', status: 'passed' },
  { id: 'db > keeps an order', status: 'passed' },
];

export const CLEAN_SCAN: ScanSummary = {
  format: 'holdfast-scan/v1',
  scanner: 'secrets',
  rules: { name: 'holdfast', version: '1', count: 50 },
  state: 'complete',
  reasons: [],
  coverage: { files: 100, bytes: 100_000, commits: 10, tags: 1, packages: null, skipped: [] },
  database: null,
  findings: [],
};

export interface StoryOptions {
  /** Of the YAML document, before it is written. */
  readonly gate?: object;
  /** Which records, counted from 0, never make it into the log. */
  readonly omit?: (appended: number) => boolean;
}

export interface RunOptions {
  readonly command: string;
  readonly role?: CommandRun['role'];
  readonly packet?: string | null;
  readonly author?: string;
  readonly source?: Source;
  readonly tests?: readonly TestResult[];
  readonly scan?: Partial<ScanSummary>;
  readonly run?: Partial<RunRecord>;
  readonly session?: Partial<CommandRun>;
  /** Leave out what would be recorded beside it. */
  readonly without?: readonly ('attempt' | 'command-run' | 'test-result' | 'scan-result')[];
}

export class Story {
  readonly records: GateRecord[] = [];
  nowMs = START_MS;
  revision = 0;
  gate: Gate;
  #text: string;
  #asked = 0;
  #ids = 0;
  readonly #tree = new GrowingTree();
  readonly #omit: (appended: number) => boolean;

  constructor({ gate = SHOP, omit = () => false }: StoryOptions = {}) {
    this.#text = stringify(gate, { aliasDuplicateObjects: false });
    this.gate = parse(this.#text);
    this.#omit = omit;
  }

  /** A UUIDv7 of its own. */
  id(): string {
    this.#ids++;
    return `0198a000-0000-7000-8000-${this.#ids.toString(16).padStart(12, '0')}`;
  }

  /** How many records were asked for, also those that were omitted. */
  get asked(): number {
    return this.#asked;
  }

  add<K extends RecordKind>(
    kind: K,
    author: string,
    predicate: Omit<PredicateOf<K>, 'gate' | 'revision' | 'author' | 'at'>,
  ): GateRecord | undefined {
    this.nowMs += 1_000;
    const at = new Date(this.nowMs).toISOString();
    const full = { gate: this.gate.id, revision: this.revision, author, at, ...predicate };
    if (this.#omit(this.#asked++)) return undefined;
    const leaf = leafHash(Buffer.from(JSON.stringify([kind, full])));
    this.#tree.append(leaf);
    const index = this.records.length;
    const keyId = `SHA256:${author}`;
    // The pairing of kind and predicate is this function's signature.
    const record = { kind, predicate: full, index, leaf: hex(leaf), keyId } as unknown as GateRecord;
    this.records.push(record);
    return record;
  }

  get head() {
    return { size: this.records.length, root: hex(this.#tree.root()) };
  }

  /** @param gate a changed file; without it the one of the story */
  freeze(gate?: object): this {
    if (gate !== undefined) {
      this.#text = stringify(gate, { aliasDuplicateObjects: false });
      this.gate = parse(this.#text);
    }
    this.revision++;
    this.add('freeze', 'ann', { gateFile: { text: this.#text, digest: sha256Hex(this.#text) }, source: SOURCE });
    return this;
  }

  get gateFileDigest(): string {
    return sha256Hex(this.#text);
  }

  move(id: string, event: PredicateOf<'transition'>['event'], source = SOURCE): this {
    this.add('transition', this.#packet(id).implementer, { packet: id, event, source, reason: 'as planned' });
    return this;
  }

  review(id: string, over: Partial<PredicateOf<'packet-review'>> = {}): this {
    const pass = { result: 'PASS', note: null } as const;
    const author = over.author ?? this.#packet(id).reviewer;
    const { commands } = this.#packet(id);
    const [first] = commands;
    if (first !== undefined && over.session === undefined && this.#ownSession(id, author) === null)
      this.run({ command: first, role: 'reviewer', packet: id, author, source: over.source ?? SOURCE });
    this.add('packet-review', author, {
      packet: id,
      decision: 'approve',
      source: SOURCE,
      changes: [{ path: 'src/web/cart.ts', reason: 'the feature' }],
      authors: ['ann@example.com'],
      session: this.#ownSession(id, author),
      checklist: [{ item: 'all read', done: true }],
      checks: { integrity: pass, behaviour: pass, record: pass },
      residualRisk: 'none that we know',
      rollback: { plan: 'revert the commit', changesDataOrConfiguration: false },
      checkpoint: { ...this.head, commit: (over.source ?? SOURCE).commit },
      ...over,
    });
    return this;
  }

  /** One command in a session of its own, good unless told otherwise. @returns the run's id */
  run(options: RunOptions): string {
    const { command, role = 'implementer', packet = null, source = SOURCE, without = [] } = options;
    const author = options.author ?? this.#runner(role, packet);
    const [session, id] = [this.id(), this.id()];
    const place = { session, role, packet };
    if (!without.includes('attempt')) this.add('attempt', author, { ...place, commands: [command], source });
    const startedAt = new Date(this.nowMs).toISOString();
    const definition = this.gate.commands.find((each) => each.id === command);
    const tests = definition?.report?.format === 'tap' ? (options.tests ?? TESTS) : null;
    const output = { bytes: 10, digest: sha256Hex('output'), at: 0, kept: 10 };
    const run: RunRecord = {
      id,
      command,
      commandDigest: definition === undefined ? sha256Hex('none') : commandDigest(definition),
      argv: definition?.argv ?? ['none'],
      mutation: null,
      before: source,
      after: source,
      startedAt,
      durationMs: 500,
      ending: 'itself',
      exitCode: 0,
      signal: null,
      stdout: output,
      stderr: output,
      report: definition?.report ? { ...output, format: definition.report.format, status: 'read' } : null,
      tests: tests === null ? null : { ...countsOf(tests), digest: sha256Hex(canonicalJson(tests)) },
      cached: false,
      matches: null,
      sandbox: null,
      ...options.run,
    };
    const sealed = {
      ...place,
      host: { name: 'desk', system: 'linux', release: '6.1', architecture: 'x64' },
      toolchain: [{ name: 'node', version: 'v26.10.0', executable: null }],
      environmentDigest: sha256Hex('environment'),
      cachesOff: true,
      pack: { digest: sha256Hex('pack'), bytes: 30 },
      runs: [run],
      ...options.session,
    };
    if (without.includes('command-run')) return id;
    this.add('command-run', author, sealed);
    if (tests !== null && !without.includes('test-result'))
      this.add('test-result', author, { session, run: id, tests: [...tests] });
    if (definition !== undefined && hasScan(definition) && !without.includes('scan-result'))
      this.add('scan-result', author, { session, run: id, scan: { ...CLEAN_SCAN, ...options.scan } });
    return id;
  }

  /** A packet from whatever is legal to approved, with all its evidence. */
  carry(id: string, source = SOURCE): this {
    const { commands } = this.#packet(id);
    if (id !== '00') this.move(id, 'start', source);
    for (const command of commands) this.run({ command, role: 'implementer', packet: id, source });
    this.move(id, 'submit', source);
    for (const command of commands) this.run({ command, role: 'reviewer', packet: id, source });
    return this.#approve(id, source);
  }

  /** A packet that was approved, once more: to submit and have reviewed what changed since. */
  redo(id: string, source = SOURCE): this {
    this.move(id, 'reopen', source);
    for (const command of this.#packet(id).commands) this.run({ command, role: 'implementer', packet: id, source });
    this.move(id, 'submit', source);
    for (const command of this.#packet(id).commands) this.run({ command, role: 'reviewer', packet: id, source });
    return this.#approve(id, source);
  }

  /** With the reviewer's own session, or one that never was when that was left out of the story. */
  #approve(id: string, source: Source): this {
    const { commands, reviewer } = this.#packet(id);
    const session = commands.length === 0 ? null : (this.#ownSession(id, reviewer) ?? this.id());
    return this.review(id, { source, session });
  }

  /** */
  milestone(source = SOURCE): this {
    for (const command of this.gate.milestone) this.run({ command, role: 'milestone', source });
    return this;
  }

  finding(over: Partial<PredicateOf<'finding'>> = {}): GateRecord | undefined {
    const { author = 'bob', ...rest } = over;
    const severity = over.severity ?? 'P1';
    return this.add('finding', author, {
      id: 'F-1',
      title: 'a wrong total',
      surface: 'web',
      packet: 'a',
      location: 'src/web/cart.ts:10',
      severity,
      clause: { P0: 'leak', P1: 'wrong', P2: 'ugly' }[severity],
      defect: 'code',
      disposition: 'open',
      fingerprint: null,
      evidence: [],
      reason: 'seen in review',
      ...rest,
    });
  }

  /** Of `F-1`, as condition `C-1`, due and expiring in the days after the story's start. */
  accept(over: Partial<PredicateOf<'risk-acceptance'>> = {}): GateRecord | undefined {
    const { author = 'cleo', ...rest } = over;
    return this.add('risk-acceptance', author, {
      finding: 'F-1',
      reason: 'rare, and seen by support',
      release: this.gate.release,
      expires: '2026-03-06',
      control: { text: 'totals are checked at the counter', command: 'unit' },
      condition: { id: 'C-1', text: 'the total is right', command: 'unit', owner: 'ann', due: '2026-03-05' },
      previous: null,
      waivers: 0,
      ...rest,
    });
  }

  #packet(id: string): Gate['packets'][number] {
    const found = this.gate.packets.find((each) => each.id === id);
    if (found === undefined) throw new TypeError(`the story's gate has no packet ${id}`);
    return found;
  }

  /** The newest in which `author` ran commands of the packet as reviewer since it was submitted. */
  #ownSession(id: string, author: string): string | null {
    const submitted = this.records.findLastIndex(
      ({ kind, predicate }) => kind === 'transition' && predicate.packet === id && predicate.event === 'submit',
    );
    const own = this.records
      .slice(submitted)
      .filter((record) => record.kind === 'command-run')
      .findLast(
        ({ predicate }) => predicate.author === author && predicate.packet === id && predicate.role === 'reviewer',
      );
    return own?.predicate.session ?? null;
  }

  #runner(role: CommandRun['role'], id: string | null): string {
    if (role === 'milestone' || id === null) return 'dan';
    const { implementer, reviewer } = this.#packet(id);
    return role === 'reviewer' ? reviewer : implementer;
  }
}

/** Everything done and green at `SOURCE`: a GO. */
export function goStory(options: StoryOptions = {}): Story {
  const story = new Story(options).freeze();
  for (const { id } of story.gate.packets) story.carry(id);
  return story.milestone();
}

function parse(text: string): Gate {
  const { gate, problems } = parseGate(text);
  if (gate === null) throw new TypeError(`the story's gate file: ${JSON.stringify(problems)}`);
  return gate;
}

function countsOf(tests: readonly TestResult[]) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status } of tests) counts[status]++;
  return counts;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
