/** The contract of `PacketFilter`. Give it a filter that nothing else uses: the suite replaces everything. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { PacketFilter } from '../ports.ts';
import { normalizeRuleset } from '../ruleset.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

const RULESET = `table inet filter {
  set admins {
    type ipv4_addr
    elements = { 10.0.0.9, 10.0.0.1 }
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iif "lo" accept
    ct state vmap { established : accept, related : accept, invalid : drop }
    ip saddr @admins tcp dport { 443, 22 } counter packets 7 bytes 420 accept comment "{ b, a } packets 1 bytes 2"
  }
}
`;
const OTHER =
  'table inet other {\n\tchain output {\n\t\ttype filter hook output priority filter; policy accept;\n\t}\n}\n';

const inOrder = (a: string, b: string): string => `table inet filter {\n\tchain input {\n\t\t${a}\n\t\t${b}\n\t}\n}\n`;

const REFUSED: readonly { readonly name: string; readonly text: string }[] = [
  { name: 'with an unclosed brace', text: 'table inet filter {\n\tchain input {\n\t}\n' },
  { name: 'with a brace too many', text: 'table inet filter {\n}\n}\n' },
  {
    name: 'that jumps to a chain that does not exist',
    text: `${OTHER}table inet late {\n\tchain input {\n\t\tjump nowhere\n\t}\n}\n`,
  },
  {
    name: 'whose last rule is no rule',
    text: `${OTHER}table inet late {\n\tchain input {\n\t\tplease let everybody in\n\t}\n}\n`,
  },
  { name: 'that includes a file', text: `include "/etc/hostname"\n${OTHER}` },
  { name: 'that includes a file inside a table', text: 'table inet filter {\n\tinclude "/etc/hostname"\n}\n' },
  { name: 'that flushes', text: `flush ruleset\n${OTHER}` },
  { name: 'that is words', text: 'let everybody in\n' },
  { name: 'with a NUL', text: `${OTHER}\0` },
];

export function describePacketFilter(
  name: string,
  open: (scope: Scope) => Promise<PacketFilter>,
  options: SuiteOptions = {},
): void {
  describe(`PacketFilter: ${name}`, options, () => {
    it('C-01: an empty ruleset is the empty string', async (t) => {
      const filter = await open(t);
      await filter.replace('', calm());
      assert.equal(await filter.read(calm()), '');
    });

    it('C-11: what is read back is the normalised text of what was written', async (t) => {
      const filter = await open(t);
      await filter.replace(RULESET, calm());
      assert.equal(await filter.read(calm()), normalizeRuleset(RULESET));
    });

    it('C-11: writing back what was read changes nothing', async (t) => {
      const filter = await open(t);
      await filter.replace(RULESET, calm());
      const first = await filter.read(calm());
      await filter.replace(first, calm());
      assert.equal(await filter.read(calm()), first);
    });

    it('replaces the whole ruleset: no rule of the old one stays', async (t) => {
      const filter = await open(t);
      await filter.replace(RULESET, calm());
      await filter.replace(OTHER, calm());
      assert.equal(await filter.read(calm()), normalizeRuleset(OTHER));
    });

    it('C-11: another order of rules is another ruleset', async (t) => {
      const filter = await open(t);
      await filter.replace(inOrder('iif "lo" accept', 'tcp dport 22 drop'), calm());
      const first = await filter.read(calm());
      await filter.replace(inOrder('tcp dport 22 drop', 'iif "lo" accept'), calm());
      assert.notEqual(await filter.read(calm()), first);
    });

    for (const { name, text } of REFUSED) {
      it(`changes nothing when given a ruleset ${name}`, async (t) => {
        const filter = await open(t);
        await filter.replace(RULESET, calm());
        await rejectsWith('ERR_HOST_PACKET_FILTER_REFUSED', filter.replace(text, calm()));
        assert.equal(await filter.read(calm()), normalizeRuleset(RULESET));
      });
    }

    it('does nothing once the signal is aborted', async (t) => {
      const filter = await open(t);
      await filter.replace(RULESET, calm());
      await honoursAbort((signal) => filter.replace('', signal));
      await honoursAbort((signal) => filter.read(signal));
      assert.equal(await filter.read(calm()), normalizeRuleset(RULESET));
    });
  });
}
