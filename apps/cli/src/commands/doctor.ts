/** `holdfast doctor`: every layer of this host's protection, with the reason and the fix (G-33). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentHealthSchema, hostPaths } from '@holdfast/api';
import { loadTrust } from '@holdfast/agent';
import { verifyAuditLog } from '@holdfast/audit';
import { isHoldfastError } from '@holdfast/core';
import { connectGuard } from '@holdfast/guard';
import { loadHostBaseline, type RootOption } from '../host-wiring.ts';
import { type CommandResult, formatTable } from '../output.ts';

interface Layer {
  readonly name: string;
  readonly state: 'active' | 'degraded' | 'missing';
  readonly required: boolean;
  readonly reason: string;
  readonly fix: string | null;
}

/** An agent that has not written its health for this long is not running. */
const STALE_HEALTH_MS = 10 * 60_000;

export async function doctor({ root }: RootOption, signal: AbortSignal): Promise<CommandResult> {
  const layers = [enrolment(root), ...(await guardLayers(root, signal)), await auditLog(root), agent(root, Date.now())];
  const broken = layers.filter(({ state, required }) => required && state !== 'active');
  const rows = layers.map(({ name, state, required, reason, fix }) => [
    state,
    required ? 'required' : 'optional',
    name,
    fix === null ? reason : `${reason} → ${fix}`,
  ]);
  return {
    data: { ok: broken.length === 0, layers },
    text: `${formatTable(['STATE', 'NEED', 'LAYER', 'WHY'], rows)}\n${broken.length === 0 ? 'all required layers are active' : `${broken.length} required layer(s) not active`}`,
    exitCode: broken.length === 0 ? 0 : 1,
  };
}

const missing = (name: string, reason: string, fix: string): Layer => ({
  name,
  state: 'missing',
  required: true,
  reason,
  fix,
});
const active = (name: string, reason: string): Layer => ({ name, state: 'active', required: true, reason, fix: null });

function enrolment(root: string): Layer {
  try {
    const { hostId, orgId, serverUrl } = loadTrust(hostPaths(root));
    return active('enrolment', `host ${hostId} of ${orgId} at ${serverUrl}`);
  } catch {
    return missing('enrolment', 'trust.json is missing or not valid', 'run `holdfast enroll` with a token');
  }
}

async function guardLayers(root: string, signal: AbortSignal): Promise<readonly Layer[]> {
  try {
    using guard = connectGuard(hostPaths(root).socket, signal);
    const status = await guard.status();
    return [active('guard', `answers, version ${status.version}`), ...status.layers];
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : 'no answer';
    const fix = 'start holdfast-guard.service; its journal says why it stopped';
    return [missing('guard', `does not answer (${code})`, fix), await baseline(root)];
  }
}

async function baseline(root: string): Promise<Layer> {
  const paths = hostPaths(root);
  try {
    const loaded = await loadHostBaseline(paths, loadTrust(paths), Date.now());
    if (loaded.ok) return active('baseline', `${loaded.baseline.name}, hash ${loaded.hash.slice(0, 16)}…`);
    return missing(
      'baseline',
      `${loaded.reason} (${loaded.code})`,
      'capture, sign and install one: `holdfast baseline --help`',
    );
  } catch {
    return missing('baseline', 'cannot be judged before the host is enrolled', 'enrol the host first');
  }
}

async function auditLog(root: string): Promise<Layer> {
  const { ok, records, problems } = await verifyAuditLog(hostPaths(root).auditLog);
  const [problem] = problems;
  if (ok) return active('audit chain', `${records} records, unbroken`);
  if (problem?.fault === 'unreadable') {
    return {
      name: 'audit chain',
      state: 'degraded',
      required: false,
      reason: 'only root may read it',
      fix: 'run doctor as root',
    };
  }
  return missing(
    'audit chain',
    problem?.fault ?? 'does not verify',
    'run `holdfast audit verify`, keep the files, and find out who changed them',
  );
}

function agent(root: string, nowMs: number): Layer {
  const path = join(hostPaths(root).agentState, 'health.json');
  const fix = 'start holdfast-agent.service; its journal says why it stopped';
  if (!existsSync(path)) return missing('agent', 'has never reported its health', fix);
  const health = AgentHealthSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!health.success) return missing('agent', 'its health file is damaged', fix);
  const { status, since, lastCycleAgeMs, conditions } = health.data;
  const isStale = lastCycleAgeMs !== null && lastCycleAgeMs > STALE_HEALTH_MS;
  const reason = `${status} since ${since}${conditions.map(({ code }) => `, ${code}`).join('')}`;
  if (status === 'healthy' && !isStale && Date.parse(since) <= nowMs) return active('agent', reason);
  return {
    name: 'agent',
    state: 'degraded',
    required: true,
    reason,
    fix: 'see its conditions: `holdfast status --host`',
  };
}
