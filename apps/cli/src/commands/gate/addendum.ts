/** `holdfast gate addendum`: each condition of the last verdict, how it was met, and the run that shows it. */
import { HoldfastError } from '@holdfast/core';
import { AddendumSchema, type GateRecord, type NewRecord } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { checked } from './checked-record.ts';
import { resolveRun } from './finding.ts';
import type { SigningOptions } from './opened-gate.ts';
import { refused } from './refusal.ts';

interface AddendumOptions extends SigningOptions {
  readonly lift: readonly string[];
  readonly fix: readonly string[];
  readonly run: readonly string[];
}

export async function addendum(options: AddendumOptions, signal: AbortSignal): Promise<CommandResult> {
  const { lift, fix, run } = options;
  if (fix.length !== lift.length || run.length !== lift.length)
    throw new HoldfastError('each --lift has its --fix and its --run, in this order', { code: 'ERR_CLI_USAGE' });
  const { decided } = await appendDecided(options, signal, ({ log, source }, _identity, header) => {
    const verdict = lastVerdict(log.records);
    if (source.dirtyFiles > 0) {
      const reason = `${source.dirtyFiles} files differ from the commit`;
      throw refused('nothing is lifted', [{ rule: 'R-08', reason }], 'commit the fix, run the milestone, then lift');
    }
    const lifts = lift.map((id, index) => {
      const condition = verdict.predicate.conditions.find((candidate) => candidate.id === id);
      if (condition === undefined) throw unknownCondition(id, verdict);
      const said = run[index] ?? '';
      const claimed = said === 'latest' ? `latest:${condition.command}` : said;
      const shown = resolveRun(log.records, claimed);
      refuseOlderRun(log.records, verdict, shown, source.tree);
      return { condition: id, fix: fix[index], commit: source.commit, run: shown };
    });
    const predicate = checked(AddendumSchema, { ...header, verdict: verdict.leaf, source, lifts });
    const batch: readonly NewRecord[] = [{ kind: 'addendum', predicate }];
    return { batch, predicate };
  });
  const names = decided.predicate.lifts.map(({ condition }) => condition).join(', ');
  return {
    data: decided.predicate,
    text: `${names}: recorded as met at ${decided.predicate.source.commit.slice(0, 12)}\nNext: \`holdfast gate verdict\` judges everything again on this commit.`,
  };
}

type Verdict = Extract<GateRecord, { kind: 'gate-verdict' }>;

function lastVerdict(records: readonly GateRecord[]): Verdict {
  const verdict = records.findLast((record) => record.kind === 'gate-verdict');
  if (verdict !== undefined) return verdict;
  const reason = 'there is no verdict yet whose conditions could be lifted';
  throw refused('nothing is lifted', [{ rule: 'R-21', reason }], '`holdfast gate verdict` issues one');
}

/** a fix is shown by a run since the verdict, on the sources that hold it. `assess` would count no other. */
function refuseOlderRun(records: readonly GateRecord[], verdict: Verdict, id: string, tree: string): void {
  const isShown = records
    .slice(verdict.index + 1)
    .some(
      ({ kind, predicate }) =>
        kind === 'command-run' && predicate.runs.some((run) => run.id === id && run.before.tree === tree),
    );
  if (isShown) return;
  const reason = `run ${id} is not one since the last verdict, on the sources of this commit`;
  throw refused('nothing is lifted', [{ rule: 'R-21', reason }], '`holdfast gate run --milestone`, then lift again');
}

function unknownCondition(id: string, { predicate }: Verdict): HoldfastError {
  const known = predicate.conditions.map((condition) => condition.id).join(', ');
  const reason = `${id} is no condition of the last verdict; it has ${known === '' ? 'none' : known}`;
  return refused('nothing is lifted', [{ rule: 'R-21', reason }], '`holdfast gate status` lists them');
}
