import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GatePacket, planBoard } from './plan-board.ts';

const packet = (id: string, ...needs: string[]): GatePacket => ({
  id,
  title: id,
  state: 'PENDING',
  review: 'none',
  needs,
  implementer: 'ann',
  reviewer: 'bob',
  approvedBy: [],
  evidence: [],
  note: null,
  startedAt: null,
  changedAt: null,
});
const idsOf = (packets: readonly GatePacket[]): string[][] =>
  planBoard(packets).map((column) => column.map(({ id }) => id));

describe('planBoard', () => {
  const cases: { name: string; packets: GatePacket[]; want: string[][] }[] = [
    { name: 'nothing is an empty board', packets: [], want: [] },
    {
      name: 'W-09: independent packets stand below one another, behind the freeze',
      packets: [packet('00'), packet('a'), packet('b'), packet('c'), packet('z', 'a', 'b', 'c')],
      want: [['00'], ['a', 'b', 'c'], ['z']],
    },
    {
      name: 'a packet stands behind the last of its needs, not the first',
      packets: [packet('00'), packet('a'), packet('b', 'a'), packet('c', '00', 'b')],
      want: [['00'], ['a'], ['b'], ['c']],
    },
    {
      name: 'a need that nobody knows is no need',
      packets: [packet('00'), packet('a', 'nowhere')],
      want: [['00', 'a']],
    },
  ];
  for (const { name, packets, want } of cases) it(name, () => assert.deepEqual(idsOf(packets), want));

  it('a circle does not hang it and loses nobody', () => {
    const ids = idsOf([packet('00'), packet('a', 'b'), packet('b', 'a')]).flat();
    assert.deepEqual(ids.toSorted(), ['00', 'a', 'b']);
  });
});
