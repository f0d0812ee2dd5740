/** `holdfast status`: every host as the control plane on this machine sees it, or this host as it sees itself. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentHealthSchema, HostSchema, hostPaths, page, SummarySchema } from '@holdfast/api';
import { connectGuard } from '@holdfast/guard';
import type { RootOption } from '../host-wiring.ts';
import { openOperatorClient } from '../operator-client.ts';
import { type CommandResult, formatTable } from '../output.ts';
import { endpointPath } from '../server-state.ts';

interface StatusOptions extends RootOption {
  readonly state: string;
  readonly host?: boolean | undefined;
}

export async function status(options: StatusOptions, signal: AbortSignal): Promise<CommandResult> {
  const hasServer = process.env['HOLDFAST_SERVER'] !== undefined || existsSync(endpointPath(options.state));
  return hasServer && options.host !== true ? fleetStatus(options.state, signal) : hostStatus(options.root, signal);
}

async function fleetStatus(stateDirectory: string, signal: AbortSignal): Promise<CommandResult> {
  const client = openOperatorClient(stateDirectory, process.env, signal);
  const [summary, { items: hosts }] = await Promise.all([
    client.get('/summary', SummarySchema),
    client.get('/hosts?limit=100', page(HostSchema)),
  ]);
  const rows = hosts.map(({ name, state, score, checks, lastSeenAt, simulated }) => [
    simulated ? `${name} (simulated)` : name,
    state,
    score === null ? 'no data' : `${score.toFixed(0)} %`,
    checks
      .filter((check) => check.status !== 'pass' || check.stale)
      .map((check) => `${check.check}: ${check.stale ? 'stale' : check.status}`)
      .join(', '),
    lastSeenAt ?? 'never',
  ]);
  const score = summary.score === null ? 'no data' : `${summary.score.toFixed(1)} %`;
  const head = `score ${score}, ${summary.hosts.total} hosts, ${summary.evidence.total} bundles, ${summary.remediations.open} open remediations`;
  return {
    data: { summary, hosts },
    text: `${head}\n${formatTable(['HOST', 'STATE', 'SCORE', 'NOT PASSING', 'LAST SEEN'], rows)}`,
  };
}

async function hostStatus(root: string, signal: AbortSignal): Promise<CommandResult> {
  const paths = hostPaths(root);
  using client = connectGuard(paths.socket, signal);
  const guard = await client.status();
  const healthPath = join(paths.agentState, 'health.json');
  const agent = readHealth(healthPath);
  const lines = [
    `${guard.hostName} (${guard.hostId}) of ${guard.orgId}/${guard.siteId}${guard.simulated ? ', simulated' : ''}${guard.frozen ? ', FROZEN' : ''}`,
    `guard: version ${guard.version}, audit record ${guard.audit.seq}, ${guard.pendingChanges} pending change(s)`,
    `policy ${guard.policyHash ?? 'none: everything is denied'}`,
    `baseline ${guard.baselineHash ?? 'none: every check is unknown'}`,
    agent === null
      ? 'agent: no health to be read'
      : `agent: ${agent.status} since ${agent.since}, server ${agent.server}, ${agent.queue.totalPending} queued${agent.queue.stuck > 0 ? `, ${agent.queue.stuck} STUCK` : ''}`,
    ...(agent?.conditions.map(({ severity, code, message }) => `  ${severity}: ${message} (${code})`) ?? []),
  ];
  return { data: { guard, agent }, text: lines.join('\n'), exitCode: guard.frozen ? 1 : 0 };
}

function readHealth(path: string) {
  try {
    return AgentHealthSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null; // not written yet, or only the agent and root may read it
  }
}
