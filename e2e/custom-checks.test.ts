/**
 * Custom checks on a real host, as a site writes them (C-14): modules in C and AssemblyScript, signed
 * by the shipped command line and named by a signed baseline, run by the unprivileged agent through
 * the host's spawner, behind every layer the kernel has. Then they find drift, are tampered with,
 * loop for ever, and lose what confines them.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AttentionSchema, EvidenceDetailSchema, page } from '@holdfast/api';
import { needs, temporaryDirectory } from '@holdfast/testing';
import wabt from 'wabt';
import { ConsoleBrowser } from './console-browser.ts';
import { eventually } from './eventually.ts';
import { holdfast, REPOSITORY, run } from './holdfast.ts';
import { Site } from './site.ts';

const HOST = 'web-1';
const BASELINE = '/etc/holdfast/baseline.dsse.json';
const CHECKS = '/etc/holdfast/checks';
const SSHD = '/etc/ssh/sshd_config';
const GOOD_SSHD = 'PermitRootLogin no\nPasswordAuthentication no\n';
const SPAWNER = 'holdfast-spawner.service';
const NODE = join(REPOSITORY, 'node_modules/.bin/node');
const EXAMPLES = join(REPOSITORY, 'packages/compliance/examples');
/** A loop, and nothing else. */
const ENDLESS = '(module (memory (export "memory") 1) (func (export "_start") (loop $forever (br $forever))))';
const NO_CAPS = ['0000000000000000', '0000000000000000'] as const;
const never = new AbortController().signal;

const modulePath = (sha256: string): string => `${CHECKS}/${sha256}.check.dsse.json`;

async function succeeds(ended: ReturnType<typeof holdfast>): Promise<string> {
  const { exitCode, stdout, stderr } = await ended;
  assert.equal(exitCode, 0, stdout + stderr);
  return stdout;
}

async function buildC(directory: string): Promise<string> {
  const out = join(directory, 'sshd_settings.wasm');
  const source = join(EXAMPLES, 'c/sshd_settings.c');
  const target = ['--target=wasm32-wasi', '--sysroot=/usr', '-O2', '-Wl,--strip-all'];
  await succeeds(run('/usr/bin/clang-19', [...target, '-o', out, source]));
  return out;
}

async function buildAssemblyScript(directory: string): Promise<string> {
  const out = join(directory, 'open_ports.wasm');
  const compiler = join(REPOSITORY, 'node_modules/assemblyscript/bin/asc.js');
  const source = ['--baseDir', join(EXAMPLES, 'assemblyscript'), 'open_ports.ts'];
  const options = ['--optimize', '--runtime', 'minimal', '--use', 'abort=', '-o', out];
  await succeeds(run(NODE, [compiler, ...source, ...options]));
  return out;
}

async function buildEndless(directory: string): Promise<string> {
  const out = join(directory, 'endless.wasm');
  const tools = await wabt();
  writeFileSync(out, tools.parseWat('endless.wat', ENDLESS).toBinary({}).buffer);
  return out;
}

describe('custom checks', needs('lab-hosts', 'wasm-toolchain', 'chromium'), () => {
  let site: Site;
  /** Digest by name. */
  let modules: Readonly<Record<'sshd_settings' | 'open_ports' | 'endless', string>>;
  const cleanups: (() => Promise<void> | void)[] = [];
  const scope = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };

  before(async () => {
    const directory = temporaryDirectory(scope);
    site = await Site.start(scope, { hosts: 1 });
    await put(SSHD, GOOD_SSHD);
    modules = {
      sshd_settings: await sign(directory, await buildC(directory)),
      open_ports: await sign(directory, await buildAssemblyScript(directory)),
      endless: await sign(directory, await buildEndless(directory)),
    };
    const yaml = join(directory, 'baseline.yaml');
    writeFileSync(yaml, withChecks(await installedBaseline()));
    const signed = join(directory, 'baseline.dsse.json');
    await succeeds(holdfast('baseline', 'sign', yaml, '--out', signed, '--state', site.state));
    await put('/run/baseline.dsse.json', readFileSync(signed));
    await succeeds(site.inHost(HOST, 'baseline', 'install', '/run/baseline.dsse.json'));
  });
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  const put = (path: string, content: string | Uint8Array): Promise<void> =>
    site.lab.writeFile(HOST, path, { bytes: Buffer.from(content), mode: '0644', uid: 0, gid: 0 }, never);
  const sh = async (...argv: [string, ...string[]]): Promise<string> => (await site.exec(HOST, ...argv)).stdout.trim();

  /** Signs a module and puts it on the host. @returns its digest */
  async function sign(directory: string, file: string): Promise<string> {
    const options = ['--out-dir', join(directory, 'checks'), '--state', site.state, '--json'];
    const { written, sha256 } = JSON.parse(await succeeds(holdfast('check', 'sign', file, ...options))) as {
      written: string;
      sha256: string;
    };
    await put(modulePath(sha256), readFileSync(written));
    return sha256;
  }

  async function installedBaseline(): Promise<string> {
    const envelope = await site.lab.readFile(HOST, BASELINE, never);
    const { payload } = JSON.parse(Buffer.from(envelope).toString()) as { payload: string };
    return Buffer.from(payload, 'base64').toString();
  }

  /** Every port that the baseline's own check of ports allows is allowed here too. */
  function withChecks(yaml: string): string {
    const ports = new Set([...yaml.matchAll(/^ +port: (\d+)$/gm)].map(([, port]) => Number(port)));
    const checks = [
      {
        name: 'sshd_settings',
        title: 'The SSH server refuses root and passwords',
        module: modules.sshd_settings,
        inputs: { files: [{ path: SSHD }] },
        severity: 'critical',
        controls: { soc2: ['CC6.1'] },
      },
      {
        name: 'open_ports',
        title: 'No other ports are open',
        module: modules.open_ports,
        inputs: { sockets: true },
        config: { allow: [...ports] },
      },
      {
        name: 'endless',
        title: 'A check that does not end',
        module: modules.endless,
        limits: { fuel: 10_000_000_000, deadlineMs: 1_000 },
      },
    ];
    return `${yaml}\ncustomChecks: ${JSON.stringify(checks)}\n`; // JSON is YAML
  }

  async function checkIs(check: string, want: string): Promise<void> {
    await eventually(`${check} is ${want}`, async () => {
      const { checks } = await site.host(HOST);
      const found = checks.find((one) => one.check === check);
      if (found?.status === want && !found.stale) return true;
      throw new Error(JSON.stringify(checks.map(({ check: name, status }) => `${name} ${status}`)));
    });
  }

  /** The newest sealed result of a check. */
  async function sealed(check: string, outcome: string) {
    const [row] = await eventually(`${check} ${outcome} is proven`, async () => {
      const rows = await site.evidence({ check, outcome });
      return rows.length > 0 ? rows : undefined;
    });
    return (await site.get(`/evidence/${row?.bundleId ?? ''}`, EvidenceDetailSchema)).predicate;
  }

  /** By name among the checks of its host and in what evidence can be looked for. */
  async function consoleShows(check: string): Promise<void> {
    await using browser = await ConsoleBrowser.open();
    const { page: tab } = browser;
    await tab.goto((await succeeds(holdfast('server', 'login', '--state', site.state))).trim());
    await tab.getByRole('link', { name: HOST }).first().click();
    await tab.getByRole('listitem').filter({ hasText: check }).getByText('fail').first().waitFor();
    await tab.getByText('PermitRootLogin').first().waitFor();
    await tab.getByRole('link', { name: 'Evidence' }).first().click();
    await tab.getByRole('combobox', { name: 'Check' }).selectOption(check);
    const row = tab.getByRole('row').filter({ hasText: check }).filter({ hasText: 'fail' }).first();
    await row.waitFor();
    await row.getByRole('link').first().click();
    await tab.getByRole('heading', { level: 1, name: check }).waitFor();
    assert.deepEqual(browser.complaints, []);
  }

  /** Of the process that runs modules for the agent. */
  const runnerPids = async (): Promise<string[]> =>
    (await sh('/usr/bin/pgrep', '-u', 'holdfast-sandbox', '-f', 'runner-main')).split('\n').filter((pid) => pid !== '');
  const agentPid = (): Promise<string> =>
    sh('/usr/bin/systemctl', 'show', '--property=MainPID', '--value', 'holdfast-agent.service');

  it('C-14: the agent reports them by name beside the built-in ones, and a loop without end stops no other', async () => {
    await checkIs('sshd_settings', 'pass');
    await checkIs('open_ports', 'pass');
    await checkIs('endless', 'error');
    const { checks } = await site.host(HOST);
    assert.equal(checks.length, 8 + 3);
    assert.deepEqual(
      checks.filter(({ status }) => status !== 'pass').map(({ check }) => check),
      ['endless'],
    );
    const proof = await sealed('endless', 'error');
    assert.match(JSON.stringify(proof), /ERR_WASM_DEADLINE/);
  });

  it('C-14, X-15: what runs them is nobody: its own user, namespaces and filter, and no capability', async () => {
    const pid = await eventually('a runner of the agent lives', async () => (await runnerPids()).at(-1));
    const status = await sh('/usr/bin/cat', `/proc/${pid}/status`);
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? assert.fail(status);
    const uid = await sh('/usr/bin/id', '-u', 'holdfast-sandbox');
    assert.deepEqual(field('Uid').split('\t'), [uid, uid, uid, uid]);
    assert.deepEqual([field('Seccomp'), field('NoNewPrivs'), field('CapEff'), field('CapBnd')], ['2', '1', ...NO_CAPS]);
    const agent = await agentPid();
    for (const kind of ['user', 'pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup']) {
      const [ours, theirs] = await Promise.all(
        [pid, agent].map((one) => sh('/usr/bin/readlink', `/proc/${one}/ns/${kind}`)),
      );
      assert.notEqual(ours, theirs, kind);
    }
  });

  it('C-14: drift that one finds is at the server, on the host and in evidence, and waits for a person', async () => {
    await put(SSHD, `PermitRootLogin yes\n${GOOD_SSHD}`);
    await checkIs('sshd_settings', 'fail');
    const proof = await sealed('sshd_settings', 'fail');
    assert.match(JSON.stringify(proof), /PermitRootLogin/);
    assert.match(JSON.stringify(proof), /CC6\.1/);
    const verified = await site.inHost(HOST, 'evidence', 'verify');
    assert.equal(verified.exitCode, 0, verified.stdout);
    const drift = await site.inHost(HOST, 'drift', 'sshd_settings');
    assert.equal(drift.exitCode, 1);
    assert.match(drift.stdout, /^fail +sshd_settings .*critical[^]*PermitRootLogin[^]*a person is needed/);
    const status = await succeeds(holdfast('status', '--state', site.state));
    assert.match(status, /sshd_settings: fail/);
    await consoleShows('sshd_settings');
    await eventually('a person is asked', async () => {
      const { items } = await site.get('/attention', page(AttentionSchema));
      return items.some(({ check }) => check === 'sshd_settings') || undefined;
    });
    await put(SSHD, GOOD_SSHD);
    await checkIs('sshd_settings', 'pass');
    await site.lab.break(HOST, 'ports', 1, never);
    await checkIs('open_ports', 'fail');
    await site.lab.mend(HOST, 'ports', never);
    await checkIs('open_ports', 'pass');
  });

  it('C-14: a module with one byte changed is an error, and never runs', async () => {
    const path = modulePath(modules.sshd_settings);
    const good = Buffer.from(await site.lab.readFile(HOST, path, never));
    const bad = Buffer.from(good);
    const at = bad.indexOf('"payload"') + 1_000;
    bad[at] = bad[at] === 0x41 ? 0x42 : 0x41;
    await put(path, bad);
    await checkIs('sshd_settings', 'error');
    assert.match(JSON.stringify(await sealed('sshd_settings', 'error')), /ERR_CHECK_MODULE/);
    await put(path, good);
    await checkIs('sshd_settings', 'pass');
  });

  it('C-14: without a spawner they are unknown, and with one they are back, by the same agent', async () => {
    const agent = await agentPid();
    await site.lab.stopUnit(HOST, SPAWNER, never);
    await checkIs('sshd_settings', 'unknown');
    assert.match(JSON.stringify(await sealed('sshd_settings', 'unknown')), /ERR_SANDBOX_SPAWNER_GONE/);
    assert.deepEqual(await runnerPids(), []);
    await site.lab.startUnit(HOST, SPAWNER, never);
    await checkIs('sshd_settings', 'pass');
    await checkIs('open_ports', 'pass');
    await site.lab.killUnit(HOST, SPAWNER, never); // systemd starts it again
    await eventually('another runner lives', async () => (await runnerPids()).at(-1));
    await checkIs('sshd_settings', 'pass');
    assert.equal(await agentPid(), agent);
  });
});
