/** Packets among themselves: the freeze first, no cycles, something to prove. */
import type { LintProblem } from '../gate-problem.ts';
import { FREEZE_PACKET, type Packet } from '../gate-schema.ts';
import { lintError, lintRule, lintWarning } from '../lint-rule.ts';

/** A long cycle is named by its beginning. */
const MAX_NAMED = 12;

/**
 * One cycle for every packet that closes one, each as the packets on it in order.
 *
 * Depth first with a stack of its own: a chain of ten thousand packets must not exhaust ours.
 */
export function findCycles(packets: readonly Pick<Packet, 'id' | 'needs'>[]): readonly (readonly string[])[] {
  const needs = new Map(packets.map((packet) => [packet.id, packet.needs]));
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[][] = [];
  for (const { id: root } of packets) {
    const stack: { readonly id: string; next: number }[] = [];
    const enter = (id: string): void => {
      state.set(id, 'open');
      stack.push({ id, next: 0 });
    };
    if (!state.has(root)) enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const need = needs.get(top.id)?.[top.next++];
      if (need === undefined) {
        state.set(top.id, 'done');
        stack.pop();
      } else if (state.get(need) === 'open') {
        const path = stack.map(({ id }) => id);
        cycles.push(path.slice(path.indexOf(need)));
      } else if (!state.has(need) && needs.has(need)) enter(need);
    }
  }
  return cycles;
}

function* cycleProblems(packets: readonly Packet[]): Iterable<LintProblem> {
  const indices = new Map(packets.map(({ id }, index) => [id, index]));
  for (const cycle of findCycles(packets)) {
    const named = cycle.length > MAX_NAMED ? [...cycle.slice(0, MAX_NAMED), '…'] : cycle;
    const closing = cycle.at(-1) ?? '';
    yield lintError(
      'R-01',
      ['packets', indices.get(closing) ?? 0, 'needs'],
      `packets need each other in a circle: ${[...named, cycle[0]].join(' → ')}; none of them could start`,
    );
  }
}

export const PACKET_RULES = [
  lintRule(['packets'], function* ({ packets }) {
    const index = packets.findIndex(({ id }) => id === FREEZE_PACKET);
    const first = packets[index];
    //
    if (first === undefined)
      yield lintError(
        'R-03',
        ['packets'],
        `has no packet "${FREEZE_PACKET}", which freezes scope, rubric, order and commands; add it`,
      );
    else if (first.needs.length > 0)
      yield lintError('R-03', ['packets', index, 'needs'], `packet "${FREEZE_PACKET}" comes first; it needs nothing`);
  }),
  lintRule(['packets'], ({ packets }) => cycleProblems(packets)),
  lintRule(['packets'], function* ({ packets }) {
    const without = [...packets.entries()].filter(([, { commands }]) => commands.length === 0);
    if (without.length === packets.length) {
      yield lintError('R-06', ['packets'], 'require no command at all: nothing would be proven; name commands in them');
      return;
    }
    for (const [index, { id }] of without) {
      if (id !== FREEZE_PACKET)
        yield lintWarning(
          'R-02',
          ['packets', index, 'commands'],
          `packet \`${id}\` rests on its checklist alone; name a command`,
        );
    }
  }),
  lintRule(['packets'], function* ({ packets }) {
    for (const [index, { checklist }] of packets.entries()) {
      if (new Set(checklist).size < checklist.length)
        yield lintWarning('R-02', ['packets', index, 'checklist'], 'has an item twice; remove one');
    }
  }),
];
