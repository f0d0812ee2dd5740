import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SANDBOX_LAYERS, SandboxProfileSchema } from '@holdfast/policy';
import { compileProfile } from './compile-profile.ts';
import { type SlotEnvironment, planSlot } from './namespaces/plan-slot.ts';
import { describePlan } from './describe-plan.ts';
import { CALLS_BEHIND_FILTER, jobSteps, planJob, setUpSteps } from './plan-job.ts';

const compile = (profile: object = {}, landlockAbi = 7, architecture: 'x64' | 'arm64' = 'x64') =>
  compileProfile(SandboxProfileSchema.parse({ name: 'test', ...profile }), { architecture, landlockAbi });
const job = { argv: ['/usr/bin/true'] } as const;
const environment: SlotEnvironment = {
  bubblewrap: '/usr/bin/bwrap',
  launcher: '/launcher',
  filesDirectory: '/files',
  uid: 1_000,
  gid: 1_000,
  view: { kindOf: () => 'directory', linkTarget: () => null },
  limitsEachProcess: false,
};

const key = (profile: object, change: object = {}): string =>
  planSlot(compile(profile), { ...environment, ...change }).key;

describe('compileProfile', () => {
  it('X-01: gives the same hash for the same profile, and another for any change', () => {
    assert.equal(compile().hash, compile().hash);
    const changed = [
      { limits: { cpuSeconds: 61 } },
      { env: {} },
      { files: { hidden: ['/usr/share'] } },
      { network: 'none', user: 'other' },
    ];
    const hashes = [compile(), ...changed.map((profile) => compile(profile)), compile({}, 7, 'arm64')].map(
      ({ hash }) => hash,
    );
    assert.equal(new Set(hashes).size, hashes.length);
  });

  it('X-02: puts on every layer under the default profile', () => {
    assert.deepEqual(compile().layers, SANDBOX_LAYERS);
  });

  it('X-04: denies, by name, what this kernel does not have', () => {
    for (const [abi, layer] of [
      [0, 'landlock-files'],
      [3, 'landlock-tcp'],
      [5, 'landlock-scope'],
    ] as const) {
      assert.throws(() => compile({}, abi), { code: 'ERR_SANDBOX_MISSING', fields: { layer } });
      const require = SANDBOX_LAYERS.filter((name) => !name.startsWith('landlock'));
      assert.ok(!compile({ require }, abi).layers.includes(layer));
    }
    assert.ok(compile({}, 6).layers.includes('landlock-scope'));
  });

  it('X-02: handles exactly the rights that an ABI knows', () => {
    const require = ['seccomp'];
    const handled = [0, 1, 2, 3, 4, 5, 6, 7, 99].map((abi) => {
      const { landlock } = compile({ require }, abi);
      return [landlock.handledFiles.toString(2).replace(/^0$/, '').length, landlock.handledNetwork, landlock.scoped];
    });
    assert.deepEqual(handled, [
      [0, 0n, 0n],
      [13, 0n, 0n],
      [14, 0n, 0n],
      [15, 0n, 0n],
      [15, 3n, 0n],
      [16, 3n, 0n],
      [16, 3n, 3n],
      [16, 3n, 3n],
      [16, 3n, 3n],
    ]);
  });

  const refused: Record<string, object> = {
    'a host network that requires its own': { network: 'host' },
    'root as user': { user: 'root' },
    'the whole host': { files: { readOnly: ['/'] } },
    'the kernel files of the host': { files: { readOnly: ['/usr', '/proc/sys'] } },
    'a writable /etc': { files: { writable: ['/etc/x'] } },
    'a writable /usr': { files: { writable: ['/usr/'] } },
    'a writable root': { files: { writable: ['/'] } },
    'programs that are not seen': { files: { executable: ['/opt'] } },
    'programs that can be written': { files: { readOnly: ['/srv'], writable: ['/srv/a'], executable: ['/srv'] } },
    'programs below what can be written': {
      files: { readOnly: ['/srv/a/b'], writable: ['/srv/a'], executable: ['/srv/a/b'] },
    },
    'a filter behind which nothing is read': { syscalls: { deny: ['read'] } },
    'a filter behind which no directory is entered': { syscalls: { purposes: ['files'], allow: ['read', 'execve'] } },
    'a filter behind which nothing is executed': { syscalls: { deny: ['execve'] } },
    'an address as endpoint': { network: { endpoints: [{ host: '10.0.0.1', port: 1 }] } },
    'an endpoint listed twice': {
      network: {
        endpoints: [
          { host: 'a', port: 1 },
          { host: 'a', port: 1 },
        ],
      },
    },
  };
  for (const [name, profile] of Object.entries(refused)) {
    it(`X-01: refuses ${name}`, () => assert.throws(() => compile(profile), { code: 'ERR_SANDBOX_PROFILE' }));
  }
});

describe('planJob', () => {
  it('X-03: puts on rlimits, then Landlock, then seccomp, and then executes', () => {
    const child = [...setUpSteps(compile(), false).child, ...jobSteps(compile(), job)];
    const order = ['clone', 'prlimit64', 'landlock_restrict_self', 'seccomp', 'execve'];
    const places = order.map((call) => child.findLastIndex((step) => step.call === call));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.equal(places.at(-1), child.length - 1);
    // Nothing that could undo a layer comes between the filter and the program.
    const behind = child.slice((places[3] ?? 0) + 1).map(({ call }) => call);
    assert.deepEqual(behind, CALLS_BEHIND_FILTER);
    assert.ok(child.findIndex(({ call }) => call === 'capset') < child.findIndex(({ call }) => call === 'clone'));
  });

  it('X-03: gives the same bytes for the same job on both architectures, and refuses one too long', () => {
    for (const architecture of ['x64', 'arm64'] as const) {
      const compiled = compile({}, 7, architecture);
      assert.deepEqual(planJob(compiled, job), planJob(compiled, job));
      const tooLong = { ...job, argv: ['/usr/bin/true', 'x'.repeat(2 ** 20)] as const };
      assert.throws(() => planJob(compiled, { ...tooLong, argv: [...tooLong.argv] }), { code: 'ERR_SANDBOX_START' });
    }
  });

  it('X-01: shows layers, rights and steps, but no value of the environment', () => {
    const text = describePlan(compile({ env: { TOKEN: 'hunter2' } }));
    assert.match(text, /\n {2}\/usr: execute, read file\n/);
    assert.match(text, /seccomp {3}\d+ instructions/);
    assert.match(text, /TOKEN/);
    assert.doesNotMatch(text, /hunter2/);
  });
});

describe('planSlot', () => {
  it('X-06: has another key for any other profile, user, view or way to limit memory', () => {
    assert.equal(key({}), key({}));
    const keys = [key({}), key({}, { uid: 1_001 }), key({}, { gid: 1_001 }), key({ files: { tmpBytes: 0 } })];
    keys.push(key({}, { limitsEachProcess: true }), key({ limits: { cpuSeconds: 1 } }));
    keys.push(key({ syscalls: { deny: ['kill'] } }));
    const endpoints = [{ host: 'a', port: 1 }];
    keys.push(key({ network: { endpoints } }), key({ network: { endpoints: [{ host: 'b', port: 1 }] } }));
    assert.equal(new Set(keys).size, keys.length);
  });

  it('X-02: refuses root, and a writable directory that is not there', () => {
    assert.throws(() => planSlot(compile(), { ...environment, uid: 0 }), { code: 'ERR_SANDBOX_PROFILE' });
    const view = { ...environment.view, kindOf: () => 'absent' as const };
    const writable = compile({ files: { writable: ['/srv'] } });
    assert.throws(() => planSlot(writable, { ...environment, view }), { code: 'ERR_SANDBOX_PROFILE' });
  });
});
