/**
 * Rulesets as text: one spelling for those that filter alike, and what would cut a host off.
 *
 * The reader of the host already leaves out counters, handles and set order (C-11); what is done
 * here makes a ruleset that passed through an editor comparable. It is not a parser of nft(8).
 */

/** C-11: without counters, handles, comments, blank lines and differing indentation. */
export function normaliseRuleset(text: string): string {
  const lines: string[] = [];
  let depth = 0;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw
      .replace(/\s*#(?=([^"]*"[^"]*")*[^"]*$).*$/, '')
      .replaceAll(/\bcounter packets \d+ bytes \d+/g, 'counter')
      .trim();
    if (line === '' || line === 'flush ruleset') continue;
    if (line.startsWith('}')) depth = Math.max(0, depth - 1);
    lines.push('\t'.repeat(depth) + line);
    if (line.endsWith('{')) depth += 1;
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/**
 * Base chains on the host's own input or output that drop by default and never accept the loopback
 * interface, as `table/chain`. Chains that jump elsewhere are given the benefit of the doubt:
 * confirm-or-revert still stands behind them (C-22).
 */
export function listLoopbackDrops(ruleset: string): string[] {
  const drops: string[] = [];
  let table = '';
  let chain: { name: string; dropping: boolean; accepting: boolean } | null = null;
  for (const line of normaliseRuleset(ruleset)
    .split('\n')
    .map((text) => text.trim())) {
    const header = /^(table|chain) (.+) \{$/.exec(line);
    if (header?.[1] === 'table') table = header[2] ?? '';
    else if (header?.[1] === 'chain') chain = { name: header[2] ?? '', dropping: false, accepting: false };
    else if (chain !== null && line === '}') {
      if (chain.dropping && !chain.accepting) drops.push(`${table}/${chain.name}`);
      chain = null;
    } else if (chain !== null) {
      if (/\btype filter hook (input|output)\b.*\bpolicy drop\b/.test(line)) chain.dropping = true;
      if (/^(iif|oif|iifname|oifname) "?lo"? (counter )?accept\b/.test(line)) chain.accepting = true;
      if (/\b(jump|goto|vmap)\b/.test(line)) chain.accepting = true;
    }
  }
  return drops;
}
