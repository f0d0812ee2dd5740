/** How often in a row one thing was accepted before, in this gate and in the gates before it. Counted, never typed. */
import { HoldfastError } from '@holdfast/core';
import type { GateRecord, RecordOf } from '@holdfast/gate';
import type { OpenedGate } from './opened-gate.ts';
import { otherGates } from './other-gates.ts';

type Acceptance = RecordOf<'risk-acceptance'>;

interface Asked {
  readonly finding: string;
  readonly author: string;
  /** Leaf of the acceptance before, where people say which; for a thing that got another title meanwhile. */
  readonly named: string | null;
}

/** @throws `ERR_CLI_USAGE` for a leaf that no gate here has; `ERR_GATE_LOG_INVALID` for a gate that does not verify */
export async function waiversOf(
  opened: OpenedGate,
  { finding, author, named }: Asked,
  signal: AbortSignal,
): Promise<{ readonly previous: string | null; readonly waivers: number }> {
  const { records } = opened.log;
  const others = await otherGates(opened, signal);
  const before = named === null ? newestOf(others, thingOf(records, finding)) : byLeaf(others, named);
  // A second approver of the same acceptance is no waiver more; somebody's own renewal is.
  const own = acceptancesIn(records).findLast(
    ({ predicate }) => predicate.author === author && thingOf(records, predicate.finding) === thingOf(records, finding),
  );
  const last = own ?? before;
  return { previous: before?.leaf ?? null, waivers: last === undefined ? 0 : last.predicate.waivers + 1 };
}

const acceptancesIn = (records: readonly GateRecord[]): readonly Acceptance[] =>
  records.flatMap((record) => (record.kind === 'risk-acceptance' ? [record] : []));

/**
 * What a finding is about, whatever number it has in this gate: a scanner's own finding by its
 * fingerprint, what is numbered by hand by what it says and where. Ids made by the gate are the same in every gate.
 */
function thingOf(records: readonly GateRecord[], finding: string): string {
  const told = records.findLast((record) => record.kind === 'finding' && record.predicate.id === finding);
  if (told?.kind !== 'finding' || /^(?:S|FLAKE|COVERAGE)-/.test(finding)) return finding;
  const { title, surface, location, fingerprint } = told.predicate;
  return fingerprint ?? JSON.stringify([title.toLowerCase(), surface, location]);
}

/** Of the gate that accepted it last, the acceptance that counted most. */
function newestOf(gates: readonly (readonly GateRecord[])[], thing: string): Acceptance | undefined {
  const found = gates.flatMap((records) => {
    const same = acceptancesIn(records).filter(({ predicate }) => thingOf(records, predicate.finding) === thing);
    const [most] = same.toSorted((one, other) => other.predicate.waivers - one.predicate.waivers);
    return most === undefined ? [] : [{ most, at: Math.max(...same.map(({ predicate }) => Date.parse(predicate.at))) }];
  });
  return found.toSorted((one, other) => other.at - one.at)[0]?.most;
}

function byLeaf(gates: readonly (readonly GateRecord[])[], leaf: string): Acceptance {
  const found = gates.flatMap(acceptancesIn).find((acceptance) => acceptance.leaf === leaf);
  if (found !== undefined) return found;
  throw new HoldfastError('--previous names no acceptance of a gate here', { code: 'ERR_CLI_USAGE', fields: { leaf } });
}
