/**
 * What can cut a host off undoes itself (P-15): a restored firewall that nobody confirms, with the
 * agent away, with the guard dead, and across a power cut.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ChangeReport, ChangeReportSchema } from '@holdfast/api';
import { needs } from '@holdfast/testing';
import { eventually } from './eventually.ts';
import { type Parser, Site } from './site.ts';

const never = new AbortController().signal;
const HOSTS = ['web-1', 'web-2', 'web-3'] as const;
const AGENT = 'holdfast-agent.service';
const GUARD = 'holdfast-guard.service';
/** C-22: it reverts after a minute; the watchdog of a dead guard looks every 30 s. */
const REVERT_TIMEOUT_MS = 120_000;

const Changes: Parser<ChangeReport[]> = {
  parse: (value) => (Array.isArray(value) ? value : [value]).map((one) => ChangeReportSchema.parse(one)),
};

async function ruleset(site: Site, host: string): Promise<string> {
  return (await site.exec(host, '/usr/sbin/nft', '-s', 'list', 'ruleset')).stdout;
}

interface Unconfirmed {
  readonly broken: string;
  readonly changeId: string;
}

async function systemctl(site: Site, host: string, ...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await site.exec(host, '/usr/bin/systemctl', ...args);
  assert.equal(exitCode, 0, stderr);
}

/** One call of the guard's own client, as root in the host. */
async function askGuard<T>(site: Site, host: string, call: string, schema: Parser<T>): Promise<T> {
  const script = `import('/opt/holdfast/packages/guard/src/index.ts').then(async ({ connectGuard }) => {
    using guard = connectGuard('/run/holdfast/guard.sock', new AbortController().signal);
    console.log(JSON.stringify(await guard.${call}));
  })`;
  const node = '/opt/holdfast/node_modules/.bin/node';
  const { exitCode, stdout, stderr } = await site.exec(
    host,
    node,
    '--disable-warning=ExperimentalWarning',
    '-e',
    script,
  );
  assert.equal(exitCode, 0, stderr);
  return schema.parse(JSON.parse(stdout));
}

/** Breaks the firewall and lets root ask for its repair, which nobody will confirm. */
async function restoreUnconfirmed(site: Site, host: string): Promise<Unconfirmed> {
  await systemctl(site, host, 'disable', '--now', AGENT); // also after a boot
  const whole = await ruleset(site, host);
  await site.lab.break(host, 'firewall', 1, never);
  const broken = await ruleset(site, host);
  assert.notEqual(broken, whole);
  const call = `request({ operation: 'firewall.restore', params: {} })`;
  const change = await askGuard(site, host, call, ChangeReportSchema);
  assert.equal(change.state, 'awaiting-confirmation');
  assert.equal(await ruleset(site, host), whole, 'applied');
  return { broken, changeId: change.changeId };
}

async function expectReverted(site: Site, host: string, { broken, changeId }: Unconfirmed): Promise<void> {
  assert.equal(await ruleset(site, host), broken);
  await eventually('the guard tells how it ended', async () => {
    const ended = (await askGuard(site, host, 'changes(20)', Changes)).find((change) => change.changeId === changeId);
    assert.deepEqual([ended?.state, ended?.outcome], ['ended', 'reverted']);
    assert.ok(ended?.bundleId, 'with evidence');
    return true;
  });
  await systemctl(site, host, 'enable', '--now', AGENT);
}

describe('confirm or revert', needs('lab-hosts'), () => {
  it('P-15, C-22: a firewall that nobody confirms is taken back: by the guard, by the watchdog, and at boot', async (t) => {
    const site = await Site.start(t, { hosts: HOSTS.length });
    const [alive, dead, cut] = HOSTS;
    const [byGuard, byWatchdog, atBoot] = await Promise.all(HOSTS.map(async (host) => restoreUnconfirmed(site, host)));
    assert.ok(byGuard !== undefined && byWatchdog !== undefined && atBoot !== undefined);

    await site.lab.stopUnit(dead, GUARD, never);
    await site.lab.reboot(cut, never);
    assert.equal(await ruleset(site, cut), atBoot.broken, 'taken back before anything else started');
    const recovered = await site.exec(
      cut,
      '/usr/bin/systemctl',
      'show',
      '--property=Result,ExecMainStatus',
      'holdfast-recover.service',
    );
    assert.match(recovered.stdout, /Result=success/);
    await expectReverted(site, cut, atBoot);

    for (const [host, { broken }] of [
      [alive, byGuard],
      [dead, byWatchdog],
    ] as const) {
      await eventually(
        `${host} takes it back`,
        async () => ((await ruleset(site, host)) === broken ? true : undefined),
        REVERT_TIMEOUT_MS,
      );
    }
    await site.lab.startUnit(dead, GUARD, never);
    await expectReverted(site, alive, byGuard);
    await expectReverted(site, dead, byWatchdog);

    await site.allGood(HOSTS.length); // and the agents, back again, heal it for good
  });
});
