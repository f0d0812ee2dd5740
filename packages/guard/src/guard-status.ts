/** What the guard says of itself: identity, heads, and each enforcement layer as it is now (G-33). */
import type { GuardStatus } from '@holdfast/api';
import type { GuardBaseline } from './baseline-holder.ts';
import type { Policy, SandboxLayer } from '@holdfast/policy';
import type { SandboxState } from './command/sandbox-probe.ts';
import type { PolicyHolder } from './policy-holder.ts';

type Layer = GuardStatus['layers'][number];

export interface LayerState {
  readonly policy: PolicyHolder['state'];
  readonly baseline: GuardBaseline;
  readonly isAuditWritable: boolean;
  readonly isFrozen: boolean;
  /** Orders and nonces of before were lost with the database. */
  readonly isMemoryLost: boolean;
  readonly isSimulated: boolean;
  readonly sandbox: SandboxState;
  /** Layers that some command of the policy does not run without; `null` when it declares no command. */
  readonly requiredLayers: ReadonlySet<SandboxLayer> | null;
}

const POLICY_REASONS: Record<LayerState['policy'], Omit<Layer, 'name' | 'required'>> = {
  loaded: { state: 'active', reason: 'the policy on disk is in force', fix: null },
  refused: {
    state: 'degraded',
    reason: 'the policy on disk has errors; the last good one is in force, or none',
    fix: 'run `holdfast policy lint` and mend what it names',
  },
  missing: {
    state: 'missing',
    reason: 'there is no policy: everything but `status` is denied',
    fix: 'write policy.toml, owned by root and not writable by others',
  },
};

/** Pure: one row per layer, in a fixed order. */
export function describeLayers(state: LayerState): Layer[] {
  const { hash } = state.baseline;
  return [
    { name: 'peer-credentials', state: 'active', required: true, reason: 'SO_PEERCRED answered at start', fix: null },
    { name: 'policy', required: true, ...POLICY_REASONS[state.policy] },
    'value' in hash
      ? { name: 'baseline', state: 'active', required: true, reason: 'a signed baseline is pinned', fix: null }
      : {
          name: 'baseline',
          state: 'missing',
          required: true,
          reason: hash.unknown,
          fix: 'pin a signed baseline with `holdfast baseline`',
        },
    state.isAuditWritable
      ? { name: 'audit-log', state: 'active', required: true, reason: 'records are durable', fix: null }
      : {
          name: 'audit-log',
          state: 'missing',
          required: true,
          reason: 'the log cannot be written: mutations are denied',
          fix: 'free space on, or mend, the disk of the guard’s state directory',
        },
    state.isMemoryLost
      ? {
          name: 'replay-memory',
          state: 'degraded',
          required: true,
          reason: 'the database was lost: everything issued before that is refused',
          fix: null,
        }
      : {
          name: 'replay-memory',
          state: 'active',
          required: true,
          reason: 'nonces and orders are remembered',
          fix: null,
        },
    state.isFrozen
      ? {
          name: 'change-engine',
          state: 'missing',
          required: true,
          reason: 'frozen: a change could not be reverted',
          fix: 'see `holdfast audit tail`, mend the host by hand, then unfreeze',
        }
      : {
          name: 'change-engine',
          state: 'active',
          required: true,
          reason: 'changes are journaled and revert',
          fix: null,
        },
    ...sandboxLayers(state.sandbox, state.requiredLayers),
    state.isSimulated
      ? { name: 'host', state: 'degraded', required: false, reason: 'the host is simulated', fix: null }
      : { name: 'host', state: 'active', required: false, reason: 'a real host', fix: null },
  ];
}

/** What the commands of the policy ask for. */
export function requiredLayersOf(policy: Policy | null): ReadonlySet<SandboxLayer> | null {
  if (policy === null || policy.commands.size === 0) return null;
  const profiles = [...policy.commands.values()].map(({ profile }) => policy.profiles.get(profile));
  return new Set(profiles.flatMap((profile) => profile?.require ?? []));
}

/** one row for the whole, then one for each layer that the spawner looked for. */
function sandboxLayers(sandbox: SandboxState, required: LayerState['requiredLayers']): Layer[] {
  const name = 'command-sandbox';
  if ('none' in sandbox) {
    const fix = 'start holdfast-spawner.service; until then `exec.` commands are denied';
    return [{ name, state: 'missing', required: required !== null, reason: sandbox.none, fix }];
  }
  const rows = sandbox.layers.map(({ layer, available, reason, fix }) => ({
    name: `sandbox: ${layer}`,
    state: available ? ('active' as const) : ('missing' as const),
    required: required?.has(layer) ?? false,
    reason,
    fix,
  }));
  const gone = rows.filter(({ state }) => state === 'missing').length;
  const reason =
    gone === 0 ? 'every layer is there' : `${gone} layer(s) are missing: profiles that require them are denied`;
  return [{ name, state: gone === 0 ? 'active' : 'degraded', required: false, reason, fix: null }, ...rows];
}
