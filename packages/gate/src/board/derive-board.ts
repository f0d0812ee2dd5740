/**
 * Folds a gate's records into its board. Pure and total: a record that was not legal
 * when it was appended moves nothing and is listed as illegal. Independent packets may come in any
 * order; nothing here depends on the clock.
 */
import { GrowingTree } from '@holdfast/crypto';
import { FREEZE_PACKET, type Packet } from '../gate-file/gate-schema.ts';
import { commandDigest, packetDigest } from '../gate-file/definition-digest.ts';
import { parseGate } from '../gate-file/parse-gate.ts';
import type { GateRecord, PredicateOf, RecordOf } from '../records/statements.ts';
import { refuseReview } from '../review/refuse-review.ts';
import type { Board, FreezableFile, Freeze, IllegalRecord, PacketStanding } from './board.ts';
import { isApproved, refuseFreeze, type Refusal, refuseTransition } from './rules.ts';
import { type PacketEvent, TRANSITIONS } from './states.ts';

type MutableStanding = { -readonly [K in keyof PacketStanding]: PacketStanding[K] };

/** @param records in the order of the log, verified */
export function deriveBoard(records: readonly GateRecord[]): Board {
  const fold = new BoardFold();
  for (const record of records) fold.take(record);
  return fold.board;
}

/** What a gate file freezes, with the digests by which later evidence is judged; `null` when lint has errors. */
export function freezeOf(text: string, revision: number): FreezableFile | null {
  const { gate, digest } = parseGate(text);
  if (gate === null) return null;
  return {
    revision,
    gate,
    policyDigest: digest,
    packetDigests: new Map(gate.packets.map((packet) => [packet.id, packetDigest(gate, packet)])),
    commandDigests: new Map(gate.commands.map((command) => [command.id, commandDigest(command)])),
  };
}

class BoardFold {
  #freezes: Freeze[] = [];
  #packets = new Map<string, MutableStanding>();
  #definitions = new Map<string, Packet>();
  #successors = new Map<string, string[]>();
  readonly #withP0 = new Set<string>();
  #packetOfFinding = new Map<string, { readonly packet: string | null; readonly isP0: boolean }>();
  /** What reviewers ran, by packet. */
  readonly #reviewerSessions = new Map<string, RecordOf<'command-run'>[]>();
  #illegal: IllegalRecord[] = [];
  #tree = new GrowingTree();

  get board(): Board {
    return {
      freeze: this.#freezes.at(-1) ?? null,
      freezes: this.#freezes,
      packets: this.#packets,
      withP0: this.#withP0,
      illegal: this.#illegal,
    };
  }

  take(record: GateRecord): void {
    const refusals = this.#apply(record);
    for (const { rule, reason } of refusals) this.#illegal.push({ index: record.index, rule, text: reason });
    this.#tree.append(Buffer.from(record.leaf, 'hex'));
  }

  #apply(record: GateRecord): readonly Refusal[] {
    if (record.kind === 'freeze') return this.#takeFreeze(record);
    if (record.kind === 'transition') return this.#takeTransition(record);
    if (record.kind === 'packet-review') return this.#takeReview(record);
    if (record.kind === 'command-run') this.#takeSession(record);
    if (record.kind === 'finding') this.#takeFinding(record.predicate);
    if (record.kind === 'risk-acceptance') this.#takeAcceptance(record.predicate);
    return [];
  }

  #takeFreeze({ predicate, index }: RecordOf<'freeze'>): readonly Refusal[] {
    const before = this.#freezes.at(-1) ?? null;
    const { at, source } = predicate;
    const after = freezeOf(predicate.gateFile.text, predicate.revision);
    if (after === null || after.policyDigest !== predicate.gateFile.digest)
      return [{ rule: 'R-01', reason: 'its gate file is not valid, or not the one of its digest' }];
    const refusal = refuseFreeze(before, after, predicate);
    if (refusal !== null) return [refusal];
    const { packets } = after.gate;
    this.#freezes.push({ ...after, index, at, source });
    this.#definitions = new Map(packets.map((packet) => [packet.id, packet]));
    this.#successors = successorsOf(packets);
    const old = this.#packets;
    this.#packets = new Map(packets.map(({ id }) => [id, old.get(id) ?? { ...FRESH, id, changedAt: at }]));
    // Packet 00 is about this very file: each revision is reviewed anew.
    const startedSource = this.#freezes[0]?.source ?? source;
    this.#set(FREEZE_PACKET, { ...FRESH, state: 'IN_PROGRESS', startedSource, startedAt: at, changedAt: at });
    const changed = packets.filter(({ id }) => before?.packetDigests.get(id) !== after.packetDigests.get(id));
    const touched = changed.map(({ id }) => id).filter((id) => id !== FREEZE_PACKET);
    this.#invalidate(touched, at, before === null ? null : `revision ${after.revision} changed what it rests on`);
    for (const { id } of packets) this.#unlock(id, at);
    return [];
  }

  #takeTransition({ predicate, index }: RecordOf<'transition'>): readonly Refusal[] {
    const refusal = refuseTransition(this.board, predicate);
    if (refusal !== null) return [refusal];
    const { packet, event, source, at, reason } = predicate;
    this.#move(packet, event, at, reason);
    // Where the work first began, also when it starts again: a review is about all that changed since.
    if (event === 'start' && this.#packets.get(packet)?.startedSource === null)
      this.#set(packet, { startedSource: source, startedAt: at });
    if (event === 'submit') this.#set(packet, { submittedSource: source, submittedIndex: index });
    return [];
  }

  #takeReview(record: RecordOf<'packet-review'>): readonly Refusal[] {
    const { predicate } = record;
    const { packet, decision, at, checks } = predicate;
    const head = { size: this.#tree.size, root: Buffer.from(this.#tree.root()).toString('hex') };
    const needsSecond = this.#withP0.has(packet);
    const sessions = this.#sessionsOf(predicate);
    const refusals = refuseReview(this.board, predicate, { head, needsSecond, sessions, changed: null });
    if (refusals.length > 0) return refusals;
    if (decision !== 'approve') {
      const failed = Object.values(checks).find(({ result }) => result === 'FAIL');
      this.#move(packet, decision, at, failed?.note ?? predicate.residualRisk);
      return [];
    }
    const approvals = [...(this.#packets.get(packet)?.approvals ?? []), record];
    if (needsSecond && approvals.length < 2) {
      this.#set(packet, { approvals, changedAt: at, note: NEEDS_SECOND });
      return [];
    }
    this.#move(packet, 'approve', at, null);
    this.#set(packet, { approvals });
    this.#unlockAfter(packet, at);
    return [];
  }

  #takeSession(record: RecordOf<'command-run'>): void {
    const { role, packet } = record.predicate;
    if (role !== 'reviewer' || packet === null) return;
    const sessions = this.#reviewerSessions.get(packet);
    if (sessions === undefined) this.#reviewerSessions.set(packet, [record]);
    else sessions.push(record);
  }

  #sessionsOf({ packet, author }: PredicateOf<'packet-review'>): ReadonlySet<string> {
    const submitted = this.#packets.get(packet)?.submittedIndex ?? Infinity;
    const own = this.#reviewerSessions.get(packet)?.filter((record) => record.predicate.author === author);
    return new Set(own?.filter(({ index }) => index > submitted).map(({ predicate }) => predicate.session));
  }

  #takeFinding(finding: PredicateOf<'finding'>): void {
    const before = this.#packetOfFinding.get(finding.id);
    const isP0 = finding.severity === 'P0' || before?.isP0 === true;
    this.#packetOfFinding.set(finding.id, { packet: finding.packet, isP0 });
    if (isP0 && finding.packet !== null) this.#needSecond(finding.packet, finding.at);
  }

  #takeAcceptance(acceptance: PredicateOf<'risk-acceptance'>): void {
    const finding = this.#packetOfFinding.get(acceptance.finding);
    if (finding?.isP0 === true && finding.packet !== null) this.#needSecond(finding.packet, acceptance.at);
  }

  /** One approval is no longer enough; what was built on it stands, but the verdict waits for the second. */
  #needSecond(packet: string, at: string): void {
    this.#withP0.add(packet);
    const standing = this.#packets.get(packet);
    if (!isApproved(standing) || (standing?.approvals.length ?? 0) >= 2) return;
    this.#set(packet, { review: 'none', changedAt: at, note: NEEDS_SECOND });
    this.#unlockAfter(packet, at);
  }

  /** Applies a cell of the table; the caller has checked that it is legal. */
  #move(packet: string, event: PacketEvent, at: string, note: string | null): void {
    const standing = this.#packets.get(packet);
    const next = standing === undefined ? null : TRANSITIONS[standing.state][event];
    if (standing === undefined || next === null) throw new TypeError(`${event} is not legal for packet ${packet}`);
    this.#set(packet, { ...next, changedAt: at, note });
    if (next.state === 'DONE') return;
    this.#set(packet, { submittedSource: null, submittedIndex: null, approvals: [] });
    if (!isApproved(standing)) return;
    this.#invalidate(this.#successors.get(packet) ?? [], at, `packet ${packet} is no longer approved`);
    this.#unlockAfter(packet, at);
  }

  /** these start again, however far they were, and with them all that was built on them. */
  #invalidate(packets: readonly string[], at: string, note: string | null): void {
    const waiting = packets.map((id) => ({ id, note }));
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { id } = next;
      if (this.#packets.get(id)?.state === 'PENDING') continue;
      const { startedSource = null, startedAt = null } = this.#packets.get(id) ?? {};
      this.#set(id, { ...FRESH, startedSource, startedAt, changedAt: at, note: next.note });
      const because = `packet ${id} starts again`;
      for (const successor of this.#successors.get(id) ?? []) waiting.push({ id: successor, note: because });
      this.#unlock(id, at);
    }
  }

  #unlockAfter(packet: string, at: string): void {
    for (const id of this.#successors.get(packet) ?? []) this.#unlock(id, at);
  }

  #unlock(id: string, at: string): void {
    if (this.#packets.get(id)?.state !== 'PENDING') return;
    const waitsFor = this.#waitingFor(id);
    this.#set(id, { waitsFor });
    if (waitsFor.length === 0) this.#move(id, 'unlock', at, null);
  }

  #waitingFor(id: string): readonly string[] {
    const needs = this.#definitions.get(id)?.needs ?? [];
    return [...new Set([FREEZE_PACKET, ...needs])].filter((need) => !isApproved(this.#packets.get(need)));
  }

  #set(id: string, change: Partial<PacketStanding>): void {
    const standing = this.#packets.get(id);
    if (standing !== undefined) this.#packets.set(id, { ...standing, ...change });
  }
}

const FRESH: Omit<PacketStanding, 'id' | 'changedAt'> = {
  state: 'PENDING',
  review: 'none',
  startedSource: null,
  startedAt: null,
  submittedSource: null,
  submittedIndex: null,
  approvals: [],
  waitsFor: [],
  note: null,
};
const NEEDS_SECOND = 'a P0 was found here: a second reviewer approves too';

/** Who waits for whom; for packet `00` everybody does. */
function successorsOf(packets: readonly Packet[]): Map<string, string[]> {
  const successors = new Map<string, string[]>();
  const add = (from: string, to: string): void => {
    const known = successors.get(from);
    if (known === undefined) successors.set(from, [to]);
    else known.push(to);
  };
  for (const { id, needs } of packets) {
    if (id === FREEZE_PACKET) continue;
    for (const need of new Set([FREEZE_PACKET, ...needs])) add(need, id);
  }
  return successors;
}
