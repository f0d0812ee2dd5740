/** `holdfast gate start|block|unblock|submit|reopen`: one person moves one packet, signed. */
import { deriveBoard, type NewRecord, type PredicateOf, refuseTransition } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import type { SigningOptions } from './opened-gate.ts';
import { refused } from './refusal.ts';

export async function move(
  event: PredicateOf<'transition'>['event'],
  packet: string,
  options: SigningOptions & { readonly reason?: string | undefined },
  signal: AbortSignal,
): Promise<CommandResult> {
  const { opened } = await appendDecided(options, signal, ({ board, source }, _identity, header) => {
    const predicate = { ...header, packet, event, source, reason: options.reason ?? null };
    const refusal = refuseTransition(board, predicate);
    if (refusal !== null) throw refused(`${event} of packet ${packet} is refused`, [refusal], nextOf(refusal.rule));
    const batch: readonly NewRecord[] = [{ kind: 'transition', predicate }];
    return { batch };
  });
  const before = opened.board.packets.get(packet);
  const after = deriveBoard(opened.log.records).packets.get(packet);
  const definition = opened.gate.packets.find(({ id }) => id === packet);
  const again = definition?.commands.length === 0 ? '' : `\`holdfast gate run ${packet}\`, then `;
  const next: Readonly<Record<typeof event, string>> = {
    start: `\`holdfast gate run ${packet}\` when the work is committed, then \`holdfast gate submit ${packet}\``,
    block: `\`holdfast gate unblock ${packet}\` when it can go on`,
    unblock: `go on, then \`holdfast gate run ${packet}\``,
    submit: `${definition?.reviewer ?? ''}: ${again}\`holdfast gate review ${packet} --template\``,
    reopen: `go on, then \`holdfast gate run ${packet}\` and \`holdfast gate submit ${packet}\``,
  };
  return {
    data: { packet, event, before: before?.state ?? null, state: after?.state ?? null },
    text: `packet ${packet}: ${before?.state ?? ''} → ${after?.state ?? ''}\nNext, ${next[event]}.`,
  };
}

function nextOf(rule: string): string {
  if (rule === 'R-08')
    return 'commit (`git status` names the files; what commands write belongs into .gitignore), run the packet’s commands on that commit, then submit';
  return '`holdfast gate status` says what can be done now, and by whom';
}
