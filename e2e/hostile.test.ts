/**
 * Users of a host who are not root, the agent's own user included, over the real guard's socket:
 * nothing that the policy does not grant is done, and nobody else notices that it was tried (G-01,
 * G-02, G-03, C-35).
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { ORDER_PAYLOAD_TYPE } from '@holdfast/api';
import { canonicalJson, type JsonObject } from '@holdfast/core';
import { encodeEnvelope, signEnvelope, signerFromSeed } from '@holdfast/crypto';
import { AGENT_ID } from '@holdfast/lab';
import { needs } from '@holdfast/testing';
import { eventually } from './eventually.ts';
import type { Ended } from './holdfast.ts';
import { Site } from './site.ts';

const never = new AbortController().signal;
const HOST = 'web-1';
const NODE = '/opt/holdfast/node_modules/.bin/node';
const SOCKET = '/run/holdfast/guard.sock';
/** uid and gid. The third is a stranger whom an administrator put into the agent's group. */
const AGENT = [AGENT_ID, AGENT_ID] as const;
const NOBODY = [65_534, 65_534] as const;
const STRANGER = [65_534, AGENT_ID] as const;
type Ids = readonly [number, number];

/** Sends chunks over one connection and prints the answers. Plain JavaScript that needs nothing it may not read. */
const CLIENT = `
const net = require('node:net');
const [chunks, want] = JSON.parse(process.argv[1]);
const socket = net.connect('${SOCKET}');
const answers = [];
let rest = '';
const finish = () => { process.stdout.write(JSON.stringify(answers)); process.exit(0); };
setTimeout(finish, 30000);
socket.on('connect', () => chunks.forEach(([chunk, times]) => socket.write(Buffer.concat(Array(times).fill(Buffer.from(chunk, 'base64'))))));
socket.on('data', (bytes) => {
  const parts = (rest + bytes).split('\\n');
  rest = parts.pop();
  answers.push(...parts.map((part) => JSON.parse(part)));
  if (answers.length >= want) finish();
});
socket.on('error', (error) => answers.push({ refused: error.code }));
socket.on('close', finish);
`;

/** Opens many connections at once, says half a request on each, and holds them. */
const CROWD = `
const net = require('node:net');
for (let n = 0; n < 300; n += 1) {
  const socket = net.connect('${SOCKET}', () => socket.write('{"v":1,"id":"slow"'));
  socket.on('error', () => undefined);
}
setTimeout(() => process.exit(0), 8000);
`;

interface Answer {
  readonly ok?: boolean;
  readonly id?: string;
  readonly result?: { readonly outcome?: string | null };
  readonly error?: { readonly code: string };
  readonly refused?: string;
}

const codeOf = ({ ok, error, refused, result }: Answer): string =>
  refused ?? (ok === true ? `ok ${result?.outcome ?? ''}`.trim() : (error?.code ?? 'no answer'));

/** The guard counts ages by the clock that never steps, which is one for all processes of a machine. */
const nowMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

const request = (operation: string, params: JsonObject, changes: object = {}): object => ({
  kind: 'request',
  operation,
  params,
  nonce: randomBytes(16).toString('base64url'),
  issuedAtMs: nowMs(),
  cause: { kind: 'drift', remediationId: null, check: null, reason: null },
  ...changes,
});

function order(hostId: string): object {
  const text = canonicalJson({
    version: 1,
    orderId: 'order-of-a-stranger',
    orgId: 'default',
    siteId: 'default',
    hostId,
    nonce: randomBytes(16).toString('base64url'),
    issuedAt: new Date().toISOString(),
    ttlS: 900,
    requestedBy: 'user-1',
    operation: 'firewall.restore',
    params: {},
  });
  const stranger = signerFromSeed(randomBytes(32));
  const envelope = encodeEnvelope(signEnvelope(ORDER_PAYLOAD_TYPE, Buffer.from(text), [stranger]));
  return { kind: 'order', envelope: Buffer.from(envelope).toString() };
}

class Intruder {
  readonly #site: Site;
  readonly #ids: Ids;

  constructor(site: Site, ids: Ids) {
    this.#site = site;
    this.#ids = ids;
  }

  /** Any program as this user, in no other group. */
  run(program: string, ...args: readonly string[]): Promise<Ended> {
    const [uid, gid] = this.#ids;
    const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
    return this.#site.exec(HOST, '/usr/bin/setpriv', ...identity, program, ...args);
  }

  /** Bytes as they are, over one connection. */
  async send(chunks: readonly (string | Buffer)[], want: number, times = 1): Promise<Answer[]> {
    const encoded = chunks.map((chunk) => [Buffer.from(chunk).toString('base64'), times]);
    const { stdout, stderr, exitCode } = await this.run(NODE, '-e', CLIENT, JSON.stringify([encoded, want]));
    assert.equal(exitCode, 0, stderr);
    return JSON.parse(stdout) as Answer[];
  }

  /** Whole requests; the codes of the answers, in the order of the requests. */
  async ask(requests: readonly object[]): Promise<string[]> {
    const lines = requests.map((one, index) => `${JSON.stringify({ v: 1, id: String(index), ...one })}\n`);
    const answers = await this.send(lines, requests.length);
    return answers.toSorted((a, b) => Number(a.id ?? -1) - Number(b.id ?? -1)).map(codeOf);
  }
}

/** All that an intruder would want to change. */
async function fingerprint(site: Site): Promise<string> {
  const script =
    'sha256sum /etc/passwd /etc/shadow /etc/group /etc/holdfast/* /etc/demo-app/*; nft -s list ruleset; ' +
    'systemctl show --property=ActiveState,MainPID demo-web.service demo-worker.service holdfast-guard.service';
  const { exitCode, stdout, stderr } = await site.exec(HOST, '/bin/sh', '-c', script);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

describe('users who are not root', needs('lab-hosts'), () => {
  it('G-01, G-02, G-03, C-35: get from the real guard what its policy grants, and nothing by asking otherwise', async (t) => {
    const site = await Site.start(t, { hosts: 1 });
    const before = await fingerprint(site);
    const { hostId } = await site.host(HOST);
    const [agent, nobody, stranger] = [AGENT, NOBODY, STRANGER].map((ids) => new Intruder(site, ids));
    assert.ok(agent !== undefined && nobody !== undefined && stranger !== undefined);

    await t.test('G-02: nobody does not even get in', async () => {
      assert.deepEqual(await nobody.ask([{ kind: 'status' }]), ['EACCES']);
    });

    await t.test('G-02: a stranger in the group may ask how the guard is, and no more', async () => {
      const codes = await stranger.ask([
        { kind: 'status' },
        { kind: 'observe', name: 'accounts' },
        { kind: 'audit.tail', limit: 1 },
        { kind: 'outbox', afterSeq: 0, limit: 1 },
        { kind: 'changes', limit: 1 },
        request('firewall.restore', {}),
        order(hostId),
      ]);
      assert.equal(codes[0], 'ok');
      assert.deepEqual([...new Set(codes.slice(1, -1))], ['ERR_GUARD_DENIED']);
      // An order brings its own proof of who gave it, whoever carries it; this one proves nothing.
      assert.equal(codes.at(-1), 'ok rejected');
    });

    await t.test(
      'G-02, C-24: the agent’s user gets nothing that its policy or the baseline does not name',
      async () => {
        const codes = await agent.ask([
          { kind: 'audit.tail', limit: 1 },
          request('exec.shell', { command: '/bin/sh' }),
          request('no.such_operation', {}),
          request('services.stop', { unit: 'demo-web.service' }),
          request('accounts.lock', { user: 'root' }),
          request('accounts.lock', { user: 'demo' }),
          request('files.restore', { path: '/etc/shadow' }),
          request('files.restore', { path: '/etc/demo-app/../shadow' }),
          request('files.restore', { path: '/etc/demo-app/demo-app.conf', content: 'mine' }),
          request('services.restart', { unit: 'ssh.service' }),
          request('firewall.restore', { ruleset: 'flush ruleset' }),
          request('firewall.restore', {}, { issuedAtMs: nowMs() - 3_600_000 }),
          request('firewall.restore', {}, { issuedAtMs: nowMs() + 3_600_000 }),
          { kind: 'confirm', changeId: '01890a5d-ac96-774b-bcce-b302099a8057' },
          order(hostId),
          order('h-somebody-else'),
        ]);
        t.diagnostic(codes.join(' '));
        assert.deepEqual(codes.slice(-2), ['ok rejected', 'ok rejected']);
        // `failed`: the operation itself refuses what the baseline does not name; the end of this test sees that nothing changed.
        for (const code of codes.slice(0, -2)) assert.match(code, /^(ERR_[A-Z_]+|ok failed)$/);
      },
    );

    await t.test('G-01: what is no request is refused by a code, and the same request twice is one', async () => {
      const malformed = [
        'hello',
        '{}',
        '[]',
        '{"v":1,"id":"x","kind":"unfreeze"}',
        '{"v":1,"id":"x","kind":"status","uid":0}',
        Buffer.from([0xff, 0xfe, 0x00]),
        '['.repeat(10_000),
      ];
      for (const line of malformed) {
        const answers = await agent.send([line, '\n'], 1);
        assert.deepEqual(answers.map(codeOf), ['ERR_GUARD_MALFORMED']);
      }
      const huge = await agent.send(['x'], 1, 1_000_000);
      assert.match(codeOf(huge[0] ?? {}), /^(ERR_GUARD_REQUEST_TOO_LARGE|EPIPE|ECONNRESET)$/);
      const line = `${JSON.stringify({ v: 1, id: 'r', ...request('files.restore', { path: '/etc/demo-app/demo-app.conf' }) })}\n`;
      assert.equal(codeOf((await agent.send([line], 1))[0] ?? {}), 'ok committed');
      assert.equal(codeOf((await agent.send([line], 1))[0] ?? {}), 'ERR_GUARD_REPLAYED');
    });

    await t.test('G-01: three hundred half requests at once leave the guard answering others', async () => {
      const crowd = Promise.all([agent.run(NODE, '-e', CROWD), stranger.run(NODE, '-e', CROWD)]);
      for (let look = 0; look < 3; look += 1) {
        const { exitCode, stderr } = await site.inHost(HOST, 'status', '--host');
        assert.equal(exitCode, 0, stderr);
      }
      await crowd;
    });

    await t.test(
      'G-02, P-18: the agent’s user reads no key or state of the guard, and writes no evidence',
      async () => {
        const { stdout: newest } = await site.exec(
          HOST,
          '/bin/sh',
          '-c',
          'find /var/lib/holdfast/evidence -name bundle.dsse.json | head -n 1',
        );
        const bundle = newest.trim();
        assert.match(bundle, /bundle\.dsse\.json$/);
        const forbidden = [
          'cat /var/lib/holdfast/guard/keys/host.key',
          'cat /var/lib/holdfast/guard/keys/journal.kek',
          'ls /var/lib/holdfast/guard',
          'cat /var/lib/holdfast/guard/audit/0000000000000001.audit',
          `echo forged >> ${bundle}`,
          `rm -f ${bundle}`,
          'mkdir /var/lib/holdfast/evidence/2030',
          'echo allow >> /etc/holdfast/policy.toml',
          'echo forged > /etc/holdfast/baseline.dsse.json',
          'echo forged > /etc/holdfast/trust.json',
          `rm -f ${SOCKET}`,
        ];
        for (const command of forbidden) {
          const { exitCode, stdout, stderr } = await agent.run('/bin/sh', '-c', command);
          assert.notEqual(exitCode, 0, command);
          assert.match(stderr, /[Pp]ermission denied/, command);
          assert.equal(stdout, '', command);
        }
        assert.equal((await agent.run('/bin/cat', bundle)).exitCode, 0, 'reading evidence is what it is for');
      },
    );

    assert.equal(await fingerprint(site), before, 'nothing was changed, and the guard is the same process');
    const drift = await site.lab.break(HOST, 'services', 0, never);
    await eventually(`the agent still heals: ${drift.description}`, async () => {
      const { exitCode } = await site.inHost(HOST, 'drift', 'services');
      return exitCode === 0 || undefined;
    });
    for (const what of ['audit', 'evidence']) {
      const { exitCode, stdout } = await site.inHost(HOST, what, 'verify');
      assert.equal(exitCode, 0, stdout);
    }
    await site.allGood(1);
  });
});
