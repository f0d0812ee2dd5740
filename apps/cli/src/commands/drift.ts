/** `holdfast drift`: every check now, on this host, against its pinned baseline. Looks only; seals nothing. */
import { hostPaths } from '@holdfast/api';
import { loadTrust } from '@holdfast/agent';
import { type CheckResult, checksOf, openCheckModules, runChecks } from '@holdfast/compliance';
import { HoldfastError } from '@holdfast/core';
import { connectGuard } from '@holdfast/guard';
import { openCustomCheckRunner, openSpawnedHost } from '../custom-check-runner.ts';
import { isSimulated, loadHostBaseline, openHost, openReader, type RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';

/** Runs the named checks, or all of them. @throws `ERR_INPUT_INVALID` for a check that does not exist */
export async function runHostChecks(
  names: readonly string[],
  root: string,
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const paths = hostPaths(root);
  using guard = connectGuard(paths.socket, signal);
  const isPrivileged = isSimulated(root) || process.getuid?.() === 0;
  const host = isPrivileged ? await openHost(root) : await openReader(root, guard);
  const nowMs = host.clock.wallMs();
  const trust = loadTrust(paths);
  const loaded = await loadHostBaseline(paths, trust, nowMs);
  await using runner = openCustomCheckRunner(() => openSpawnedHost(paths.spawnerSocket, signal));
  const modules = openCheckModules(paths.checkModules, trust.keys);
  const all = checksOf(loaded, { modules, runner: isSimulated(root) ? null : runner });
  if (names.some((name) => !all.has(name))) {
    throw new HoldfastError(`there is no such check; there are ${[...all.keys()].join(', ')}`, {
      code: 'ERR_INPUT_INVALID',
    });
  }
  const checks = names.length === 0 ? all : new Map([...all].filter(([name]) => names.includes(name)));
  return await runChecks(loaded, { host, nowMs }, signal, { checks });
}

export const isGood = ({ status }: CheckResult): boolean =>
  status === 'pass' || status === 'excepted' || status === 'not_applicable';

export async function drift(
  names: readonly string[],
  { root }: RootOption,
  signal: AbortSignal,
): Promise<CommandResult> {
  const results = await runHostChecks(names, root, signal);
  return {
    data: { results },
    text: results.map(formatResult).join('\n'),
    // Unknown and error are not good either.
    exitCode: results.every(isGood) && results.some(({ status }) => status === 'pass') ? 0 : 1,
  };
}

export function formatResult({ check, status, severity, findings, startedMs, endedMs }: CheckResult): string {
  const head = `${status.padEnd(14)} ${check} (${endedMs - startedMs} ms)${status === 'fail' ? `, ${severity}` : ''}`;
  const details = findings
    .filter((finding) => finding.status !== 'pass')
    .map(({ subject, message, diff, remediation }) => {
      const mend = remediation === null ? 'a person is needed' : `holdfast heal ${check}`;
      const shown = diff === null ? '' : `\n${diff.replaceAll(/^/gm, '      ')}`;
      return `    ${subject}: ${message}${shown}\n      → ${mend}`;
    });
  return [head, ...details].join('\n');
}
