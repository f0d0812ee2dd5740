/**
 * a sandboxed `/bin/true`, all layers on, from the pool, against a plain `child_process.spawn` of
 * it from this same process, and against what else confines a command: bare bubblewrap, firejail, runc.
 * One after the other in each round, with a pause in between, so that a slot used up is replaced outside
 * of any measurement: hiding that is what the pool is for. What it cannot hide is in the throughput.
 * Then once more from a process that has grown, and what a waiting slot costs in memory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SANDBOX_LAYERS, SandboxProfileSchema } from '@holdfast/policy';
import { costOf, median, milliseconds, percentile, perSecond } from '@holdfast/testing';
import { openSandbox, type Sandbox } from '../src/index.ts';

const ROUNDS = 150;
const WARM_UP = 15;
/** Slow: a container of its own each time. */
const SLOW_ROUNDS = 15;
const GROWN_ROUNDS = 30;
const PAUSE_MS = 30;
const SLOTS = 4;
const IN_FLIGHT = 4;
const JOBS = 200;
const GROWTH_BYTES = 1_024 ** 3;
const SLOT_TARGET_BYTES = 1_024 ** 2;
/** A number that no user of the machine has. */
const USER = { uid: 64_079, gid: 64_079 };
const PROGRAM = '/bin/true';

const { signal } = new AbortController();
const profile = SandboxProfileSchema.parse({ name: 'bench', user: 'bench' });

/** Runs `/bin/true` once, from asking for it to knowing how it ended. */
type Contender = () => Promise<void>;

async function sandboxed(sandbox: Sandbox): Promise<void> {
  const run = await sandbox.start({ profile, argv: [PROGRAM], timeoutMs: 10_000 }, signal);
  const { exitCode, layers } = await run.result;
  if (exitCode !== 0 || layers.length !== SANDBOX_LAYERS.length) throw new Error('not every layer was on');
}

async function spawned(command: string, args: readonly string[], options: object = {}): Promise<void> {
  const child = spawn(command, args, { env: {}, cwd: '/', stdio: 'pipe', ...options });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} failed`);
}

const BUBBLEWRAP =
  `--unshare-all --die-with-parent --new-session --cap-drop ALL --hostname sandbox --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev --tmpfs /tmp -- ${PROGRAM}`.split(
    ' ',
  );
const FIREJAIL = [
  '--quiet',
  '--noprofile',
  '--caps.drop=all',
  '--seccomp',
  '--net=none',
  '--nonewprivs',
  '--',
  PROGRAM,
];

/** A bundle with the host's /usr, read-only, and runc's namespaces. */
function makeBundle(directory: string): void {
  const rootfs = join(directory, 'rootfs');
  for (const name of ['usr', 'proc']) mkdirSync(join(rootfs, name), { recursive: true });
  const process = {
    user: USER,
    args: ['/usr/bin/true'],
    env: [],
    cwd: '/',
    noNewPrivileges: true,
    capabilities: { bounding: [], effective: [], permitted: [] },
  };
  const mounts = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/usr', type: 'none', source: '/usr', options: ['rbind', 'ro'] },
    ...['lib', 'lib64'].map((name) => ({
      destination: `/${name}`,
      type: 'none',
      source: `/usr/${name}`,
      options: ['rbind', 'ro'],
    })),
  ];
  const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type }));
  const config = { ociVersion: '1.0.2', process, root: { path: 'rootfs' }, mounts, linux: { namespaces } };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
}

async function timed(contender: Contender, into: number[]): Promise<void> {
  const startMs = performance.now();
  await contender();
  into.push(performance.now() - startMs);
  await delay(PAUSE_MS);
}

/** Proportional set size of everything that waits: what the user we start commands as has running. */
function bytesWaiting(): number {
  let kib = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/status`, 'ascii').includes(`\nUid:\t${USER.uid}\t`)) continue;
      kib += Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'ascii'))?.[1] ?? 0);
    } catch {
      // ended between the two calls
    }
  }
  return kib * 1_024;
}

const both = (all: readonly number[]): string =>
  `p50 ${milliseconds(median(all))}, p99 ${milliseconds(percentile(all, 99))}`;

function figure(name: string, measured: string, against: string, ratio: number | null, atMost: number | null) {
  return { row: 'X-06', name, measured, against, ratio, wanted: atMost === null ? null : { atMost } };
}

export async function bench() {
  if (process.getuid?.() !== 0) throw new Error('starting commands as another user takes root');
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  chmodSync(directory, 0o755);
  try {
    await using sandbox = await openSandbox({ users: { bench: USER } });
    return await measure(sandbox, directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measure(sandbox: Sandbox, directory: string) {
  const home = join(directory, 'home');
  const bundle = join(directory, 'bundle');
  mkdirSync(home);
  chownSync(home, USER.uid, USER.gid);
  makeBundle(bundle);
  let containers = 0;
  const ours: Contender = () => sandboxed(sandbox);
  const plain: Contender = () => spawned(PROGRAM, []);
  const peers: Record<string, { readonly file: string; readonly rounds: number; readonly run: Contender }> = {
    'bare bubblewrap': {
      file: '/usr/bin/bwrap',
      rounds: ROUNDS,
      run: () => spawned('/usr/bin/bwrap', BUBBLEWRAP, USER),
    },
    firejail: {
      file: '/usr/bin/firejail',
      rounds: SLOW_ROUNDS,
      // It looks up who calls it, so root and not our number, which no user has.
      run: () => spawned('/usr/bin/firejail', FIREJAIL, { env: { HOME: home, PATH: '/usr/bin' }, stdio: 'ignore' }),
    },
    runc: {
      file: '/usr/sbin/runc',
      rounds: SLOW_ROUNDS,
      run: () => {
        const name = `holdfast-bench-${process.pid}-${containers++}`;
        const args = ['--root', join(directory, 'runc'), 'run', '--bundle', bundle, name];
        return spawned('/usr/sbin/runc', args, { env: { PATH: '/usr/sbin:/usr/bin' }, stdio: 'ignore' });
      },
    },
  };
  const present = Object.entries(peers).filter(([, { file }]) => existsSync(file));

  await sandbox.warm(profile, SLOTS, signal);
  for (let round = 0; round < WARM_UP; round++) {
    await timed(ours, []);
    await timed(plain, []);
  }
  const [oursMs, plainMs]: [number[], number[]] = [[], []];
  const peerMs = new Map<string, number[]>(present.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    await timed(ours, oursMs);
    await timed(plain, plainMs);
    for (const [name, { rounds, run }] of present) {
      if (round % Math.ceil(ROUNDS / rounds) === 0) await timed(run, peerMs.get(name) ?? []);
    }
  }
  await sandbox.warm(profile, SLOTS, signal);
  const slotBytes = bytesWaiting() / SLOTS;
  const rates = [await throughput(ours), await throughput(plain)] as const;

  const ballast = Buffer.alloc(GROWTH_BYTES, 1);
  const [grownOursMs, grownPlainMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < GROWN_ROUNDS; round++) {
    await timed(ours, grownOursMs);
    await timed(plain, grownPlainMs);
  }
  if (ballast.at(-1) !== 1) throw new Error('the memory is needed until here');

  const missing = Object.keys(peers).filter((name) => !peerMs.has(name));
  const name = `sandboxed ${PROGRAM}, all ${SANDBOX_LAYERS.length} layers`;
  return [
    figure(name, both(oursMs), `plain spawn, ${both(plainMs)}, by median`, median(oursMs) / median(plainMs), 1),
    figure(
      name,
      both(oursMs),
      `plain spawn, ${both(plainMs)}, by p99`,
      percentile(oursMs, 99) / percentile(plainMs, 99),
      2,
    ),
    ...[...peerMs].map(([peer, all]) =>
      figure(name, both(oursMs), `${peer}, ${both(all)}, by median`, median(oursMs) / median(all), 1),
    ),
    ...missing.map((peer) => figure(`${name}, against ${peer}`, both(oursMs), `${peer} is not installed`, null, null)),
    figure(
      `${name}, from a process grown by 1 GiB`,
      both(grownOursMs),
      `plain spawn, ${both(grownPlainMs)}, by median`,
      median(grownOursMs) / median(grownPlainMs),
      1,
    ),
    figure(
      'memory of a waiting slot (PSS)',
      `${(slotBytes / 1_024).toFixed(0)} KiB`,
      'target of 1 MiB',
      slotBytes / SLOT_TARGET_BYTES,
      1,
    ),
    figure(
      `${JOBS} sandboxes, ${IN_FLIGHT} in flight, set-up included`,
      perSecond(rates[0]),
      `plain spawn, ${perSecond(rates[1])}`,
      rates[0] / rates[1],
      null,
    ),
  ];
}

async function throughput(contender: Contender): Promise<number> {
  let left = JOBS;
  const { wallS } = await costOf(() =>
    Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (left-- > 0) await contender();
      }),
    ),
  );
  return JOBS / wallS;
}
