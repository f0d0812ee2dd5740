/** `holdfast gate freeze`: the gate file counts from here on as it is. */
import { FREEZE_PACKET, freezeOf, type NewRecord, refuseFreeze, type Refusal } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import type { SigningOptions } from './opened-gate.ts';
import { refused } from './refusal.ts';

export async function freeze(
  options: SigningOptions & { readonly note?: string | undefined },
  signal: AbortSignal,
): Promise<CommandResult> {
  const { decided, opened } = await appendDecided(options, signal, ({ board, file, source }, _identity, header) => {
    const revision = header.revision + 1;
    const after = freezeOf(file.text, revision);
    if (after === null) throw new TypeError('a gate that was parsed parses again');
    const predicate = {
      ...header,
      revision,
      gateFile: { digest: after.policyDigest, text: file.text },
      source,
    };
    const refusal: Refusal | null = refuseFreeze(board.freeze, after, predicate);
    if (refusal !== null) throw refused('the gate file is not frozen', [refusal], nextOf(refusal));
    const batch: readonly NewRecord[] = [{ kind: 'freeze', predicate }];
    return { batch, predicate, gate: after.gate };
  });
  const { predicate, gate } = decided;
  const warnings = opened.file.parsed.problems.length;
  const owner = gate.packets.find(({ id }) => id === FREEZE_PACKET);
  const text = [
    `revision ${predicate.revision} is frozen: ${gate.packets.length} packets, ${gate.commands.length} commands, ${gate.scope.surfaces.length} surfaces`,
    `  digest ${predicate.gateFile.digest}`,
    ...(options.note === undefined ? [] : [`  note ${options.note}`]),
    ...(warnings === 0 ? [] : [`  ${warnings} warnings: \`holdfast gate lint\``]),
    `Next, ${owner?.implementer ?? 'nobody'}: \`holdfast gate run 00\` where it has commands, then \`holdfast gate submit 00\`.`,
  ].join('\n');
  const data = { revision: predicate.revision, digest: predicate.gateFile.digest, note: options.note ?? null };
  return { data, text };
}

function nextOf({ rule }: Refusal): string {
  if (rule === 'R-08') return 'commit, then `holdfast gate freeze` again';
  if (rule === 'R-13') return 'ask them to freeze it, with their key';
  return '`holdfast gate status` says what is frozen';
}
