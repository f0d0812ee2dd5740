/** What the guard says of itself: identity, heads, and each enforcement layer as it is now (G-33). */
import type { GuardStatus } from '@holdfast/api';
import type { GuardBaseline } from './baseline-holder.ts';
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
    {
      name: 'command-sandbox',
      state: 'missing',
      required: false,
      reason: 'no sandbox on this host: `exec.` commands are denied',
      fix: null,
    },
    state.isSimulated
      ? { name: 'host', state: 'degraded', required: false, reason: 'the host is simulated', fix: null }
      : { name: 'host', state: 'active', required: false, reason: 'a real host', fix: null },
  ];
}
