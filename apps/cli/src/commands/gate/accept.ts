/** `holdfast gate accept`: somebody answers for living with a finding, for one release and until a date. */
import { type GateRecord, type NewRecord, RiskAcceptanceSchema } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { checked } from './checked-record.ts';
import type { SigningOptions } from './opened-gate.ts';
import { nextId } from './record-ids.ts';
import { waiversOf } from './waivers.ts';

interface AcceptOptions extends SigningOptions {
  readonly reason: string;
  readonly expires: string;
  readonly control: string;
  readonly controlCommand: string;
  readonly condition: string;
  readonly conditionCommand: string;
  readonly owner: string;
  readonly due: string;
  readonly previous?: string | undefined;
}

export async function accept(id: string, options: AcceptOptions, signal: AbortSignal): Promise<CommandResult> {
  const { decided } = await appendDecided(options, signal, async (opened, { person }, header) => {
    const { log, gate } = opened;
    const acceptances = log.records.flatMap((record) => (record.kind === 'risk-acceptance' ? [record] : []));
    const predicate = checked(RiskAcceptanceSchema, {
      ...header,
      finding: id,
      reason: options.reason,
      release: gate.release,
      expires: options.expires,
      control: { text: options.control, command: options.controlCommand },
      condition: {
        id: conditionId(acceptances, id),
        text: options.condition,
        command: options.conditionCommand,
        owner: options.owner,
        due: options.due,
      },
      ...(await waiversOf(opened, { finding: id, author: person.id, named: options.previous ?? null }, signal)),
    });
    const batch: readonly NewRecord[] = [{ kind: 'risk-acceptance', predicate }];
    return { batch, predicate };
  });
  const { condition, expires, release, waivers } = decided.predicate;
  const text = [
    `${id} is accepted for ${release} until ${expires}, under condition ${condition.id}:`,
    `  ${condition.text}`,
    `  owner ${condition.owner}, due ${condition.due}, shown by ${condition.command}`,
    ...(waivers === 0 ? [] : [`  it was accepted ${waivers} times in a row before`]),
    'Next: `holdfast gate status` says whether the acceptance counts.',
  ].join('\n');
  return { data: decided.predicate, text };
}

/** A second approver speaks of the same condition; another finding gets the next number. */
function conditionId(
  acceptances: readonly Extract<GateRecord, { kind: 'risk-acceptance' }>[],
  finding: string,
): string {
  const same = acceptances.findLast(({ predicate }) => predicate.finding === finding);
  if (same !== undefined) return same.predicate.condition.id;
  return nextId(
    'C',
    acceptances.map(({ predicate }) => predicate.condition.id),
  );
}
