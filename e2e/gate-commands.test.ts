/** The commands around a gate that the replay of a release does not come by, through the shipped command line. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { SCAN_REPORT_FORMAT, ScanSummarySchema } from '@holdfast/scan';
import { temporaryDirectory } from '@holdfast/testing';
import { zipSync } from 'fflate';
import { list, update } from '../apps/cli/src/commands/gate/finding.ts';
import { freeze } from '../apps/cli/src/commands/gate/freeze.ts';
import { openGate } from '../apps/cli/src/commands/gate/opened-gate.ts';
import { move } from '../apps/cli/src/commands/gate/packets.ts';
import { publish } from '../apps/cli/src/commands/gate/publish.ts';
import { rehearse } from '../apps/cli/src/commands/gate/rehearse.ts';
import { report } from '../apps/cli/src/commands/gate/report.ts';
import { NODE } from './gate-repository.ts';
import { Shop, type Variation } from './gate-shop.ts';
import { HOLDFAST, holdfast, run } from './holdfast.ts';

const { signal } = new AbortController();

/** A scan command whose report is `summary`, for a gate that requires it. */
const scanning = (over: object): Variation => {
  const summary = {
    format: SCAN_REPORT_FORMAT,
    scanner: 'secrets',
    rules: { name: 'test', version: '1', count: 1 },
    state: 'complete',
    reasons: [],
    coverage: { files: 1, bytes: 1, commits: 1, tags: 0, packages: null, skipped: [] },
    database: null,
    findings: [],
    ...over,
  };
  const program = `process.stdout.write(${JSON.stringify(JSON.stringify(ScanSummarySchema.parse(summary)))})`;
  const argv = JSON.stringify([NODE, '-e', program]);
  const scan = `  - { id: scan, kind: scan, argv: ${argv}, report: { format: scan, from: stdout } }`;
  return { commands: scan, packetCommands: '[tests, scan]', milestone: '[tests, scan]' };
};
const SECRET = {
  fingerprint: 'a'.repeat(64),
  rule: 'aws-access-key',
  aliases: [],
  severity: 'P0',
  message: 'an access key',
  location: 'src/shop.txt',
  line: 1,
  reachability: null,
  suppressed: null,
};

describe('gate: findings and packets', () => {
  it('R-24: a secret is closed by proof that it was revoked and replaced, and by nothing less', async (t) => {
    const shop = new Shop(t, scanning({ findings: [SECRET] }));
    await shop.freezeAndApprove();
    await shop.doPacket();
    const statusOf = async (): Promise<string> => {
      const { data } = await list(shop.as('reader'), signal);
      return (data as { id: string; status: string }[]).find(({ id }) => id === 'S-aaaaaaaaaaaa')?.status ?? 'none';
    };
    assert.equal(await statusOf(), 'open');
    const proofs = ['revoked', 'replaced'].map((what) => {
      const path = join(temporaryDirectory(t), `${what}.txt`);
      writeFileSync(path, `the key was ${what}\n`);
      return { path, said: `${what}:${path}` };
    });
    const resolve = { ...shop.as('reader'), disposition: 'resolved', reason: 'rotated' };
    await update('S-aaaaaaaaaaaa', { ...resolve, proof: proofs.map(({ path }) => path) }, signal);
    assert.equal(await statusOf(), 'open', 'files that are said to prove nothing');
    await update('S-aaaaaaaaaaaa', { ...resolve, proof: proofs.map(({ said }) => said) }, signal);
    assert.equal(await statusOf(), 'resolved');
    const { log } = await openGate(shop.as('reader'), signal);
    const kept = log.records.findLast((record) => record.kind === 'finding')?.predicate;
    const digest = kept !== undefined && 'evidence' in kept ? (kept.evidence[0]?.digest ?? '') : '';
    assert.equal(Buffer.from(await log.getObject(digest)).toString(), 'the key was revoked\n');
    await assert.rejects(update('S-aaaaaaaaaaaa', { ...resolve, proof: ['/nowhere/at/all'] }, signal), {
      code: 'ERR_INPUT_INVALID',
    });
  });

  it('R-04: a packet is blocked and unblocked with a reason, and taken back when it was done', async (t) => {
    const shop = new Shop(t);
    await shop.freezeAndApprove();
    await move('start', '01', shop.as('maker'), signal);
    const stateOf = async (): Promise<string | undefined> =>
      (await openGate(shop.as('maker'), signal)).board.packets.get('01')?.state;
    await shop.does('maker', 'block', '01', '--reason', 'waits for a decision');
    assert.equal(await stateOf(), 'BLOCKED');
    await assert.rejects(move('submit', '01', shop.as('maker'), signal), { code: 'ERR_GATE_RULE' });
    await shop.does('maker', 'unblock', '01');
    assert.equal(await stateOf(), 'IN_PROGRESS');
    await shop.runs('maker', '01');
    await move('submit', '01', shop.as('maker'), signal);
    await shop.runs('reader', '01');
    await shop.approve('reader', '01');
    assert.equal(await stateOf(), 'DONE');
    await shop.does('maker', 'reopen', '01', '--reason', 'something was overlooked');
    assert.equal(await stateOf(), 'IN_PROGRESS');
  });
});

describe('gate: an interrupted run', () => {
  it('R-09: Ctrl-C ends everything that runs, and what was interrupted is on record', async (t) => {
    const shop = new Shop(t);
    await shop.freezeAndApprove();
    const pids = join(temporaryDirectory(t), 'pids');
    shop.write(
      'test.mjs',
      `import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
const child = spawn('sleep', ['300'], { stdio: 'ignore', detached: true });
writeFileSync(${JSON.stringify(pids)}, process.pid + ' ' + child.pid);
setInterval(() => {}, 1000);
`,
    );
    shop.commit('hang');
    await move('start', '01', shop.as('maker'), signal);
    const args = ['gate', 'run', '01', '--directory', shop.root, '--key', shop.keyOf('maker')];
    const child = spawn(HOLDFAST, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const closed = once(child, 'close');
    await until(() => existsSync(pids) && readFileSync(pids, 'utf8').includes(' '));
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await closed;
    assert.equal(child.exitCode, 130, stderr);
    assert.match(stderr, /interrupted/);
    assert.doesNotMatch(stderr, /internal error/);
    const running = readFileSync(pids, 'utf8').split(' ').map(Number);
    await until(() => !running.some(isAlive));
    const { log } = await openGate(shop.as('maker'), signal);
    const last = log.records.at(-1);
    assert.deepEqual(last?.kind === 'command-run' && last.predicate.runs.map(({ ending }) => ending), ['interrupted']);
  });
});

/** Bounded: half a minute. */
async function until(isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (isSo()) return;
    await delay(50);
  }
  assert.fail('it did not come to that');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH
  }
}

describe('gate: reports', () => {
  it('R-32: the same state as text, HTML, SARIF and JUnit; another format is a wrong command line', async (t) => {
    const shop = new Shop(t, scanning({ findings: [SECRET] }));
    await shop.freezeAndApprove();
    await shop.doPacket();
    const as = async (format: string): Promise<string> => (await report({ ...shop.as('reader'), format }, signal)).text;
    assert.match(await as('text'), /NO_GO {2}is what a verdict would be now[^]*S-aaaaaaaaaaaa/);
    const html = await as('html');
    assert.match(html, /^<!doctype html>[^]*S-aaaaaaaaaaaa[^]*<\/html>\s*$/i);
    assert.doesNotMatch(html, /<script/);
    const sarif = JSON.parse(await as('sarif')) as { version: string; runs: { results: unknown[] }[] };
    assert.equal(sarif.version, '2.1.0');
    assert.ok((sarif.runs[0]?.results.length ?? 0) > 0);
    assert.match(await as('junit'), /^<\?xml[^]*<testsuites[^]*<failure/);
    await assert.rejects(as('pdf'), { code: 'ERR_CLI_USAGE' });
    const lost = { ...shop.as('reader'), format: 'html', out: join(shop.root, 'no/such/place.html') };
    await assert.rejects(report(lost, signal), { code: 'ERR_INPUT_INVALID' });
  });
});

const rehearsed = (shop: Shop) => rehearse(shop.as('maker'), signal);

describe('gate: rehearsals', () => {
  it('R-33: a gate that nothing stands against is GO, and nothing is recorded', async (t) => {
    const shop = new Shop(t);
    const { text, exitCode } = await rehearsed(shop);
    assert.equal(exitCode, 0, text);
    assert.match(text, /nothing here stands against a GO/);
    assert.equal(existsSync(join(shop.root, '.gate')), false);
  });

  it('R-33: a failing test is NO_GO', async (t) => {
    const { text, exitCode } = await rehearsed(
      new Shop(t, { tap: 'TAP version 13\n1..1\nnot ok 1 - tenants are apart\n' }),
    );
    assert.equal(exitCode, 20, text);
    assert.match(text, /tests-failed[^]*NO_GO/);
  });

  it('R-25, R-33: a scan that could not look is INCONCLUSIVE', async (t) => {
    const { text, exitCode } = await rehearsed(new Shop(t, scanning({ state: 'inconclusive', reasons: ['no data'] })));
    assert.equal(exitCode, 30, text);
    assert.match(text, /scan-inconclusive[^]*INCONCLUSIVE/);
  });

  it('R-08, R-33: a tree with changes that are not committed is refused', async (t) => {
    const shop = new Shop(t);
    shop.write('src/shop.txt', 'another shop\n');
    await assert.rejects(rehearsed(shop), /nothing was rehearsed/);
  });
});

describe('gate: publishing', () => {
  it('W-09: a control plane that is not there is said to be so, without a stack trace', async (t) => {
    const shop = new Shop(t);
    await freeze(shop.as('maker'), signal);
    const token = join(temporaryDirectory(t), 'token');
    writeFileSync(token, 'no-secret\n');
    // Port 9, discard, is open nowhere.
    const reach = [`HOLDFAST_TOKEN_FILE=${token}`, 'HOLDFAST_SERVER=http://127.0.0.1:9', HOLDFAST];
    const { exitCode, stderr } = await run('/usr/bin/env', [...reach, 'gate', 'publish', '--directory', shop.root]);
    assert.ok(exitCode === 70 || exitCode === 75, stderr);
    assert.match(stderr, /control plane[^]*\[ERR_/);
    assert.doesNotMatch(stderr, /internal error|no-secret/);
    const unset = await run(HOLDFAST, ['gate', 'publish', '--directory', shop.root, '--state', temporaryDirectory(t)]);
    assert.match(unset.stderr, /no control plane is set up here/);
    const options = { ...shop.as('maker'), state: shop.root, keys: join(shop.root, 'pins.json') };
    await assert.rejects(publish(options, signal), { code: 'ERR_INPUT_INVALID' });
  });
});

const scan = (...args: readonly string[]) => holdfast('gate', 'scan', ...args);

describe('gate: scans of packages', () => {
  const ADVISORY = {
    id: 'GHSA-aaaa-bbbb-cccc',
    modified: '2026-11-20T00:00:00Z',
    published: '2026-11-19T00:00:00Z',
    aliases: ['CVE-2026-1'],
    summary: 'it lets anybody in',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
    affected: [
      {
        package: { ecosystem: 'npm', name: 'left-door' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.2.0' }] }],
      },
    ],
  };
  const LOCK = {
    name: 'shop',
    lockfileVersion: 3,
    packages: {
      '': { name: 'shop', dependencies: { 'left-door': '1.1.0' } },
      'node_modules/left-door': {
        version: '1.1.0',
        resolved: 'https://registry.npmjs.org/left-door/-/left-door-1.1.0.tgz',
        integrity: `sha512-${Buffer.alloc(64).toString('base64')}`,
        license: 'MIT',
      },
    },
  };

  it('R-25, R-26: an export is imported; then the scan finds, VEX says what is known, and both kinds of SBOM name the package', async (t) => {
    const directory = temporaryDirectory(t);
    const [database, archive] = [join(directory, 'osv.db'), join(directory, 'npm.zip')];
    writeFileSync(join(directory, 'package-lock.json'), JSON.stringify(LOCK));
    writeFileSync(join(directory, 'package.json'), '{"name":"shop","dependencies":{"left-door":"1.1.0"}}');
    writeFileSync(join(directory, 'index.mjs'), "import 'left-door';\n");
    const zip = zipSync({ [`${ADVISORY.id}.json`]: Buffer.from(JSON.stringify(ADVISORY)) }, { mtime: '2026-11-20' });
    writeFileSync(archive, zip);
    const where = ['--directory', directory, '--database', database];
    const before = await scan('vulnerabilities', ...where);
    assert.equal(before.exitCode, 30, 'without data nothing is clean');
    const updated = await scan('update', archive, '--database', database);
    assert.equal(updated.exitCode, 0, updated.stderr);
    assert.match(updated.stdout, /npm +1 +2026-11-20/);
    const found = await scan('vulnerabilities', ...where, '--fail');
    assert.equal(found.exitCode, 20, found.stdout + found.stderr);
    assert.match(found.stdout, /GHSA-aaaa-bbbb-cccc +pkg:npm\/left-door@1\.1\.0/);
    const vex = await scan('vex', ...where, '--author', 'Shop', '--product', 'pkg:npm/shop@2.0.0');
    assert.equal(vex.exitCode, 0, vex.stderr);
    assert.match(vex.stdout, /openvex[^]*GHSA-aaaa-bbbb-cccc/);
    for (const [format, sign] of [
      ['cyclonedx', /"bomFormat": ?"CycloneDX"/],
      ['spdx', /SPDX/],
    ] as const) {
      const sbom = ['sbom', '--directory', directory, '--name', 'shop', '--release', '2.0.0', '--format', format];
      const { exitCode, stdout } = await scan(...sbom);
      assert.equal(exitCode, 0);
      assert.match(stdout, sign);
      assert.match(stdout, /pkg:npm\/left-door@1\.1\.0/);
    }
    writeFileSync(archive, 'no zip');
    const refused = await scan('update', archive, '--database', database);
    assert.ok(refused.exitCode !== 0 && !refused.stderr.includes('internal error'), refused.stderr);
    assert.equal((await scan('vulnerabilities', ...where, '--fail')).exitCode, 20, 'the data of before is still there');
  });
});
