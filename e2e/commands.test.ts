/**
 * Declared commands on a real host, as its people use them: through the shipped command line, the
 * guard's socket, the spawner in its unit and every layer the kernel has, to evidence on the control
 * plane (G-29, G-31, X-01, X-04, X-07).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EvidenceDetailSchema } from '@holdfast/api';
import { CommandStateSchema } from '@holdfast/evidence';
import { SANDBOX_LAYERS } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { eventually } from './eventually.ts';
import type { Ended } from './holdfast.ts';
import { Site } from './site.ts';

const HOST = 'web-1';
const HOLDFAST = '/opt/holdfast/apps/cli/bin/holdfast';
const POLICY_FILE = '/etc/holdfast/policy.d/commands.toml';
/** Everybody but root is nobody to a lab host's guard: this one is its own person, and in the agent's group. */
const AS_DEMO = ['/usr/bin/setpriv', '--reuid=demo', '--regid=demo', '--groups=holdfast', '--'] as const;
const POLICY = `
[[principals]]
name = "person"
user = "demo"

[[rules]]
name = "persons-commands"
principals = ["person"]
operations = ["exec.whoami", "exec.count", "exec.stall", "exec.fork"]
effect = "allow"

[[commands]]
name = "exec.whoami"
path = "/usr/bin/id"

[[commands]]
name = "exec.count"
path = "/usr/bin/wc"
argv = ["-c", "--", "{file}"]
[commands.params.file]
type = "path"
prefix = "/usr/share"

[[commands]]
name = "exec.stall"
path = "/usr/bin/sleep"
argv = ["3600"]

[[commands]]
name = "exec.fork"
path = "/usr/bin/timeout"
argv = ["--foreground", "3600", "/usr/bin/sleep", "3600"]
timeoutMs = 1500

[[commands]]
name = "exec.secret"
path = "/usr/bin/cat"
argv = ["/etc/shadow"]
`;

const never = new AbortController().signal;
const suite = needs('lab-hosts');

describe('declared commands', { ...suite, concurrency: false, timeout: 240_000 }, () => {
  let site: Site;
  const cleanups: (() => Promise<void> | void)[] = [];
  const scope = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };

  before(async () => {
    site = await Site.start(scope, { hosts: 1 });
    const bytes = Buffer.from(POLICY);
    await site.lab.writeFile(HOST, POLICY_FILE, { bytes, mode: '0644', uid: 0, gid: 0 }, never);
    await eventually('the spawner answers', async () => ((await sandboxRow()).state === 'active' ? true : undefined));
  });
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  const asDemo = (...args: string[]): Promise<Ended> => site.exec(HOST, ...AS_DEMO, HOLDFAST, 'exec', ...args);
  const sh = async (...argv: [string, ...string[]]): Promise<string> => (await site.exec(HOST, ...argv)).stdout.trim();

  async function sandboxRow(name = 'command-sandbox'): Promise<{ state: string; required: boolean; reason: string }> {
    const { stdout } = await site.inHost(HOST, 'doctor', '--json');
    const { layers } = JSON.parse(stdout) as {
      layers: { name: string; state: string; required: boolean; reason: string }[];
    };
    return layers.find((layer) => layer.name === name) ?? assert.fail(stdout);
  }

  /** Processes of the user that confined commands run as. */
  const confined = (): Promise<string> => sh('/usr/bin/pgrep', '-u', 'holdfast-sandbox', '-l');

  it('G-33: doctor shows every sandbox layer, active and required by what the policy declares', async () => {
    for (const layer of SANDBOX_LAYERS) {
      const { state, required } = await sandboxRow(`sandbox: ${layer}`);
      assert.deepEqual({ layer, state, required }, { layer, state: 'active', required: true });
    }
  });

  it('G-29, X-01: a person who may runs one, and sees its output and its exit code', async () => {
    const id = await asDemo('whoami');
    assert.equal(id.exitCode, 0, id.stderr);
    assert.match(id.stdout, /^uid=60502/);
    const count = await asDemo('count', 'file=/usr/share/common-licenses/GPL-3');
    assert.match(count.stdout, /^\d+ \/usr\/share\/common-licenses\/GPL-3\n$/);
    const missing = await asDemo('count', 'file=/usr/share/no-such-file');
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /No such file[^]*ERR_COMMAND_FAILED/);
  });

  it('G-31, X-04: its one statement arrives at the control plane, with every layer that was active', async () => {
    const report = JSON.parse((await asDemo('whoami', '--json')).stdout) as {
      runId: string;
      stdout: { digest: string };
    };
    const shown = await site.inHost(HOST, 'evidence', 'show', report.runId);
    assert.match(shown.stdout, /exec\.whoami/);
    const verified = await site.inHost(HOST, 'evidence', 'verify');
    assert.equal(verified.exitCode, 0, verified.stdout);
    const row = await eventually('the evidence arrives', async () =>
      (await site.evidence({ kind: 'command' })).find(({ bundleId }) => bundleId === report.runId),
    );
    assert.deepEqual([row.operation, row.outcome, row.simulated], ['exec.whoami', 'done', false]);
    const { predicate } = await site.get(`/evidence/${report.runId}`, EvidenceDetailSchema);
    const state = CommandStateSchema.parse(predicate.postState);
    assert.deepEqual(state.layers, [...SANDBOX_LAYERS]);
    assert.equal(state.stdout.digest, report.stdout.digest);
    assert.ok('value' in state.usage.peakMemoryBytes && 'value' in state.usage.cpuMs);
    assert.equal(predicate.principal, 'local:demo');
    const [digest] = (await sh('/usr/bin/sha256sum', '/usr/bin/id')).split(' ');
    assert.deepEqual(predicate.preState, { program: { path: '/usr/bin/id', sha256: { value: digest } } });
  });

  it('G-15, G-29: one without a rule, and a path outside of its prefix, are denied with a code alone', async () => {
    const secret = await asDemo('secret');
    assert.match(secret.stderr, /ERR_GUARD_DENIED/);
    assert.doesNotMatch(secret.stdout, /root:/);
    const outside = await asDemo('count', 'file=/etc/passwd');
    assert.match(outside.stderr, /ERR_COMMAND_PARAMS/);
    const root = await site.inHost(HOST, 'exec', 'whoami');
    assert.match(root.stderr, /ERR_GUARD_DENIED/); // no rule names root: that nobody is exempt is the point
  });

  it('G-30, X-07: at its time-out the whole tree is gone', async () => {
    const fork = await asDemo('fork', '--json');
    const report = JSON.parse(fork.stdout) as { endedBy: string; code: string };
    assert.deepEqual([report.endedBy, report.code], ['timeout', 'ERR_COMMAND_STOPPED']);
    assert.doesNotMatch(await confined(), /sleep|timeout/);
  });

  const stalls = async () =>
    (await site.evidence({ kind: 'command' })).filter(({ operation }) => operation === 'exec.stall');

  for (const unit of ['holdfast-guard.service', 'holdfast-spawner.service']) {
    it(`G-31, X-07: kill -9 of ${unit} ends the command with it, and one statement says so`, async () => {
      const before = new Set((await stalls()).map(({ bundleId }) => bundleId));
      const stalled = asDemo('stall');
      await eventually('the command runs', async () => (/sleep/.test(await confined()) ? true : undefined));
      await site.lab.killUnit(HOST, unit, never);
      assert.notEqual((await stalled).exitCode, 0);
      await eventually('nothing of it is left', async () => (/sleep/.test(await confined()) ? undefined : true));
      const rows = await eventually('its evidence arrives', async () => {
        const fresh = (await stalls()).filter(({ bundleId }) => !before.has(bundleId));
        return fresh.length > 0 ? fresh : undefined;
      });
      assert.deepEqual(
        rows.map(({ operation, outcome }) => [operation, outcome]),
        [['exec.stall', 'failed']],
      );
      const [{ bundleId } = assert.fail()] = rows;
      const { predicate } = await site.get(`/evidence/${bundleId}`, EvidenceDetailSchema);
      assert.equal(predicate.error?.code, 'ERR_COMMAND_INTERRUPTED');
      await eventually('commands run again', async () => ((await asDemo('whoami')).exitCode === 0 ? true : undefined));
    });
  }

  it('X-04: on a kernel without Landlock a command that requires it is denied, by name', async () => {
    const masked = Buffer.from('[Service]\nSystemCallFilter=~landlock_create_ruleset\n');
    const dropIn = '/etc/systemd/system/holdfast-spawner.service.d/masked.conf';
    await site.lab.writeFile(HOST, dropIn, { bytes: masked, mode: '0644', uid: 0, gid: 0 }, never);
    await sh('/usr/bin/systemctl', 'daemon-reload');
    await sh('/usr/bin/systemctl', 'restart', 'holdfast-spawner.service');
    await eventually('the layer is missed', async () =>
      (await sandboxRow('sandbox: landlock-files')).state === 'missing' ? true : undefined,
    );
    assert.match((await asDemo('whoami')).stderr, /ERR_SANDBOX_MISSING/);
    const doctor = await site.inHost(HOST, 'doctor');
    assert.notEqual(doctor.exitCode, 0);
    const [row] = await eventually('the denial arrives', async () => {
      const denied = await site.evidence({ kind: 'command', outcome: 'deny' });
      return denied.length > 0 ? denied : undefined;
    });
    const { predicate } = await site.get(`/evidence/${row?.bundleId ?? ''}`, EvidenceDetailSchema);
    assert.match(predicate.decision?.reasons.join() ?? '', /landlock-files/);
    await sh('/usr/bin/rm', dropIn);
    await sh('/usr/bin/systemctl', 'daemon-reload');
    await sh('/usr/bin/systemctl', 'restart', 'holdfast-spawner.service');
  });
});
