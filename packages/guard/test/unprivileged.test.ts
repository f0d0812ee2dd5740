/**
 * G-01, G-02: callers that are not root, as real processes of other users on the real socket: the
 * kernel says who they are, the policy says what they may, and that is all they get.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { formatAgentPolicy } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { connectGuard, systemClock } from '../src/index.ts';
import { listEvidence, makeOrder, makeSite, signOrder, start } from './harness.ts';

/** Nobody on any machine: between the dynamic users of systemd and the 16-bit ids. */
const AGENT_UID = 64_871;
const STRANGER_UID = 64_872;
const GID = 64_871;
const OTHER_GID = 64_873;

/** Talks to a socket from another user: sends lines, prints the answers as JSON. Plain JavaScript, so that it needs nothing it may not read. */
const CLIENT = `
const net = require('node:net');
const [path, lines] = [process.argv[1], JSON.parse(process.argv[2])];
const socket = net.connect(path);
const answers = [];
let rest = '';
socket.on('connect', () => socket.write(lines.map((line) => line + '\\n').join('')));
socket.on('data', (bytes) => {
  const parts = (rest + bytes).split('\\n');
  rest = parts.pop();
  answers.push(...parts.map((part) => JSON.parse(part)));
  if (answers.length >= lines.length) socket.end();
});
socket.on('error', (error) => answers.push({ refused: error.code }));
socket.on('close', () => process.stdout.write(JSON.stringify(answers)));
`;

interface Answer {
  readonly id?: string;
  readonly ok?: boolean;
  readonly error?: { readonly code: string };
  readonly refused?: string;
}

async function ask(ids: { uid: number; gid: number }, path: string, requests: readonly object[]): Promise<Answer[]> {
  const lines = requests.map((request, index) => JSON.stringify({ v: 1, id: String(index), ...request }));
  const child = spawn(process.execPath, ['-e', CLIENT, path, JSON.stringify(lines)], {
    ...ids,
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);
  const answers = JSON.parse(output) as Answer[];
  return answers.toSorted((a, b) => Number(a.id ?? -1) - Number(b.id ?? -1));
}

const codes = (answers: readonly Answer[]): string[] =>
  answers.map(({ ok, error, refused }) => refused ?? (ok === true ? 'ok' : error!.code));

const mutation = (operation: string, params: object, n: number): object => ({
  kind: 'request',
  operation,
  params,
  nonce: `nonce-${String(n).padStart(20, '0')}`,
  issuedAtMs: Math.floor(systemClock.monotonicMs()),
  cause: { kind: 'operator', remediationId: null, check: null, reason: null },
});

describe('an unprivileged caller', needs('root', 'linux'), () => {
  it('G-01: outside of the group cannot even connect', async (t) => {
    const site = await makeSite(t, formatAgentPolicy({ uid: AGENT_UID }));
    await start(t, site, { config: { socketGid: GID } });
    const answers = await ask({ uid: STRANGER_UID, gid: OTHER_GID }, site.paths.socket, [{ kind: 'status' }]);
    assert.deepEqual(codes(answers), ['EACCES']);
  });

  it('G-02: in the group and unknown to the policy gets `status` and nothing else', async (t) => {
    const site = await makeSite(t, formatAgentPolicy({ uid: AGENT_UID }));
    await start(t, site, { config: { socketGid: GID } });
    const answers = await ask({ uid: STRANGER_UID, gid: GID }, site.paths.socket, [
      { kind: 'status' },
      { kind: 'observe', name: 'accounts' },
      { kind: 'audit.tail', limit: 1 },
      { kind: 'outbox', afterSeq: 0, limit: 1 },
      { kind: 'changes', limit: 1 },
      { kind: 'plan', operation: 'files.restore', params: {} },
      mutation('files.restore', {}, 1),
    ]);
    assert.deepEqual(codes(answers), ['ok', ...Array.from({ length: 6 }, () => 'ERR_GUARD_DENIED')]);
  });

  it('G-02, G-15: the agent’s own user gets what its policy grants, whatever else it tries', async (t) => {
    const site = await makeSite(t, formatAgentPolicy({ uid: AGENT_UID }));
    const { stop } = await start(t, site, { config: { socketGid: GID } });
    const agent = { uid: AGENT_UID, gid: GID };
    const granted = await ask(agent, site.paths.socket, [
      { kind: 'status' },
      { kind: 'observe', name: 'accounts' },
      { kind: 'outbox', afterSeq: 0, limit: 1 },
      { kind: 'changes', limit: 1 },
      mutation('files.restore', { path: '/etc/motd' }, 1),
      { kind: 'order', envelope: signOrder(makeOrder(site)) },
    ]);
    assert.deepEqual(
      codes(granted),
      Array.from({ length: 6 }, () => 'ok'),
    );

    const forged = JSON.parse(
      JSON.stringify(
        await ask(agent, site.paths.socket, [
          { kind: 'order', envelope: signOrder({ ...makeOrder(site), hostId: 'host-2' }) },
        ]),
      ),
    ) as {
      result?: { outcome: string };
    }[];
    assert.equal(forged[0]?.result?.outcome, 'rejected');

    const denied = await ask(agent, site.paths.socket, [
      { kind: 'audit.tail', limit: 1 },
      mutation('test.stuck', {}, 2),
      mutation('exec.shell', { command: 'id' }, 3),
      mutation('accounts.lock', { user: 'root' }, 4),
      mutation('services.restart_all', {}, 5),
      { kind: 'confirm', changeId: '01890a5d-ac96-774b-bcce-b302099a8057' },
      { kind: 'revert', changeId: '01890a5d-ac96-774b-bcce-b302099a8057' },
      { kind: 'unfreeze', reason: 'I am only the agent, and yet I ask' }, // G-19
    ]);
    assert.deepEqual([...new Set(codes(denied))], ['ERR_GUARD_DENIED']);

    const malformed = await ask(agent, site.paths.socket, [
      { kind: 'observe', name: 'shadow' },
      { kind: 'observe', name: 'files', path: '/etc/shadow' },
      { kind: 'unfreeze' },
      { ...mutation('files.restore', {}, 6), principal: 'root' },
      { kind: 'status', uid: 0 },
    ]);
    assert.deepEqual([...new Set(codes(malformed))], ['ERR_GUARD_MALFORMED']);

    const replayed = await ask(agent, site.paths.socket, [mutation('files.restore', { path: '/etc/motd' }, 1)]);
    assert.deepEqual(codes(replayed), ['ERR_GUARD_REPLAYED']);
    await stop();
    const principals = new Set((await listEvidence(site)).map(({ statement }) => statement.predicate.principal));
    assert.deepEqual([...principals].map(String).toSorted(), ['control-plane', `local:uid-${AGENT_UID}`]);
  });

  it('G-01: one user’s flood of connections and denials leaves another user’s requests answered', async (t) => {
    const site = await makeSite(t, formatAgentPolicy({ uid: AGENT_UID }));
    const { client } = await start(t, site, { config: { socketGid: GID } });
    const flood = Array.from({ length: 4 }, async () =>
      ask(
        { uid: STRANGER_UID, gid: GID },
        site.paths.socket,
        Array.from({ length: 500 }, (_, n) => mutation('files.restore', {}, n)),
      ),
    );
    const own = connectGuard(site.paths.socket, new AbortController().signal);
    t.after(() => own[Symbol.dispose]());
    for (let round = 0; round < 20; round += 1) {
      await own.status();
      await client
        .request({ operation: 'files.restore', params: { path: '/etc/motd' } })
        .catch((error: { code: string }) => assert.equal(error.code, 'ERR_GUARD_RATE_LIMITED'));
    }
    for (const answers of await Promise.all(flood)) {
      assert.equal(answers.length, 500);
      assert.ok(
        answers.every(({ error }) => error?.code === 'ERR_GUARD_DENIED' || error?.code === 'ERR_GUARD_RATE_LIMITED'),
      );
    }
    assert.ok((await client.status()).audit.seq < 200);
  });
});
