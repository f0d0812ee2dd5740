import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { commandDigest, packetDigest } from './definition-digest.ts';
import { type Gate, GateSchema } from './gate-schema.ts';
import { initGate } from './init-gate.ts';

/** A fresh gate each time: digests are kept by object. */
function gateWith(change: (gate: Gate) => void = () => undefined): Gate {
  const gate = GateSchema.parse(parse(initGate({ name: 'shop', files: new Map([['go.mod', 'module shop']]) })));
  change(gate);
  return gate;
}
const packetDigests = (gate: Gate): Record<string, string> =>
  Object.fromEntries(gate.packets.map((packet) => [packet.id, packetDigest(gate, packet)]));
const first = <T>(list: readonly T[]): T => list[0] ?? assert.fail('it is empty');

describe('commandDigest', () => {
  it('R-34: an expectation that was edited gives another digest, and the order of keys does not', () => {
    const command = first(gateWith().commands);
    assert.equal(commandDigest({ ...command }), commandDigest(command));
    assert.equal(
      commandDigest(Object.fromEntries(Object.entries(command).toReversed()) as typeof command),
      commandDigest(command),
    );
    for (const edit of [{ exit: [0, 1] }, { floor: 2 }, { timeoutSeconds: 1 }, { argv: ['true'] }, { maxAgeHours: 1 }])
      assert.notEqual(commandDigest({ ...command, ...edit }), commandDigest(command), Object.keys(edit).join());
  });
});

describe('packetDigest', () => {
  const cases: { name: string; change: (gate: Gate) => void; changed: string[] }[] = [
    { name: 'nothing', change: () => undefined, changed: [] },
    { name: 'a contact', change: (gate) => void (first(gate.people).contact = 'x@shop.example'), changed: ['00'] },
    { name: 'the milestone', change: (gate) => void gate.milestone.pop(), changed: ['00'] },
    {
      name: 'a clause of the rubric',
      change: (gate) => void (first(gate.rubric.P0).text = 'else'),
      changed: ['00', 'secrets', 'tests'],
    },
    {
      name: 'a surface',
      change: (gate) => void (first(gate.scope.surfaces).tests = ['x']),
      changed: ['00', 'secrets', 'tests'],
    },
    { name: 'a command', change: (gate) => void (first(gate.commands).floor = 7), changed: ['00', 'tests'] },
    {
      name: 'a reviewer',
      change: (gate) => void ((gate.packets[2] ?? assert.fail()).reviewer = 'decider'),
      changed: ['00', 'secrets'],
    },
  ];
  for (const { name, change, changed } of cases) {
    it(`R-03: ${name} changes ${changed.length === 0 ? 'no packet' : `packets ${changed.join(', ')}`}`, () => {
      const [before, after] = [packetDigests(gateWith()), packetDigests(gateWith(change))];
      assert.deepEqual(
        Object.keys(before)
          .filter((id) => before[id] !== after[id])
          .toSorted(),
        changed,
      );
    });
  }
});
