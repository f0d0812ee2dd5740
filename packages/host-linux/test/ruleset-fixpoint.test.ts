/** That our spelling of a ruleset and the kernel's agree: what is loaded is what is read, for any ruleset. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';

import { normalizeRuleset } from '@holdfast/host';
import { inNetworkNamespace, NftablesPacketFilter, SpawnCommandRunner } from '@holdfast/host-linux';
import { needs } from '@holdfast/testing';
import * as fc from 'fast-check';

const calm = (): AbortSignal => new AbortController().signal;

const address = fc.ipV4().filter((ip) => !ip.startsWith('0.'));
const port = fc.integer({ min: 1, max: 65_535 }).map(String);
const list = (element: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.uniqueArray(element, { minLength: 2, maxLength: 12 }).map((elements) => `{ ${elements.join(', ')} }`);
const verdict = fc.constantFrom('accept', 'drop', 'counter packets 3 bytes 99 accept', 'jump other', 'return');
const comment = fc.stringMatching(/^[a-z {},;#]{1,20}$/).map((text) => `comment "${text}"`);
const match = fc.oneof(
  list(port).map((ports) => `tcp dport ${ports}`),
  list(address).map((addresses) => `ip saddr ${addresses}`),
  list(fc.tuple(address, port).map((pair) => pair.join(' . '))).map((pairs) => `ip daddr . udp dport ${pairs}`),
  fc.constantFrom('iif "lo"', 'ct state established,related', 'ip saddr @named', 'meta l4proto { udp, tcp, icmp }'),
  fc.constantFrom('limit rate 10/second burst 7 packets', 'quota over 5 mbytes used 3 bytes', 'log prefix "{ b, a } "'),
);
const rule = fc.tuple(match, verdict, comment).map((parts) => parts.join(' '));
const ruleset = fc.tuple(fc.array(rule, { maxLength: 12 }), list(address)).map(
  ([rules, named]) => `table inet generated {
  set named {
    type ipv4_addr
    elements = ${named}
  }
  chain other {
  }
  chain input {
    type filter hook input priority filter; policy drop;
${rules.map((text) => `    ${text}\n`).join('')}  }
}
`,
);

it(
  'C-11: loading a normalised ruleset and reading it gives the same text',
  needs('root', 'nftables', 'network-namespaces'),
  async (t) => {
    const name = `hf-fix-${process.pid}`;
    execFileSync('/usr/sbin/ip', ['netns', 'add', name]);
    t.after(() => {
      execFileSync('/usr/sbin/ip', ['netns', 'delete', name]);
    });
    const filter = new NftablesPacketFilter(inNetworkNamespace(new SpawnCommandRunner(), name));
    await fc.assert(
      fc.asyncProperty(ruleset, async (text) => {
        await filter.replace(text, calm());
        const once = await filter.read(calm());
        await filter.replace(once, calm());
        assert.equal(await filter.read(calm()), once);
        assert.equal(normalizeRuleset(once), once);
      }),
      { numRuns: 40 },
    );
  },
);
