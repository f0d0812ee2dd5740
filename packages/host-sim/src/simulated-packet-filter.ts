/** A packet filter that takes what nft(8) would most likely take. Its rules filter nothing. */
import { HoldfastError } from '@holdfast/core';
import { normalizeRuleset, type PacketFilter } from '@holdfast/host';

import type { StateFile } from './state-file.ts';

/** First words of statements and expressions of nft(8), and of what stands in chains and sets. */
const WORDS = new Set(
  (
    'accept add ah arp auto-merge bridge comment continue counter ct delete devices dccp drop dst dup dynset ' +
    'elements ether exthdr fib flags flow frag fwd gc-interval goto hbh hook ibrname icmp icmpv6 igmp iif iifgroup ' +
    'iifname iiftype ip ip6 ipsec jhash jump last limit log map mark masquerade meta meter mh notrack numgen ' +
    'obrname oif oifgroup oifname oiftype osf over pkttype policy protocol queue quota redirect reject return rt ' +
    'rule sctp secmark set size skgid skuid snat dnat socket symhash synproxy tcp th timeout tproxy type typeof udp ' +
    'udplite update vlan vmap @ll @nh @th'
  ).split(' '),
);

function refuse(reason: string): never {
  throw new HoldfastError('the simulated packet filter refused the ruleset', {
    code: 'ERR_HOST_PACKET_FILTER_REFUSED',
    fields: { reason },
  });
}

/** @param text as `normalizeRuleset` gives it: one statement a line, blocks by `{` at the end of a line */
function checkRules(text: string): void {
  for (const table of text.split(/^(?=table )/m)) {
    const chains = new Set(Array.from(table.matchAll(/^\tchain (\S+) \{$/gm), ([, name]) => name));
    for (const line of table.split('\n').slice(1)) {
      const statement = line.trim();
      if (statement === '' || statement === '}' || statement.endsWith(' {')) continue;
      const word = statement.split(' ')[0] ?? '';
      if (!WORDS.has(word)) refuse('not a statement');
      const plain = statement.replaceAll(/"[^"]*"/g, '""');
      for (const [, target] of plain.matchAll(/\b(?:jump|goto) ([^\s,}]+)/g)) {
        if (!chains.has(target)) refuse('a jump to no chain');
      }
    }
  }
}

export class SimulatedPacketFilter implements PacketFilter {
  readonly #state: StateFile;

  constructor(state: StateFile) {
    this.#state = state;
  }

  async read(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    return this.#state.read().ruleset;
  }

  async replace(ruleset: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const text = normalizeRuleset(ruleset);
    checkRules(text);
    this.#state.update((state) => ({ ...state, ruleset: text }));
  }
}
