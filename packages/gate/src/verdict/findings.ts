/**
 * What is known to be wrong, and whether it still is: findings that people recorded,
 * findings that evidence shows by itself, folded by id in the order of the log. A record that breaks a
 * rule changes nothing, and a reason names it while it matters.
 *
 * How a finding closes: `resolved` points at a valid passing run that ended after the finding was
 * opened. A secret closes with two entries of evidence instead, one whose note begins `revoked:` and one
 * whose note begins `replaced:`, each with something behind the colon and the digest or the run that proves it.
 * `false-positive` of a P0 or P1 is by somebody who implements nothing of it. `deferred` is for P2.
 */
import { isValidRun } from '../evidence/valid-run.ts';
import type { RunIndex } from '../evidence/run-index.ts';
import { GATE_SEVERITIES, type GateSeverity } from '../gate-file/gate-schema.ts';
import type { GateRecord, RecordOf } from '../records/statements.ts';
import type { FindingView, Reason } from './assessment.ts';
import { type DerivedFinding, scanFindingId } from './derived-findings.ts';
import { reason, type ReasonCode } from './reasons.ts';

/** A finding while it is folded; acceptances are not in it yet. */
export interface Finding extends Omit<FindingView, 'status' | 'condition'> {
  readonly status: Exclude<FindingView['status'], 'accepted'>;
  readonly isSecret: boolean;
  /** Acceptances come after this place in the log. */
  readonly foundIndex: number;
  /** What closes it comes after this one. */
  readonly openedIndex: number;
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
export const findingKey = ({ id, fingerprint }: RecordOf<'finding'>['predicate']): string =>
  fingerprint !== null && /^[0-9a-f]{64}$/.test(fingerprint) ? scanFindingId(fingerprint) : id;

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
      const key = findingKey(record.predicate);
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
  #finding: Mutable<Omit<Finding, 'ignored'>> | null = null;

  constructor(index: RunIndex, derived: DerivedFinding | null) {
    this.#index = index;
    this.#derived = derived;
    if (derived === null) return;
    const { scanner, foundBy, ...shown } = derived;
    this.#finding = { ...shown, surface: null, clause: null, status: 'open', isSecret: scanner === 'secrets' };
    this.#setFrom(GATE_SEVERITIES.slice(rank(derived.severity)), foundBy.union(implementersOf(index, null)));
  }

  get finding(): Finding | null {
    if (this.#finding === null) return null;
    const matters = this.#finding.status === 'open' && blocks(this.#finding);
    return { ...this.#finding, ignored: matters ? this.#ignored : [] };
  }

  take(id: string, record: RecordOf<'finding'>): void {
    const { title, severity, surface, packet, location, clause, author } = record.predicate;
    const shown = { id, title, surface, location, clause };
    if (this.#finding === null) {
      const opened = { foundIndex: record.index, openedIndex: record.index };
      this.#finding = { ...shown, ...opened, packet, severity, origin: 'person', status: 'open', isSecret: false };
      this.#setFrom(GATE_SEVERITIES.slice(rank(severity)), new Set([author]));
    } else {
      // A scanner's own words stay; a packet that was named is not unnamed, or its implementer could dismiss it.
      Object.assign(this.#finding, this.#derived === null ? shown : { surface, clause });
      this.#finding.packet = packet ?? this.#finding.packet;
      this.#setSeverity(severity, author);
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

  /** lowering needs another person than those who set what it is lowered from, and no implementer of it. */
  #setSeverity(severity: GateSeverity, author: string): void {
    const finding = this.#finding;
    if (finding === null) return;
    const [from, to] = [rank(finding.severity), rank(severity)];
    this.#setFrom(GATE_SEVERITIES.slice(to, from), new Set([author]));
    const crossed = GATE_SEVERITIES.slice(from, to);
    if (crossed.some((each) => this.#setBy.get(each)?.has(author) ?? false)) {
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
      const isOwn = blocks(finding) && implementersOf(this.#index, finding.packet).has(author);
      return isOwn ? 'dismissal-ignored' : null;
    }
    if (disposition !== 'resolved') return null;
    if (finding.isSecret) return isRevokedAndReplaced(evidence) ? null : 'secret-not-closed';
    if (this.#isStillFound()) return 'resolution-contradicted';
    const claim = { after: finding.openedIndex, before: index, atMs: Date.parse(at) };
    const isShown = evidence.some(({ run }) => run !== null && isValidRun(this.#index, { ...claim, run }));
    return isShown ? null : 'resolution-not-evidenced';
  }

  #isStillFound = (): boolean => this.#derived?.origin === 'scan';

  #ignore(code: ReasonCode, detail: string): void {
    this.#ignored.push(reason(code, this.#finding?.id, detail));
  }
}

const rank = (severity: GateSeverity): number => GATE_SEVERITIES.indexOf(severity);

/** Of a packet; of all packets when it is about none of them. */
export function implementersOf(index: RunIndex, packet: string | null): ReadonlySet<string> {
  const one = index.packets.get(packet ?? '');
  const packets = one === undefined ? [...index.packets.values()] : [one];
  return new Set(packets.map(({ implementer }) => implementer));
}

type FindingEvidence = RecordOf<'finding'>['predicate']['evidence'];
const isRevokedAndReplaced = (evidence: FindingEvidence): boolean =>
  [/^revoked:\s*\S/, /^replaced:\s*\S/].every((pattern) =>
    evidence.some(({ note, digest, run }) => pattern.test(note) && (digest !== null || run !== null)),
  );
