/**
 * Puts the signed ruleset back, in one kernel transaction (C-22). It reverts by itself unless it is
 * confirmed within a minute, and it refuses a ruleset that would drop the host's own loopback.
 */
import type { Operation } from '@holdfast/change';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { normalizeRuleset } from '@holdfast/host';
import { z } from 'zod';
import type { Baseline } from '../baseline.ts';
import { firewall } from '../checks/firewall.ts';
import { listLoopbackDrops } from '../loopback-drops.ts';
import { requireExpectation } from './deps.ts';

/** C-22. */
const CONFIRM_WITHIN_MS = 60_000;

const Params = z.strictObject({});
const Captured = z.strictObject({ ruleset: z.string() });

export function firewallRestore(
  baseline: Baseline | null,
): Operation<z.infer<typeof Params>, z.infer<typeof Captured>> {
  const wanted = (): string => {
    const { ruleset } = requireExpectation(baseline, firewall);
    const drops = listLoopbackDrops(ruleset);
    if (drops.length === 0) return normalizeRuleset(ruleset);
    throw new HoldfastError('the ruleset of the baseline drops loopback', {
      code: 'ERR_BASELINE_UNSAFE',
      fields: { chains: drops.length },
    });
  };
  return {
    name: 'firewall.restore',
    params: Params,
    captured: Captured,
    disruptive: false,
    confirmWithinMs: CONFIRM_WITHIN_MS,
    resources: () => ['packet-filter'],

    async capture(_params, host, signal) {
      wanted();
      return { ruleset: await host.packetFilter.read(signal) };
    },

    async plan(_params, host, signal) {
      const expected = wanted();
      const observed = await host.packetFilter.read(signal);
      if (observed === expected) return []; // P-16
      return [{ action: 'replace the ruleset', detail: { from: sha256Hex(observed), to: sha256Hex(expected) } }];
    },

    async apply(_params, host, signal) {
      const expected = wanted();
      if ((await host.packetFilter.read(signal)) === expected) return;
      await host.packetFilter.replace(expected, signal);
    },

    async verify(_params, host, signal) {
      const expected = sha256Hex(wanted());
      const observed = sha256Hex(await host.packetFilter.read(signal));
      if (observed === expected)
        return { ok: true, reasons: [`the ruleset has the digest ${expected} of the baseline`] };
      return { ok: false, reasons: [`the ruleset has the digest ${observed}, the baseline's is ${expected}`] };
    },

    async revert({ ruleset }, host, signal) {
      if ((await host.packetFilter.read(signal)) === ruleset) return;
      await host.packetFilter.replace(ruleset, signal);
    },
  };
}
