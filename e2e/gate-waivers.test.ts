/** One thing that is accepted release after release: counted over the gates of a repository, and escalated (R-18). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accept } from '../apps/cli/src/commands/gate/accept.ts';
import { add } from '../apps/cli/src/commands/gate/finding.ts';
import { freeze } from '../apps/cli/src/commands/gate/freeze.ts';
import { openGate } from '../apps/cli/src/commands/gate/opened-gate.ts';
import { verdict } from '../apps/cli/src/commands/gate/verdict.ts';
import { Shop } from './gate-shop.ts';

const { signal } = new AbortController();
const TITLE = 'The tenants are thin';
const dateIn = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const idLine = (release: number): string => `id: shop${release === 1 ? '' : `-${release}`}\n`;

/** A shop that is released again and again. */
class Releases extends Shop {
  #number = 1;

  async next(): Promise<void> {
    const [before, after] = [this.#number, (this.#number += 1)];
    this.write('gate.yaml', this.read('gate.yaml').replace(idLine(before), idLine(after)));
    this.commit(`release ${after}`);
    await freeze(this.as('maker'), signal);
  }

  async find(title = TITLE): Promise<string> {
    const where = { surface: 'tenants', location: 'src/shop.txt', defect: 'code' };
    const how = { severity: 'P1', clause: 'unproven', reason: 'seen in review', packet: '01' };
    const { data } = await add({ ...this.as('reader'), title, ...where, ...how }, signal);
    return (data as { id: string }).id;
  }

  async accept(finding: string, previous?: string): Promise<{ waivers: number; previous: string | null }> {
    const control = { control: 'the tenants are apart', controlCommand: 'tests' };
    const condition = { condition: 'thicken the tenants', conditionCommand: 'tests', owner: 'maker' };
    const until = { expires: dateIn(30), due: dateIn(20), reason: 'it can wait' };
    const { data } = await accept(
      finding,
      { ...this.as('decider'), ...control, ...condition, ...until, previous },
      signal,
    );
    return data as { waivers: number; previous: string | null };
  }

  async leaf(): Promise<string> {
    const { log } = await openGate(this.as('maker'), signal);
    return log.records.findLast(({ kind }) => kind === 'risk-acceptance')?.leaf ?? '';
  }
}

describe('gate: consecutive waivers', () => {
  it('R-18: are counted from gate to gate, whatever number the finding has, and take a second approver', async (t) => {
    const shop = new Releases(t);
    await freeze(shop.as('maker'), signal);
    const first = await shop.accept(await shop.find());
    assert.deepEqual([first.waivers, first.previous], [0, null]);
    for (const expected of [1, 2, 3]) {
      const leaf = await shop.leaf();
      await shop.next();
      await shop.find(`Something else ${expected}`);
      const again = await shop.accept(await shop.find());
      assert.deepEqual([again.waivers, again.previous], [expected, leaf]);
    }
    await shop.runs('maker', undefined);
    const { text } = await verdict({ ...shop.as('decider'), dryRun: true }, signal);
    assert.match(text, /it was waived 3 times in a row/);
  });

  it('R-18: a renewal in the same gate is one more, another thing starts from none', async (t) => {
    const shop = new Releases(t);
    await freeze(shop.as('maker'), signal);
    const finding = await shop.find();
    await shop.accept(finding);
    assert.equal((await shop.accept(finding)).waivers, 1);
    assert.equal((await shop.accept(await shop.find('Something else'))).waivers, 0);
    await shop.next();
    assert.equal((await shop.accept(await shop.find())).waivers, 2);
  });

  it('R-18: people name the acceptance before when the thing got another title, and only one that there is', async (t) => {
    const shop = new Releases(t);
    await freeze(shop.as('maker'), signal);
    await shop.accept(await shop.find());
    const leaf = await shop.leaf();
    await shop.next();
    const finding = await shop.find('The tenants are still thin');
    await assert.rejects(shop.accept(finding, 'f'.repeat(64)), { code: 'ERR_CLI_USAGE' });
    assert.equal((await shop.accept(finding, leaf)).waivers, 1);
  });

  it('R-10, R-18: while the records of another gate do not verify, nothing is accepted', async (t) => {
    const shop = new Releases(t);
    await freeze(shop.as('maker'), signal);
    await shop.accept(await shop.find());
    await shop.next();
    const finding = await shop.find();
    shop.write('.gate/shop/log.jsonl', shop.read('.gate/shop/log.jsonl').replace('e', 'f'));
    await assert.rejects(shop.accept(finding), { code: 'ERR_GATE_LOG_INVALID' });
  });
});
