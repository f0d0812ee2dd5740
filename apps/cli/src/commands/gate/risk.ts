/** `holdfast gate risk …`: what remains, with somebody who answers for it and a date. */
import { HoldfastError } from '@holdfast/core';
import { type GateRecord, type NewRecord, type PredicateOf, ResidualRiskSchema } from '@holdfast/gate';
import { type CommandResult, formatTable } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { assessNow } from './assess-now.ts';
import { checked } from './checked-record.ts';
import { type GateOptions, openGate, type SigningOptions } from './opened-gate.ts';
import { nextId } from './record-ids.ts';

type Risk = PredicateOf<'residual-risk'>;

interface AddOptions extends SigningOptions {
  readonly text: string;
  readonly owner: string;
  readonly due: string;
  readonly id?: string | undefined;
}

export async function add(options: AddOptions, signal: AbortSignal): Promise<CommandResult> {
  const { decided } = await appendDecided(options, signal, ({ log }, _identity, header) => {
    const risks = risksOf(log.records);
    const { text, owner, due, id = nextId('RISK', [...risks.keys()]) } = options;
    const before = risks.get(id);
    // moving the date of what is still open is a waiver, and they are counted.
    const moved = before?.status === 'open' && due > before.due ? 1 : 0;
    const waivers = before?.status === 'open' ? before.waivers + moved : 0;
    const predicate = checked(ResidualRiskSchema, { ...header, id, text, owner, due, status: 'open', waivers });
    const batch: readonly NewRecord[] = [{ kind: 'residual-risk', predicate }];
    return { batch, predicate };
  });
  const { id, owner, due, waivers, text } = decided.predicate;
  const told = waivers === 0 ? '' : `; its date was moved ${waivers} times`;
  return { data: decided.predicate, text: `${id}: ${text}\n  ${owner} answers for it until ${due}${told}` };
}

export async function close(id: string, options: SigningOptions, signal: AbortSignal): Promise<CommandResult> {
  const { decided } = await appendDecided(options, signal, ({ log }, _identity, header) => {
    const before = risksOf(log.records).get(id);
    if (before === undefined)
      throw new HoldfastError(`there is no risk ${id}: \`holdfast gate risk list\` names them`, {
        code: 'ERR_CLI_USAGE',
      });
    const predicate = checked(ResidualRiskSchema, { ...before, ...header, status: 'closed' });
    const batch: readonly NewRecord[] = [{ kind: 'residual-risk', predicate }];
    return { batch, predicate };
  });
  return { data: decided.predicate, text: `${id} is closed` };
}

export async function list(options: GateOptions, signal: AbortSignal): Promise<CommandResult> {
  const { risks } = assessNow(await openGate(options, signal), Date.now());
  const sorted = risks.toSorted((one, other) => one.due.localeCompare(other.due));
  const rows = sorted.map(({ id, status, due, owner, contact, text }) => [id, status, due, owner, contact, text]);
  const table = formatTable(['id', 'status', 'due', 'owner', 'contact', 'risk'], rows);
  return { data: sorted, text: rows.length === 0 ? 'no residual risk is recorded' : table };
}

/** The newest record of each, by id. */
function risksOf(records: readonly GateRecord[]): ReadonlyMap<string, Risk> {
  return new Map(
    records.flatMap((record) => (record.kind === 'residual-risk' ? [[record.predicate.id, record.predicate]] : [])),
  );
}
