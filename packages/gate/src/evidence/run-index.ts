/**
 * Every attempt at every command, found in one pass over the records and looked up by who ran what for
 * which packet. It pairs announcements with what came of them; whether it counts is `judge-evidence.ts`.
 */
import { canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { ScanSummary } from '@holdfast/scan';
import type { Board } from '../board/board.ts';
import type { GateCommand, Packet, Person } from '../gate-file/gate-schema.ts';
import type { RUN_ROLES, RunRecord, Source, TestResult } from '../records/run-record.ts';
import type { Invalidity } from '../verdict/assessment.ts';
import { type FindingNames, nameFindings } from './finding-names.ts';
import { faultsOf } from './run-faults.ts';
import type { CommandRun, GateRecord, RecordOf } from '../records/statements.ts';

export type RunRole = (typeof RUN_ROLES)[number];

/** One command of one session: announced, and mostly also run. */
export interface Attempt {
  readonly command: string;
  readonly role: RunRole;
  readonly packet: string | null;
  readonly author: string;
  /** What was tested, or was about to be. */
  readonly source: Source;
  /** Place in the log of the announcement; `null` for a result that nobody announced. */
  readonly announcedIndex: number | null;
  /** Place of the last record about it: of the result, or of the announcement when it never came back. */
  readonly index: number;
  readonly session: CommandRun | null;
  /** `null`: started and never came back. */
  readonly run: RunRecord | null;
  /** What is wrong with it in itself, by its command as it is frozen now. */
  readonly faults: readonly Invalidity[];
}

export interface RunIndex {
  readonly board: Board;
  readonly commands: ReadonlyMap<string, GateCommand>;
  readonly packets: ReadonlyMap<string, Packet>;
  readonly people: ReadonlyMap<string, Person>;
  /** In the order of the log. */
  attempts(command: string, role: RunRole, packet: string | null): readonly Attempt[];
  /** Of everybody, for every packet, in the order of the log; without mutation runs. */
  attemptsOf(command: string): readonly Attempt[];
  /** Runs of `command` with the protection of `test` removed, in the order of the log. */
  mutations(command: string, test: string): readonly Attempt[];
  /** @returns `undefined` also when two runs claim the id: then it names neither */
  byRun(run: string): Attempt | undefined;
  /** Whether two runs claim the id. */
  isReused(run: string): boolean;
  /**
   * The tests of a run: those whose digest and counts stand in it, by the same author and session.
   *
   * @returns `null` when there are none: counts without the tests they count are a summary
   */
  tests(attempt: Attempt): readonly TestResult[] | null;
  /** The id of a scanner's finding. */
  readonly nameOf: FindingNames;
  /** What a run of a scanner found. @returns `null` when that is missing, or told twice */
  scan(attempt: Attempt): ScanSummary | null;
}

/** @param records in the order of the log, verified */
export function indexRuns(board: Board, records: readonly GateRecord[]): RunIndex {
  const pairs = new SessionPairs();
  const tests = new Map<string, RecordOf<'test-result'>[]>();
  const scans = new Map<string, RecordOf<'scan-result'>[]>();
  for (const record of records) {
    if (record.kind === 'attempt') pairs.announce(record);
    else if (record.kind === 'command-run') pairs.answer(record);
    else if (record.kind === 'test-result') append(tests, record.predicate.run, record);
    else if (record.kind === 'scan-result') append(scans, record.predicate.run, record);
  }
  return new IndexedRuns(board, pairs, tests, scans, nameFindings(records));
}

class IndexedRuns implements RunIndex {
  readonly board: Board;
  readonly commands: ReadonlyMap<string, GateCommand>;
  readonly packets: ReadonlyMap<string, Packet>;
  readonly people: ReadonlyMap<string, Person>;
  readonly nameOf: FindingNames;
  /** By command, packet and role: maps in maps, because joined keys cost more than all else at 100,000 runs. */
  readonly #byPlace = new Map<string, Map<string | null, Map<RunRole, Attempt[]>>>();
  readonly #byCommand = new Map<string, Attempt[]>();
  readonly #byMutation = new Map<string, Attempt[]>();
  readonly #byRun = new Map<string, Attempt>();
  readonly #reused = new Set<string>();
  readonly #tests: ReadonlyMap<string, readonly RecordOf<'test-result'>[]>;
  readonly #scans: ReadonlyMap<string, readonly RecordOf<'scan-result'>[]>;
  /** Digests over long lists of tests are made once, and only for runs that are judged. */
  readonly #checked = new Map<RunRecord, readonly TestResult[] | null>();

  constructor(
    board: Board,
    pairs: SessionPairs,
    tests: ReadonlyMap<string, readonly RecordOf<'test-result'>[]>,
    scans: ReadonlyMap<string, readonly RecordOf<'scan-result'>[]>,
    nameOf: FindingNames,
  ) {
    this.board = board;
    this.commands = new Map(board.freeze?.gate.commands.map((command) => [command.id, command]));
    this.packets = new Map(board.freeze?.gate.packets.map((packet) => [packet.id, packet]));
    this.people = new Map(board.freeze?.gate.people.map((person) => [person.id, person]));
    this.#tests = tests;
    this.#scans = scans;
    this.nameOf = nameOf;
    for (const attempt of pairs.attempts(this.commands)) this.#add(attempt);
  }

  #add(attempt: Attempt): void {
    const { run, command, role, packet } = attempt;
    if (run !== null) {
      if (this.#byRun.has(run.id)) this.#reused.add(run.id);
      this.#byRun.set(run.id, attempt);
    }
    if (role === 'mutation' || run?.mutation) {
      if (run?.mutation) append(this.#byMutation, `${command} ${run.mutation.test}`, attempt);
      return;
    }
    append(inner(inner(this.#byPlace, command), packet), role, attempt);
    append(this.#byCommand, command, attempt);
  }

  attempts(command: string, role: RunRole, packet: string | null): readonly Attempt[] {
    return this.#byPlace.get(command)?.get(packet)?.get(role) ?? [];
  }

  attemptsOf(command: string): readonly Attempt[] {
    return this.#byCommand.get(command) ?? [];
  }

  mutations(command: string, test: string): readonly Attempt[] {
    return this.#byMutation.get(`${command} ${test}`) ?? [];
  }

  byRun(run: string): Attempt | undefined {
    return this.#reused.has(run) ? undefined : this.#byRun.get(run);
  }

  isReused(run: string): boolean {
    return this.#reused.has(run);
  }

  tests(attempt: Attempt): readonly TestResult[] | null {
    const { run } = attempt;
    if (run === null || run.tests === null) return null;
    let known = this.#checked.get(run);
    if (known === undefined) {
      const fitting = this.#tests.get(run.id)?.find((record) => isOf(attempt, record) && fits(run, record));
      known = fitting?.predicate.tests ?? null;
      this.#checked.set(run, known);
    }
    return known;
  }

  scan(attempt: Attempt): ScanSummary | null {
    const told = this.#scans.get(attempt.run?.id ?? '')?.filter((record) => isOf(attempt, record)) ?? [];
    // Nothing in the run names its report's findings, so a second telling could only hide the first.
    return told.length === 1 ? (told[0]?.predicate.scan ?? null) : null;
  }
}

/** Pairs each result with the announcement before it: same author, session, role, packet and command. */
class SessionPairs {
  readonly #sessions: { announced: RecordOf<'attempt'> | null; result: RecordOf<'command-run'> | null }[] = [];
  readonly #open = new Map<string, { announced: RecordOf<'attempt'>; result: RecordOf<'command-run'> | null }>();

  announce(announced: RecordOf<'attempt'>): void {
    const session = { announced, result: null };
    this.#sessions.push(session);
    this.#open.set(sessionKey(announced.predicate), session);
  }

  answer(result: RecordOf<'command-run'>): void {
    const key = sessionKey(result.predicate);
    const session = this.#open.get(key);
    const said = session?.announced.predicate;
    if (session === undefined || said?.role !== result.predicate.role || said.packet !== result.predicate.packet) {
      this.#sessions.push({ announced: null, result });
      return;
    }
    session.result = result;
    this.#open.delete(key);
  }

  attempts(definitions: ReadonlyMap<string, GateCommand>): readonly Attempt[] {
    const all: Attempt[] = [];
    for (const { announced, result } of this.#sessions) {
      const commands = new Set(announced?.predicate.commands);
      const answered = new Set(result?.predicate.runs.map(({ command }) => command));
      if (result !== null) {
        for (const run of result.predicate.runs) {
          const announcedIndex = commands.has(run.command) ? (announced?.index ?? null) : null;
          // What a mutation run tests is a changed copy; what it is a copy of was announced.
          const source = run.mutation === null ? run.before : (announced?.predicate.source ?? run.before);
          all.push(attemptOf(result, run.command, source, announcedIndex, run, definitions));
        }
      }
      if (announced === null) continue;
      for (const command of announced.predicate.commands) {
        if (answered.has(command)) continue;
        const { source } = announced.predicate;
        all.push(attemptOf(result ?? announced, command, source, announced.index, null, definitions));
      }
    }
    // Sessions of several people overlap; what counts is the order in which they ended.
    return all.toSorted((one, other) => one.index - other.index);
  }
}

function attemptOf(
  record: RecordOf<'attempt'> | RecordOf<'command-run'>,
  command: string,
  source: Source,
  announcedIndex: number | null,
  run: RunRecord | null,
  definitions: ReadonlyMap<string, GateCommand>,
): Attempt {
  const { role, packet, author } = record.predicate;
  const session = record.kind === 'command-run' ? record.predicate : null;
  const faults = faultsOf(run, definitions.get(command));
  return { command, role, packet, author, source, announcedIndex, index: record.index, session, run, faults };
}

interface PartOfSession {
  readonly predicate: { readonly author: string; readonly session: string };
}
const isOf = ({ author, session }: Attempt, { predicate }: PartOfSession): boolean =>
  predicate.author === author && predicate.session === session?.session;

/** digest and counts of a run are those of the very list. */
function fits(run: RunRecord, { predicate: { tests } }: RecordOf<'test-result'>): boolean {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status } of tests) counts[status]++;
  const said = run.tests;
  return (
    said !== null &&
    said.passed === counts.passed &&
    said.failed === counts.failed &&
    said.skipped === counts.skipped &&
    said.digest === sha256Hex(canonicalJson(tests))
  );
}

// Ids hold no blanks, so joined by one they stay apart.
const sessionKey = ({ author, session }: { readonly author: string; readonly session: string }): string =>
  `${author} ${session}`;

function inner<K, L, V>(maps: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const known = maps.get(key);
  if (known !== undefined) return known;
  const made = new Map<L, V>();
  maps.set(key, made);
  return made;
}

function append<K, T>(lists: Map<K, T[]>, key: K, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
