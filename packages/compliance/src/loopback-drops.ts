/** What in a ruleset would cut a host off from itself (C-22). */
import { normalizeRuleset } from '@holdfast/host';

/** By interface, alone or in a set, or by address; counted or not. */
const ACCEPTS_LOOPBACK =
  /^((iif|oif|iifname|oifname) ("?lo"?|\{ (.*, )?"?lo"?(, .*)? \})|ip6? [sd]addr (127\.0\.0\.[01](\/8)?|::1)) (counter )?accept\b/;
/** Families whose input and output carry what the host says to itself. */
const LOOPBACK_FAMILIES = /^(ip|ip6|inet) /;

interface Chain {
  readonly name: string;
  hooked: boolean;
  dropping: boolean;
  accepting: boolean;
}

/**
 * Base chains on the host's own input or output that drop by default and never accept the loopback
 * interface, as `table/chain`. Chains that jump elsewhere are given the benefit of the doubt:
 * confirm-or-revert still stands behind them.
 *
 * @throws `ERR_HOST_PACKET_FILTER_REFUSED` for what is no ruleset
 */
export function listLoopbackDrops(ruleset: string): string[] {
  const drops: string[] = [];
  let table = '';
  let chain: Chain | null = null;
  for (const indented of normalizeRuleset(ruleset).split('\n')) {
    const line = indented.trim();
    const header = /^(table|chain) (.+) \{$/.exec(line);
    if (header?.[1] === 'table') {
      table = header[2] ?? '';
    } else if (header?.[1] === 'chain') {
      chain = { name: header[2] ?? '', hooked: false, dropping: false, accepting: false };
    } else if (chain !== null && line === '}') {
      const cutsOff = chain.hooked && chain.dropping && !chain.accepting;
      if (cutsOff && LOOPBACK_FAMILIES.test(table)) drops.push(`${table}/${chain.name}`);
      chain = null;
    } else if (chain !== null) {
      if (/^type filter hook (input|output)\b/.test(line)) chain.hooked = true;
      if (line === 'policy drop') chain.dropping = true;
      if (ACCEPTS_LOOPBACK.test(line)) chain.accepting = true;
      if (/\b(jump|goto)\b/.test(line) || (/\bvmap\b/.test(line) && !line.startsWith('ct state')))
        chain.accepting = true;
    }
  }
  return drops;
}
