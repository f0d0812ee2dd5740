/**
 * Checks and operations against the real kernel and real files, run by the change engine: the packet
 * filter and sockets of a network namespace, files and accounts below a root directory of their own.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChangeEngine, type ChangeRecord, createChangeEngine, memoryJournal } from '@holdfast/change';
import { formatUuidV7, type JsonObject } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import { openLinuxHost } from '@holdfast/host-linux';
import { ManualClock } from '@holdfast/host-sim';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { captureBaseline, complianceOperations, runChecks } from '../src/index.ts';
import { baselineFrom, checksIn, loadedFrom, neverAborted } from './baselines.ts';

const IP = '/usr/sbin/ip';
const NFT = '/usr/sbin/nft';
const REAL = needs('root', 'nftables', 'network-namespaces');
/** C-22. */
const CONFIRM_WITHIN_MS = 60_000;
const SHADOW = 'root:$y$j9T$salt$hash:19000:0:99999:7:::\nalice:$y$j9T$salt$other:19000:0:99999:7:::\n';
const RULES = `table inet filter {
  set admins {
    type ipv4_addr
    elements = { 10.0.0.9, 10.0.0.1 }
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iif "lo" accept
    ct state established,related accept
    ip saddr @admins tcp dport { 443, 22 } counter accept
  }
}
`;

interface Scope {
  after(fn: () => void): void;
}

interface Subject {
  readonly root: string;
  readonly namespace: string;
  readonly host: Host;
  readonly engine: ChangeEngine;
  /** Lets the time to confirm run out. */
  readonly expire: () => void;
  readonly statuses: () => Promise<Record<string, string>>;
  /** Heals whatever the checks find, as drift is healed: by the remedies of the findings. */
  readonly heal: () => Promise<ChangeRecord[]>;
}

function makeRoot(t: Scope): string {
  const root = temporaryDirectory(t);
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/os-release'), 'ID=debian\nVERSION_ID="12"\n');
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n');
  writeFileSync(join(root, 'etc/shadow'), SHADOW);
  chmodSync(join(root, 'etc/shadow'), 0o640);
  writeFileSync(join(root, 'etc/motd'), 'welcome\n');
  chmodSync(join(root, 'etc/motd'), 0o644);
  return root;
}

function makeNamespace(t: Scope): string {
  const name = `hf-comp-${randomBytes(4).toString('hex')}`;
  execFileSync(IP, ['netns', 'add', name]);
  t.after(() => execFileSync(IP, ['netns', 'delete', name]));
  return name;
}

/** Looks again until there is an answer, for at most ten seconds. */
async function eventually<T>(look: () => Promise<T | null>): Promise<T | null> {
  const deadline = performance.now() + 10_000;
  let seen = await look();
  while (seen === null && performance.now() < deadline) {
    await delay(10);
    seen = await look();
  }
  return seen;
}

const noSeal = (): Promise<void> => Promise.resolve();
const noCancel = (): void => undefined;

const nft = (namespace: string, input: string): unknown =>
  execFileSync(IP, ['netns', 'exec', namespace, NFT, '-f', '-'], { input });

async function open(t: Scope): Promise<Subject> {
  const root = makeRoot(t);
  const namespace = makeNamespace(t);
  nft(namespace, RULES);
  const host = await openLinuxHost({ root, networkNamespace: namespace });
  const yaml = await captureBaseline(
    host,
    {
      name: 'real',
      nowMs: host.clock.wallMs(),
      remediation: 'auto',
      firewall: true,
      files: ['/etc/motd'],
      ports: true,
      accounts: true,
    },
    neverAborted,
  );
  const loaded = loadedFrom(yaml);
  const check = () =>
    runChecks(loaded, { host, nowMs: host.clock.wallMs() }, neverAborted, { checks: checksIn(loaded) });
  const clock = new ManualClock(host.clock.wallMs());
  const timers: (() => void)[] = [];
  const engine = createChangeEngine({
    host,
    operations: complianceOperations(baselineFrom(yaml)),
    journal: memoryJournal(),
    clock,
    bootId: 'test',
    randomBytes,
    seal: noSeal,
    setTimer: (_delayMs, fired) => {
      timers.push(fired);
      return noCancel;
    },
  });
  await engine.recover(neverAborted);
  const request = (operation: string, params: JsonObject) =>
    engine.request(
      { changeId: formatUuidV7(host.clock.wallMs(), randomBytes(10)), operation, params, meta: {} },
      neverAborted,
    );
  return {
    root,
    namespace,
    host,
    engine,
    expire: () => {
      clock.advance(CONFIRM_WITHIN_MS);
      for (const fire of timers.splice(0)) fire();
    },
    statuses: async () => Object.fromEntries((await check()).map(({ check, status }) => [check, status])),
    heal: async () => {
      const remedies = (await check()).flatMap(({ findings }) =>
        findings.flatMap(({ remediation }) => remediation ?? []),
      );
      const records: ChangeRecord[] = [];
      for (const { operation, params } of remedies) records.push(await request(operation, params));
      return records;
    },
  };
}

const GOOD = { firewall: 'pass', files: 'pass', ports: 'pass', accounts: 'pass' };

describe('on a real kernel', REAL, () => {
  it('C-04: what was captured is passed', async (t) => {
    const { statuses } = await open(t);
    assert.deepEqual(await statuses(), GOOD);
  });

  it('C-11: packets that were counted are no drift', async (t) => {
    const { namespace, statuses } = await open(t);
    nft(namespace, 'add rule inet filter input counter packets 5 bytes 300 drop');
    assert.equal((await statuses())['firewall'], 'fail');
    nft(namespace, `flush ruleset\n${RULES.replace('counter', 'counter packets 77 bytes 999')}`);
    assert.equal((await statuses())['firewall'], 'pass');
  });

  for (const [name, damage] of [
    ['flushed', 'flush ruleset'],
    ['opened', 'add rule inet filter input tcp dport 4444 accept'],
    ['widened by an element of a set', 'add element inet filter admins { 10.0.0.66 }'],
    ['added to', 'table ip extra {\nchain output {\ntype filter hook output priority 0\n}\n}\n'],
  ] as const) {
    it(`C-22: a ruleset that was ${name} is found and put back, and stays when confirmed`, async (t) => {
      const { namespace, engine, statuses, heal } = await open(t);
      nft(namespace, damage);
      assert.deepEqual(await statuses(), { ...GOOD, firewall: 'fail' });
      const [record] = await heal();
      assert.equal(record?.state, 'awaiting-confirmation');
      assert.deepEqual(await statuses(), GOOD);
      assert.equal((await engine.confirm(record.changeId)).outcome, 'committed');
      assert.deepEqual(await statuses(), GOOD);
      assert.deepEqual(await heal(), []);
    });
  }

  it('C-22: a ruleset nobody confirms is taken back exactly', async (t) => {
    const { host, namespace, engine, expire, heal } = await open(t);
    nft(namespace, 'add rule inet filter input tcp dport 4444 accept');
    const before = await host.packetFilter.read(neverAborted);
    const [record] = await heal();
    assert.ok(record);
    assert.notEqual(await host.packetFilter.read(neverAborted), before);
    expire();
    assert.equal(await eventually(async () => (await engine.get(record.changeId))?.outcome ?? null), 'reverted');
    assert.equal(await host.packetFilter.read(neverAborted), before);
  });

  it('C-23: a file that was changed is put back with its mode', async (t) => {
    const { root, statuses, heal } = await open(t);
    appendFileSync(join(root, 'etc/motd'), 'evil\n');
    chmodSync(join(root, 'etc/motd'), 0o666);
    assert.deepEqual(await statuses(), { ...GOOD, files: 'fail' });
    assert.deepEqual(
      (await heal()).map(({ outcome }) => outcome),
      ['committed'],
    );
    assert.deepEqual(await statuses(), GOOD);
    assert.equal(readFileSync(join(root, 'etc/motd'), 'utf8'), 'welcome\n');
  });

  it('C-23: a second superuser is locked and nobody else is touched', async (t) => {
    const { root, statuses, heal } = await open(t);
    appendFileSync(join(root, 'etc/passwd'), 'toor:x:0:0::/root:/bin/bash\n');
    appendFileSync(join(root, 'etc/shadow'), 'toor:$y$j9T$salt$backdoor:19000:0:99999:7:::\n');
    assert.deepEqual(await statuses(), { ...GOOD, accounts: 'fail' });
    const [record] = await heal();
    assert.equal(record?.outcome, 'committed');
    assert.ok(!JSON.stringify(record).includes('backdoor'), 'P-08: no hash in what is shown');
    assert.deepEqual(await statuses(), GOOD);
    assert.ok(readFileSync(join(root, 'etc/shadow'), 'utf8').startsWith(SHADOW));
  });

  it('C-13: a port somebody opens is found, and nothing on the host closes it', async (t) => {
    const { namespace, statuses, heal } = await open(t);
    const server = 'require("node:net").createServer().listen(4444, "0.0.0.0", () => console.log("ready"))';
    const child = spawn(IP, ['netns', 'exec', namespace, process.execPath, '-e', server], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    try {
      await once(child.stdout, 'data');
      assert.deepEqual(await statuses(), { ...GOOD, ports: 'fail' });
      assert.deepEqual(await heal(), []);
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    assert.deepEqual(await statuses(), GOOD);
  });
});
