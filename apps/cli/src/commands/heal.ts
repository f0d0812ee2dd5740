/** `holdfast heal`: what a check found, given to the guard to mend; then the check again (C-19). */
import { hostPaths } from '@holdfast/api';
import type { CheckResult } from '@holdfast/compliance';
import { canonicalJson, HoldfastError, type JsonObject } from '@holdfast/core';
import { connectGuard } from '@holdfast/guard';
import type { RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { runHostChecks } from './drift.ts';

interface HealOptions extends RootOption {
  readonly dryRun?: boolean | undefined;
  readonly reason?: string | undefined;
}

interface Wanted {
  readonly operation: string;
  readonly params: JsonObject;
}

/** Each distinct remediation once, in the order of the findings. */
function remediationsOf({ findings }: CheckResult): Wanted[] {
  const wanted = new Map<string, Wanted>();
  for (const { status, remediation } of findings) {
    if (status !== 'fail' || remediation === null) continue;
    wanted.set(`${remediation.operation} ${canonicalJson(remediation.params)}`, remediation);
  }
  return [...wanted.values()];
}

export async function heal(check: string, options: HealOptions, signal: AbortSignal): Promise<CommandResult> {
  const { root } = options;
  const [result] = await runHostChecks([check], root, signal);
  if (result === undefined) throw new TypeError('a check that exists gives one result');
  if (result.status === 'pass')
    return { data: { check, status: 'pass', changes: [] }, text: `${check} passes: nothing to heal` };
  const wanted = remediationsOf(result);
  if (wanted.length === 0) {
    throw new HoldfastError(`${check} is ${result.status} and has no automatic remediation`, { code: 'ERR_CLI_DRIFT' });
  }
  using guard = connectGuard(hostPaths(root).socket, signal);
  if (options.dryRun === true) {
    const plans = await Promise.all(
      wanted.map(async (one) => ({ ...one, ...(await guard.plan(one.operation, one.params)) })),
    );
    const text = plans.map(({ operation, steps }) =>
      [operation, ...steps.map(({ action }) => `  ${action}`)].join('\n'),
    );
    return { data: { check, plans }, text: `${text.join('\n')}\nnothing was changed` };
  }
  const changes = [];
  for (const { operation, params } of wanted) {
    const report = await guard.request({ operation, params, check, reason: options.reason ?? null });
    // The shell that asked is still here: the change did not cut us off.
    changes.push(report.state === 'awaiting-confirmation' ? await guard.confirm(report.changeId) : report);
  }
  const [after] = await runHostChecks([check], root, signal);
  const lines = changes.map(
    ({ operation, outcome, reasons }) => `${operation}: ${outcome ?? 'unfinished'} (${reasons.join('; ')})`,
  );
  const healed = after?.status === 'pass';
  return {
    data: { check, status: after?.status ?? 'unknown', changes },
    text: [...lines, healed ? `${check} passes now` : `${check} is still ${after?.status ?? 'unknown'}`].join('\n'),
    exitCode: healed ? 0 : 1,
  };
}
