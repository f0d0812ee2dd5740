/**
 * What guard and agent cost a host: a cycle of all checks, and an idle minute of both daemons, in a
 * real lab host with the shipped units (C-15, C-46). Beside them, in the same minute, a bare Node
 * process that does nothing. Lab hosts poll every 10 s, six times as often as the default.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { milliseconds } from '@holdfast/testing';
import type { Figure } from '../scripts/bench.ts';
import { Site } from './site.ts';

const HOST = 'web-1';
const IDLE_MS = 60_000;
const ROUNDS = 50;
/** C-15, for all checks together. */
const CYCLE_WALL_MS = 1_000;
const CYCLE_CPU_MS = 300;
const MIB = 1_024;

interface Sample {
  readonly processorMs: number;
  readonly rssMiB: number;
  readonly ownMiB: number;
}

/** From proc_pid_stat(5) and smaps_rollup. `cat` of both files, wherever that process lives. */
function parseSample(text: string): Sample {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  return { processorMs: ticks * 10, rssMiB: kilobytes('Rss') / MIB, ownMiB: kilobytes('Pss') / MIB };
}

const filesOf = (pid: string): [string, string] => [`/proc/${pid}/smaps_rollup`, `/proc/${pid}/stat`];

async function catIn(site: Site, pid: string): Promise<Sample> {
  return parseSample((await site.exec(HOST, '/usr/bin/cat', ...filesOf(pid))).stdout);
}

async function mainPid(site: Site, unit: string): Promise<string> {
  const shown = await site.exec(HOST, '/usr/bin/systemctl', 'show', '--property=MainPID', '--value', unit);
  return shown.stdout.trim();
}

export async function bench(): Promise<readonly Figure[]> {
  if (process.getuid?.() !== 0) {
    console.log('not measured: what guard and agent cost (lab hosts need root)');
    return [];
  }
  await using stack = new AsyncDisposableStack();
  const site = await Site.start({ after: (end) => stack.defer(async () => end()) }, { hosts: 1 });
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
  stack.defer(() => void bare.kill('SIGKILL'));
  const catHere = async (): Promise<Sample> =>
    parseSample((await Promise.all(filesOf(String(bare.pid)).map((path) => readFile(path, 'utf8')))).join(''));

  const pids = {
    guard: await mainPid(site, 'holdfast-guard.service'),
    agent: await mainPid(site, 'holdfast-agent.service'),
  };
  const sample = async () => ({
    guard: await catIn(site, pids.guard),
    agent: await catIn(site, pids.agent),
    node: await catHere(),
  });
  const before = await sample();
  await sleep(IDLE_MS);
  const after = await sample();

  const figures: Figure[] = (['guard', 'agent'] as const).flatMap((name) => {
    const share = (100 * (after[name].processorMs - before[name].processorMs)) / IDLE_MS;
    const { rssMiB, ownMiB } = after[name];
    return [
      {
        row: 'C-46',
        name: `${name}, an idle minute at a poll every 10 s`,
        measured: `${share.toFixed(2)} % of a core`,
        against: 'one core',
        ratio: share / 100,
        wanted: null,
      },
      {
        row: 'C-46',
        name: `${name}, resident memory`,
        measured: `${rssMiB.toFixed(0)} MiB, ${ownMiB.toFixed(0)} MiB of its own`,
        against: `a bare Node, ${after.node.rssMiB.toFixed(0)} MiB`,
        ratio: rssMiB / after.node.rssMiB,
        wanted: null,
      },
    ];
  });
  const node = '/opt/holdfast/node_modules/.bin/node';
  const { stdout } = await site.exec(
    HOST,
    node,
    '--disable-warning=ExperimentalWarning',
    '/opt/holdfast/e2e/repeat-checks.ts',
    String(ROUNDS),
  );
  const { medianMs, cpuMs, counts } = JSON.parse(stdout) as {
    medianMs: number;
    cpuMs: number;
    counts: { pass?: number };
  };
  const told = `all checks, ${counts.pass ?? 0} of ${8 * ROUNDS} passed`;
  figures.push(
    {
      row: 'C-15',
      name: `a cycle of ${told}, median`,
      measured: milliseconds(medianMs),
      against: `budget of ${CYCLE_WALL_MS} ms`,
      ratio: medianMs / CYCLE_WALL_MS,
      wanted: { atMost: 1 },
    },
    {
      row: 'C-15',
      name: `a cycle of ${told}, processor time with its commands`,
      measured: milliseconds(cpuMs),
      against: `budget of ${CYCLE_CPU_MS} ms`,
      ratio: cpuMs / CYCLE_CPU_MS,
      wanted: { atMost: 1 },
    },
  );
  return figures;
}
