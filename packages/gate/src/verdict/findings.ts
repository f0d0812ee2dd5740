/**
 * What is known to be wrong, and whether it still is: findings that people recorded,
 * findings that evidence shows by itself, folded by id in the order of the log. A record that breaks a
 * rule changes nothing, and a reason names it while it matters.
 *
 * How a finding closes: `resolved` points at valid passing runs that ended after the finding was
 * opened: of the command that showed it, or for a defect in code, of tests that reach its surface. A secret closes with two entries of evidence instead, one whose note begins `revoked:` and one
 * whose note begins `replaced:`, each with something behind the colon and the digest or the run that proves it.
 * `false-positive` of a P0 or P1 is by somebody who implements nothing of it. `deferred` is for P2.
 */
import { hasScan } from '../evidence/run-faults.ts';
import { isValidRun } from '../evidence/valid-run.ts';
import type { Attempt, RunIndex } from '../evidence/run-index.ts';
import { GATE_SEVERITIES, type GateSeverity } from '../gate-file/gate-schema.ts';
import type { GateRecord, RecordOf } from '../records/statements.ts';
import type { FindingView, Reason } from './assessment.ts';
import { reaches } from './coverage.ts';
import type { DerivedFinding } from './derived-findings.ts';
import { reason, type ReasonCode } from './reasons.ts';

/** A finding while it is folded; acceptances are not in it yet. */
export interface Finding extends Omit<FindingView, 'status' | 'condition'> {
  readonly status: Exclude<FindingView['status'], 'accepted'>;
  readonly isSecret: boolean;
  /** Acceptances come after this place in the log. */
  readonly foundIndex: number;
  /** What closes it comes after this one. */
  readonly openedIndex: number;
  /** Of every packet that it was ever said to be about: they do not lower, dismiss or accept it. */
  readonly implementers: ReadonlySet<string>;
  /** Records about it that broke a rule. */
  readonly ignored: readonly Reason[];
}

/** A condition that an addendum lifted with a good run: it closes the finding. */
export interface Lift {
  readonly finding: string;
  readonly index: number;
}

export const blocks = ({ severity }: { readonly severity: GateSeverity }): boolean => severity !== 'P2';

/** Under which id a record's finding is folded: that of the scanner's finding it speaks about, or its own. */
export const findingKey = ({ nameOf }: RunIndex, { id, fingerprint }: RecordOf<'finding'>['predicate']): string =>
  fingerprint !== null && /^[0-9a-f]{64}$/.test(fingerprint) ? nameOf(fingerprint) : id;

/** Sorted by id. */
export function foldFindings(
  index: RunIndex,
  records: readonly GateRecord[],
  derived: readonly DerivedFinding[],
  lifts: readonly Lift[],
): readonly Finding[] {
  const folds = new Map<string, FindingFold>();
  for (const finding of derived) folds.set(finding.id, new FindingFold(index, finding));
  const lifted = Map.groupBy(lifts, ({ index: at }) => at);
  for (const record of records) {
    if (record.kind === 'finding') {
      const key = findingKey(index, record.predicate);
      const fold = folds.get(key) ?? new FindingFold(index, null);
      fold.take(key, record);
      folds.set(key, fold);
    }
    for (const lift of lifted.get(record.index) ?? []) folds.get(lift.finding)?.lift(lift.index);
  }
  const findings = [...folds.values()].flatMap(({ finding }) => (finding === null ? [] : [finding]));
  return findings.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class FindingFold {
  readonly #index: RunIndex;
  readonly #derived: DerivedFinding | null;
  /** Who put it at this severity or above: others lower it below. */
  readonly #setBy = new Map<GateSeverity, ReadonlySet<string>>();
  readonly #ignored: Reason[] = [];
  /** Surfaces in which it was ever said to be; tests of all of them show that it is resolved. */
  readonly #surfaces = new Set<string>();
  #isCode = false;
  #isOfScan = false;
  #finding: Mutable<Omit<Finding, 'ignored'>> | null = null;

  constructor(index: RunIndex, derived: DerivedFinding | null) {
    this.#index = index;
    this.#derived = derived;
    if (derived === null) return;
    const { scanner, foundBy, command: _, ...shown } = derived;
    // A scanner looks at everything, whichever packet asked for it.
    const implementers = implementersOf(index, derived.origin === 'scan' ? null : derived.packet);
    const opened = { surface: null, clause: null, status: 'open', isSecret: scanner === 'secrets' } as const;
    this.#finding = { ...shown, ...opened, implementers };
    this.#setFrom(GATE_SEVERITIES.slice(rank(derived.severity)), foundBy.union(implementersOf(index, null)));
  }

  get finding(): Finding | null {
    if (this.#finding === null) return null;
    const matters = this.#finding.status === 'open' && blocks(this.#finding);
    return { ...this.#finding, ignored: matters ? this.#ignored : [] };
  }

  take(id: string, record: RecordOf<'finding'>): void {
    const { title, severity, surface, packet, location, clause, defect, author } = record.predicate;
    const shown = { id, title, surface, location, clause };
    const implementers = implementersOf(this.#index, packet);
    this.#surfaces.add(surface);
    this.#isCode ||= defect === 'code';
    if (this.#finding === null) {
      const { fingerprint } = record.predicate;
      this.#isOfScan = fingerprint !== null && id === this.#index.nameOf(fingerprint);
      const opened = { foundIndex: record.index, openedIndex: record.index, status: 'open', isSecret: false } as const;
      this.#finding = { ...shown, ...opened, packet, severity, origin: 'person', implementers };
      this.#setFrom(GATE_SEVERITIES.slice(rank(severity)), new Set([author]));
    } else {
      // A scanner's own words stay; a packet that was named is not unnamed, or its implementer could dismiss it.
      Object.assign(this.#finding, this.#derived === null ? shown : { surface, clause });
      this.#finding.packet = packet ?? this.#finding.packet;
      if (packet !== null) this.#finding.implementers = this.#finding.implementers.union(implementers);
      const wasTracked = !blocks(this.#finding);
      this.#setSeverity(severity, author);
      if (wasTracked && blocks(this.#finding)) this.#reopen(record.index);
    }
    const rubric = this.#index.board.freeze?.gate.rubric[severity] ?? [];
    if (!rubric.some((each) => each.id === clause)) this.#ignore('clause-unknown', clause);
    this.#dispose(record);
  }

  lift(at: number): void {
    const finding = this.#finding;
    if (finding === null || finding.status !== 'open' || finding.openedIndex >= at) return;
    if (this.#isStillFound() || finding.isSecret) return;
    finding.status = 'resolved';
  }

  /** What anybody may do with a P2 does not hold once it is more. */
  #reopen(at: number): void {
    if (this.#finding?.status !== 'deferred' && this.#finding?.status !== 'false-positive') return;
    this.#finding.status = 'open';
    this.#finding.openedIndex = at;
  }

  /** lowering needs another person than those who set what it is lowered from, and no implementer of it. */
  #setSeverity(severity: GateSeverity, author: string): void {
    const finding = this.#finding;
    if (finding === null) return;
    const [from, to] = [rank(finding.severity), rank(severity)];
    this.#setFrom(GATE_SEVERITIES.slice(to, from), new Set([author]));
    const crossed = GATE_SEVERITIES.slice(from, to);
    const isOwn = crossed.length > 0 && finding.implementers.has(author);
    if (isOwn || crossed.some((each) => this.#setBy.get(each)?.has(author) ?? false)) {
      this.#ignore('severity-lowering-ignored', author);
      return;
    }
    finding.severity = severity;
  }

  #setFrom(severities: readonly GateSeverity[], authors: ReadonlySet<string>): void {
    for (const severity of severities) this.#setBy.set(severity, authors);
  }

  #dispose(record: RecordOf<'finding'>): void {
    const finding = this.#finding;
    const { disposition } = record.predicate;
    if (finding === null) return;
    if (disposition === 'open') {
      // Found again: what closed it before does not close it now.
      if (finding.status !== 'open') finding.openedIndex = record.index;
      finding.status = 'open';
      return;
    }
    // What was said before it happened (again) is about another time.
    if (record.index < finding.openedIndex) return;
    const refusal = this.#refuse(record, finding);
    if (refusal !== null) this.#ignore(refusal, record.predicate.author);
    else if (disposition !== 'deferred' || !blocks(finding)) finding.status = disposition;
  }

  #refuse({ predicate, index }: RecordOf<'finding'>, finding: Omit<Finding, 'ignored'>): ReasonCode | null {
    const { disposition, evidence, author, at } = predicate;
    if (disposition === 'false-positive') {
      return blocks(finding) && finding.implementers.has(author) ? 'dismissal-ignored' : null;
    }
    if (disposition !== 'resolved') return null;
    const claim = { after: finding.openedIndex, before: index, atMs: Date.parse(at) };
    const shown = evidence.filter(({ run }) => run !== null && isValidRun(this.#index, { ...claim, run }));
    if (finding.isSecret) {
      const proven = evidence.filter((each) => each.digest !== null || shown.includes(each));
      return isRevokedAndReplaced(proven) ? null : 'secret-not-closed';
    }
    if (this.#isStillFound()) return 'resolution-contradicted';
    const runs = shown.flatMap(({ run }) => this.#index.byRun(run ?? '') ?? []);
    return this.#isResolvedBy(runs) ? null : 'resolution-not-evidenced';
  }

  /** Good runs, of what the finding is about: any green command would show nothing. */
  #isResolvedBy(runs: readonly Attempt[]): boolean {
    if (this.#derived !== null) return runs.some(({ command }) => command === this.#derived?.command);
    // The newest scan does not see it any more, or it were derived.
    if (this.#isOfScan && runs.some(({ command }) => this.#isScan(command))) return true;
    const surfaces = this.#index.board.freeze?.gate.scope.surfaces ?? [];
    const reached = surfaces.filter(({ id }) => this.#isCode && this.#surfaces.has(id));
    return runs.length > 0 && reached.every((surface) => runs.some((run) => reaches(this.#index, run, surface)));
  }

  #isScan(id: string): boolean {
    const command = this.#index.commands.get(id);
    return command !== undefined && hasScan(command);
  }

  #isStillFound = (): boolean => this.#derived?.origin === 'scan';

  #ignore(code: ReasonCode, detail: string): void {
    this.#ignored.push(reason(code, this.#finding?.id, detail));
  }
}

const rank = (severity: GateSeverity): number => GATE_SEVERITIES.indexOf(severity);

/** Of a packet; of all packets when it is about none of them. */
function implementersOf(index: RunIndex, packet: string | null): ReadonlySet<string> {
  const one = index.packets.get(packet ?? '');
  const packets = one === undefined ? [...index.packets.values()] : [one];
  return new Set(packets.map(({ implementer }) => implementer));
}

type FindingEvidence = RecordOf<'finding'>['predicate']['evidence'];
const isRevokedAndReplaced = (proven: FindingEvidence): boolean =>
  [/^revoked:\s*\S/, /^replaced:\s*\S/].every((pattern) => proven.some(({ note }) => pattern.test(note)));
