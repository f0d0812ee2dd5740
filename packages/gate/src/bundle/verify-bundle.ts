/**
 * What a stranger does with a bundle, offline and with nothing but pinned keys: verify every
 * byte, derive the last verdict again from the records before it, and say what it is worth now. Trusts
 * neither the machine that wrote the bundle nor anybody whose key is not pinned.
 */
import { canonicalJson, isHoldfastError } from '@holdfast/core';
import { GrowingTree } from '@holdfast/crypto';
import type { Refusal } from '../board/rules.ts';
import type { GateLog, LogHead } from '../log/gate-log.ts';
import { verifyHead } from '../log/signed-head.ts';
import type { GateRecord, GateVerdict, RecordOf, VerdictResult } from '../records/statements.ts';
import { assess } from '../verdict/assess.ts';
import type { Assessment } from '../verdict/assessment.ts';
import { planVerdict, verdictDigest } from '../verdict/plan-verdict.ts';
import { openBundle } from './bundle.ts';
import { type BundlePins, pinnedRing } from './pins.ts';
import { verifyPacks } from './verify-packs.ts';

export interface BundleSigner {
  readonly person: string;
  readonly keyId: string;
  /** How many records. */
  readonly records: number;
  /** Whether the pins name this key for this person. */
  readonly pinned: boolean;
}

export interface BundleReport {
  /** What the bundle is worth now. `INCONCLUSIVE` also when nothing is wrong and nothing is pinned. */
  readonly result: VerdictResult | 'STALE';
  /** Each requirement that the bundle itself fails; what the records say is in `assessment`. */
  readonly failures: readonly Refusal[];
  /** `null` when the bundle cannot be opened; then nothing else is known either. */
  readonly head: LogHead | null;
  readonly signers: readonly BundleSigner[];
  /** The last verdict, as recorded and as derived here. */
  readonly verdict: {
    readonly recorded: GateVerdict;
    /** Of what is recorded. */
    readonly digest: string;
    /** Of what follows from the records; `null` when no verdict follows. The same, or the bundle fails. */
    readonly derivedDigest: string | null;
  } | null;
  /** The records at the last verdict's source, now; `standingReasons` say why the result is no better. */
  readonly assessment: Assessment | null;
}

/**
 * Verifies a bundle from untrusted bytes. What is wrong with it is in the report: only faults of our own throw.
 *
 * @param pins `null` when nothing is pinned: then the best result is `INCONCLUSIVE`
 */
export async function verifyBundle(bytes: Uint8Array, pins: BundlePins | null, nowMs: number): Promise<BundleReport> {
  const nothing = { head: null, signers: [], verdict: null, assessment: null };
  let log: GateLog;
  let failures: Refusal[];
  try {
    log = await openBundle(bytes);
    failures = (await verifyPacks(log)).map((reason) => ({ rule: 'R-07', reason }));
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const failure = { rule: String(error.fields['rule'] ?? 'R-10'), reason: error.message };
    return { result: 'NO_GO', failures: [failure], ...nothing };
  }
  const signers = signersOf(log.records, pins);
  if (pins !== null) failures.push(...(await refusePins(log, signers, pins)));
  const last = log.records.findLast((record) => record.kind === 'gate-verdict');
  if (last === undefined) {
    failures.push({ rule: 'R-19', reason: 'no verdict was issued' });
    return { ...nothing, result: 'NO_GO', failures, head: log.head, signers };
  }
  const recorded = last.predicate;
  const { derivedDigest, refusals } = deriveAgain(log, last);
  failures.push(...refusals, ...refuseChain(log, last));
  const assessment = assess({ records: log.records, current: null, candidate: recorded.source, nowMs });
  return {
    result: resultOf(failures, pins, assessment),
    failures,
    head: log.head,
    signers,
    verdict: { recorded, digest: verdictDigest(recorded), derivedDigest },
    assessment,
  };
}

function resultOf(
  failures: readonly Refusal[],
  pins: BundlePins | null,
  { standing }: Assessment,
): BundleReport['result'] {
  // A verdict that does not count, by a person who may not issue one, leaves none.
  if (failures.length > 0 || standing === 'NONE') return 'NO_GO';
  if (pins === null && (standing === 'GO' || standing === 'GO_WITH_CONDITIONS')) return 'INCONCLUSIVE';
  return standing;
}

function signersOf(records: readonly GateRecord[], pins: BundlePins | null): BundleSigner[] {
  const ring = pins === null ? null : pinnedRing(pins);
  const signers = new Map<string, BundleSigner>();
  for (const { keyId, predicate } of records) {
    const name = `${predicate.author} ${keyId}`;
    const pinned = ring?.get(keyId)?.person === predicate.author;
    const count = signers.get(name)?.records ?? 0;
    signers.set(name, { person: predicate.author, keyId, records: count + 1, pinned });
  }
  return [...signers.values()].toSorted((a, b) => (a.person < b.person ? -1 : 1));
}

async function refusePins(log: GateLog, signers: readonly BundleSigner[], pins: BundlePins): Promise<Refusal[]> {
  const gate = log.records[0]?.predicate.gate ?? '';
  if (pins.gate !== gate)
    return [{ rule: 'R-13', reason: `the keys are pinned for gate ${pins.gate}, not for ${gate}` }];
  const strangers = signers.filter(({ pinned }) => !pinned);
  const refusals = strangers.map(({ person, keyId, records }) => ({
    rule: 'R-13',
    reason: `${records} records are signed by ${keyId}, which is not pinned for ${person}`,
  }));
  try {
    verifyHead((await log.bytes()).checkpoint, gate, log.head, pinnedRing(pins));
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    refusals.push({ rule: 'R-13', reason: 'the head is not signed by a pinned key' });
  }
  return refusals;
}

/** An addendum each; a stranger's bundle must not make us judge it a thousand times over. */
const MAX_CHAIN = 100;

/** addenda lift conditions of verdicts before the last, so those were derived from the records, too. */
function refuseChain({ records }: GateLog, last: RecordOf<'gate-verdict'>): readonly Refusal[] {
  const added = new Set(records.flatMap(({ kind, predicate }) => (kind === 'addendum' ? [predicate.verdict] : [])));
  const chain = records.filter((record) => record.kind === 'gate-verdict');
  const before = chain.filter(({ leaf, index }) => index !== last.index && added.has(leaf));
  if (before.length > MAX_CHAIN)
    return [{ rule: 'R-21', reason: `more than ${MAX_CHAIN} verdicts have an addendum: start a new gate` }];
  return before.flatMap((verdict) => deriveAgain({ records }, verdict).refusals);
}

/** the same inputs give the same verdict digest; anything else was not derived from these records. */
function deriveAgain(
  log: Pick<GateLog, 'records'>,
  { predicate, index }: RecordOf<'gate-verdict'>,
): { readonly derivedDigest: string | null; readonly refusals: readonly Refusal[] } {
  const records = log.records.slice(0, index);
  const { author, artifacts, source, at, reasons } = predicate;
  // Whether the file in the tree was the frozen one is not in the records; that it was not only ever makes it worse.
  const current = reasons.some(({ code }) => code === 'gate-file-changed') ? { digest: '' } : null;
  const assessment = assess({ records, current, candidate: source, nowMs: Date.parse(at) });
  try {
    const derived = planVerdict(assessment, { author, artifacts, head: headOf(records) });
    const different = differencesOf(derived, predicate);
    const refusals = different.map((member) => ({
      rule: 'R-22',
      reason: `the verdict of record ${index} says another "${member}" than follows from the records before it`,
    }));
    return { derivedDigest: verdictDigest(derived), refusals };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const { rule, reason } = error.fields;
    return {
      derivedDigest: null,
      refusals: [{ rule: String(rule), reason: `no verdict follows from the records: ${String(reason)}` }],
    };
  }
}

function headOf(records: readonly GateRecord[]): LogHead {
  const tree = new GrowingTree();
  for (const { leaf } of records) tree.append(Buffer.from(leaf, 'hex'));
  return { size: tree.size, root: Buffer.from(tree.root()).toString('hex') };
}

function differencesOf(derived: GateVerdict, recorded: GateVerdict): string[] {
  // Both have the members of the schema.
  const members = Object.keys(recorded) as (keyof GateVerdict)[];
  return members.filter((member) => canonicalJson(derived[member]) !== canonicalJson(recorded[member]));
}
