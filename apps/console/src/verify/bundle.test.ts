/** What the page says of a bundle, step by step: of a good one, and of every way to lie about it (W-06). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  encodeEnvelope,
  formatVerifierKey,
  leafHash,
  rootOf,
  signCheckpoint,
  signEnvelope,
  signerFromSeed,
} from '@holdfast/crypto';
import { fromHex, toBase64, toHex } from './bytes.ts';
import { type Shown, type VerificationStep, verifyBundle } from './bundle.ts';
import { fingerprint, forgetPins, pin, type Pins, type PinStorage } from './pins.ts';
import { isSameJson } from './same-json.ts';

const ORIGIN = 'holdfast.test/log/default';
const TYPE = 'application/vnd.in-toto+json';
const [host, log, other] = [1, 2, 3].map((seed) => signerFromSeed(new Uint8Array(32).fill(seed)));
assert.ok(host !== undefined && log !== undefined && other !== undefined);
const predicate = {
  bundleId: 'b-1',
  hostId: 'h-1',
  hostName: 'web-1',
  check: 'files',
  operation: null,
  outcome: 'pass',
  severity: 'low',
  started: '2026-01-01T00:00:00.000Z',
  ended: '2026-01-01T00:00:01.000Z',
  simulated: false,
  remediationId: null,
  findings: [{ subject: '/etc/x', observed: { a: 1, b: [1, 2] } }],
};
const { ended: _ended, findings: _findings, ...row } = predicate;
const SHOWN: Shown = { bundleId: 'b-1', hostId: 'h-1', predicate, row };
const PINS: Pins = {
  logOrigin: ORIGIN,
  logKey: formatVerifierKey(ORIGIN, log.publicKey),
  hosts: { 'h-1': toBase64(host.publicKey) },
  pinnedAt: '2026-01-01T00:00:00.000Z',
};

const statementOf = (content: object = predicate): Uint8Array =>
  Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject: [], predicate: content }));
const seal = (payload: Uint8Array, signer = host, type = TYPE): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(encodeEnvelope(signEnvelope(type, payload, [signer])));
const proofFor = (bytes: Uint8Array, signer = log) => {
  const [own, sibling] = [leafHash(bytes), leafHash(Buffer.from('sibling'))];
  return {
    index: 0,
    treeSize: 2,
    leafHash: toHex(own),
    hashes: [toHex(sibling)],
    checkpoint: signCheckpoint({ origin: ORIGIN, size: 2, root: rootOf([own, sibling]) }, signer),
  };
};
const failureOf = (steps: readonly VerificationStep[]): string => {
  const last = steps.at(-1);
  return last === undefined || last.ok ? 'verified' : `${steps.length}: ${last.detail}`;
};

describe('verifyBundle', () => {
  const good = seal(statementOf());
  const judge = async (
    bytes: Uint8Array<ArrayBuffer> = good,
    change: { shown?: Partial<Shown>; pins?: Partial<Pins>; proof?: object } = {},
  ): Promise<string> =>
    failureOf(
      await verifyBundle(bytes, { ...SHOWN, ...change.shown }, { ...PINS, ...change.pins }, async () => ({
        ...proofFor(bytes),
        ...change.proof,
      })),
    );

  it('W-06: a good bundle passes all five steps', async () => assert.equal(await judge(), 'verified'));

  const lies: { name: string; judged: () => Promise<string>; says: RegExp }[] = [
    { name: 'signed by another key', judged: () => judge(seal(statementOf(), other)), says: /^2: .*did not sign/ },
    {
      name: 'another payload type',
      judged: () => judge(seal(statementOf(), host, 'text/plain')),
      says: /^2: .*payload type/,
    },
    { name: 'no key is pinned', judged: () => judge(good, { pins: { hosts: {} } }), says: /^2: no key is pinned/ },
    {
      name: 'a host id that every object has',
      judged: () => judge(good, { shown: { hostId: 'constructor' } }),
      says: /^2: no key is pinned/,
    },
    { name: 'no JSON at all', judged: () => judge(new Uint8Array([0xff, 0])), says: /^2: / },
    {
      name: 'no signatures',
      judged: () =>
        judge(Uint8Array.from(Buffer.from(JSON.stringify({ payloadType: TYPE, payload: '', signatures: [] })))),
      says: /^2: .*did not sign/,
    },
    {
      name: 'a statement of another type',
      judged: () => judge(seal(Buffer.from(JSON.stringify({ _type: 'x', predicate })))),
      says: /^3: not an in-toto/,
    },
    {
      name: 'a statement without a predicate',
      judged: () => judge(seal(Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}'))),
      says: /^3: /,
    },
    {
      name: 'another bundle',
      judged: () => judge(good, { shown: { bundleId: 'b-2' } }),
      says: /^3: the signed bundle id/,
    },
    {
      name: 'another predicate is shown',
      judged: () => judge(good, { shown: { predicate: { ...predicate, outcome: 'fail' } } }),
      says: /^3: the server shows something else/,
    },
    {
      name: 'another heading is shown',
      judged: () => judge(good, { shown: { row: { ...row, hostName: 'web-9' } } }),
      says: /^3: the server shows another hostName/,
    },
    {
      name: 'ends before it starts',
      judged: () =>
        judge(seal(statementOf({ ...predicate, ended: '2025-01-01T00:00:00.000Z' })), {
          shown: { predicate: { ...predicate, ended: '2025-01-01T00:00:00.000Z' } },
        }),
      says: /^3: it ends before/,
    },
    {
      name: 'another leaf in the log',
      judged: () => judge(good, { proof: { leafHash: '00'.repeat(32) } }),
      says: /^4: .*leaf/,
    },
    {
      name: 'a proof that leads elsewhere',
      judged: () => judge(good, { proof: { hashes: ['00'.repeat(32)] } }),
      says: /^5: .*signed root/,
    },
    { name: 'a proof without hashes', judged: () => judge(good, { proof: { hashes: [] } }), says: /^5: .*signed root/ },
    {
      name: 'a checkpoint of another size',
      judged: () => judge(good, { proof: { treeSize: 3 } }),
      says: /^5: .*another tree size/,
    },
    {
      name: 'a checkpoint by another key',
      judged: () => judge(good, { proof: proofFor(good, other) }),
      says: /^5: .*did not sign this checkpoint/,
    },
  ];
  for (const { name, judged, says } of lies) {
    it(`W-06: refuses, and names the step: ${name}`, async () => assert.match(await judged(), says));
  }

  it('W-06: a proof that cannot be had is no proof', async () => {
    const steps = await verifyBundle(good, SHOWN, PINS, async () => Promise.reject(new Error('not there')));
    assert.equal(failureOf(steps), '4: not there');
  });

  it('W-06: every byte of the envelope counts', async () => {
    for (let at = 0; at < good.length; at += 7) {
      const changed = Uint8Array.from(good);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const steps = await verifyBundle(changed, SHOWN, PINS, async () => proofFor(good));
      assert.notEqual(failureOf(steps), 'verified', `byte ${at}`);
    }
  });
});

const openStorage = (): PinStorage => {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
};

describe('pins', () => {
  const hostKey = {
    hostId: 'h-1',
    name: 'web-1',
    keyId: 'k',
    publicKey: 'AAAA',
    validFrom: '2026-01-01T00:00:00.000Z',
    validTo: null,
  };
  const trust = { logOrigin: ORIGIN, logKey: 'log-1', keys: [], hosts: [hostKey] };

  it('W-06: the first sight is kept, whatever the server says later; forgetting starts anew', () => {
    const storage = openStorage();
    assert.deepEqual(pin(storage, 'o', trust, 'now').contradictions, []);
    const later = pin(storage, 'o', { ...trust, logKey: 'log-2', hosts: [{ ...hostKey, publicKey: 'BBBB' }] }, 'later');
    assert.equal(later.contradictions.length, 2);
    assert.deepEqual([later.pins.logKey, later.pins.hosts['h-1'], later.pins.pinnedAt], ['log-1', 'AAAA', 'now']);
    forgetPins(storage, 'o');
    assert.equal(pin(storage, 'o', { ...trust, logKey: 'log-2' }, 'later').pins.logKey, 'log-2');
  });

  it('W-06: each org has pins of its own', () => {
    const storage = openStorage();
    pin(storage, 'a', trust, 'now');
    assert.deepEqual(pin(storage, 'b', { ...trust, logKey: 'log-2' }, 'now').contradictions, []);
  });

  it('W-06: the fingerprint is the key id that the command line prints', async () => {
    assert.equal(await fingerprint(toBase64(host.publicKey)), host.keyId);
  });
});

describe('isSameJson', () => {
  const cases: { name: string; a: unknown; b: unknown; same: boolean }[] = [
    { name: 'the order of keys means nothing', a: { x: 1, y: [{}] }, b: { y: [{}], x: 1 }, same: true },
    { name: 'the order of items does', a: [1, 2], b: [2, 1], same: false },
    { name: 'absent is not null', a: { x: null }, b: {}, same: false },
    { name: 'an array is no object', a: [], b: {}, same: false },
    { name: 'a number is no text', a: 1, b: '1', same: false },
    { name: 'one more key', a: { x: 1 }, b: { x: 1, y: 1 }, same: false },
  ];
  for (const { name, a, b, same } of cases) it(`W-06: ${name}`, () => assert.equal(isSameJson(a, b), same));

  it('W-06: hexadecimal is read strictly', () => {
    assert.deepEqual(fromHex('00ff'), new Uint8Array([0, 255]));
    for (const text of ['0', 'FF', 'zz', '0 ']) assert.throws(() => fromHex(text));
  });
});
