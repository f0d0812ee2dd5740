/**
 * Drift and healing while everything is killed at seeded random moments: guard, agent, control plane
 * and database (P-19, P-20, C-33, T-29). Afterwards no acknowledged evidence is lost, no change is
 * half applied, and every log verifies.
 *
 * `HOLDFAST_CHAOS_ROUNDS` sets how many, `HOLDFAST_CHAOS_SEED` replays one run's choices.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { GuardStatusSchema } from '@holdfast/api';
import { type BreakableCheck, countVariants } from '@holdfast/lab';
import { needs } from '@holdfast/testing';
import { settle } from './accounting.ts';
import { eventually } from './eventually.ts';
import { Site } from './site.ts';

const ROUNDS = Number(process.env['HOLDFAST_CHAOS_ROUNDS'] ?? 8);
const SEED = Number(process.env['HOLDFAST_CHAOS_SEED'] ?? 20_261_121);
/** A round takes about 20 s; many of them more than the usual time-out of a test. */
const TIMEOUT_MS = 240_000 + ROUNDS * 45_000;

const HOSTS = ['web-1', 'web-2', 'web-3'] as const;
/** What is mended without a person, with its variants; an account that may log in is locked by nobody but one. */
const HEALS: readonly (readonly [BreakableCheck, number])[] = [
  ...(['firewall', 'services', 'logging', 'files'] as const).map((check) => [check, countVariants(check)] as const),
  ['accounts', 1],
];
const VICTIMS = ['guard', 'agent', 'control plane', 'database'] as const;
type Victim = (typeof VICTIMS)[number];

/** Long enough to reach from the break into the middle of the healing, and beyond it. */
const MAX_KILL_DELAY_MS = 14_000;
const MAX_DOWN_MS = 4_000;
/** As `RestartSec=` of a unit. */
const RESTART_MS = 1_000;

const never = new AbortController().signal;

/** mulberry32: small, seeded, good enough to choose by. */
function drawsOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Round {
  readonly number: number;
  readonly check: BreakableCheck;
  readonly variant: number;
  readonly kills: readonly { readonly victim: Victim; readonly afterMs: number; readonly downMs: number }[];
}

function planRounds(): Round[] {
  const draw = drawsOf(SEED);
  const pick = <T>(list: readonly T[]): T => list[draw(list.length)] as T; // the list is not empty
  return Array.from({ length: ROUNDS }, (_, number) => {
    const [check, variants] = pick(HEALS);
    const kill = () => ({ victim: pick(VICTIMS), afterMs: draw(MAX_KILL_DELAY_MS), downMs: draw(MAX_DOWN_MS) });
    return { number, check, variant: draw(variants), kills: [kill(), kill()] };
  });
}

/** Kills, and is the service manager of the control plane: what ends, by itself or by us, is started again. */
class Killer {
  readonly #site: Site;
  #isHeldDown = false;
  readonly counts = new Map<Victim, number>();
  /** What a control plane said that ended by itself, such as one whose database was killed while it started. */
  readonly gaveUp: string[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  async kill(host: string, { victim, afterMs, downMs }: Round['kills'][number]): Promise<void> {
    await delay(afterMs);
    if (await this.#strike(host, victim, downMs)) this.counts.set(victim, (this.counts.get(victim) ?? 0) + 1);
  }

  /** @returns whether it was alive */
  async #strike(host: string, victim: Victim, downMs: number): Promise<boolean> {
    const site = this.#site;
    if (victim === 'guard' || victim === 'agent') {
      const unit = `holdfast-${victim}.service`;
      const { exitCode } = await site.exec(host, '/usr/bin/systemctl', 'kill', '--signal=SIGKILL', unit);
      return exitCode === 0;
    }
    if (victim === 'database') {
      const pid = postmaster(site);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      return pid !== undefined;
    }
    if (this.#isHeldDown || !site.daemon.isRunning) return false;
    this.#isHeldDown = true;
    await site.daemon.kill('SIGKILL');
    await delay(downMs);
    site.restartControlPlane();
    this.#isHeldDown = false;
    return true;
  }

  /** Until `signal` aborts. */
  async keepControlPlaneRunning(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(RESTART_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
      if (this.#isHeldDown || this.#site.daemon.isRunning) continue;
      this.gaveUp.push(this.#site.daemon.stderr);
      this.#site.restartControlPlane();
    }
  }
}

function postmaster(site: Site): number | undefined {
  try {
    const data = join(site.state, 'server/postgres/data');
    const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data) ? pid : undefined;
  } catch {
    return undefined; // down, or on its way up
  }
}

describe('chaos', needs('lab-hosts'), () => {
  it(
    `P-15, P-19, P-20, C-33, T-29: ${ROUNDS} drifts heal under kill -9 of everything`,
    { timeout: TIMEOUT_MS },
    async (t) => {
      t.diagnostic(`HOLDFAST_CHAOS_SEED=${SEED}`);
      const site = await Site.start(t, { hosts: HOSTS.length, kind: 'apart' });
      const killer = new Killer(site);
      const ended = new AbortController();
      const manager = killer.keepControlPlaneRunning(ended.signal);
      const waiting = planRounds();
      const lane = async (host: string): Promise<void> => {
        for (let round = waiting.shift(); round !== undefined; round = waiting.shift()) {
          const startedMs = performance.now();
          await site.lab.break(host, round.check, round.variant, never);
          await Promise.all(round.kills.map(async (kill) => killer.kill(host, kill)));
          await healed(site, host, round);
          await site.lab.mend(host, round.check, never); // an account that was locked is still there
          t.diagnostic(
            `${host} ${describeRound(round)}: healed after ${Math.round((performance.now() - startedMs) / 1_000)} s`,
          );
        }
      };
      try {
        await Promise.all(HOSTS.map(lane));
        await site.allGood(HOSTS.length);
      } finally {
        ended.abort();
        await manager;
      }
      t.diagnostic(`killed: ${[...killer.counts].map(([victim, count]) => `${victim} ${count}`).join(', ')}`);
      // Its database was killed while it started: it says so, and its service manager tries again.
      for (const said of killer.gaveUp) assert.match(said, /\[ERR_STORE_[A-Z_]+\]/);
      t.diagnostic(`control planes that ended by themselves: ${killer.gaveUp.length}`);

      for (const host of HOSTS) await expectSettled(site, host);
      t.diagnostic(`${await settle(site)} bundles acknowledged, each on its host and on the server exactly once`);
    },
  );
});

const describeRound = ({ number, check, variant, kills }: Round): string =>
  `#${number} ${check}/${variant} with ${kills.map(({ victim, afterMs }) => `${victim} at ${afterMs} ms`).join(', ')}`;

async function healed(site: Site, host: string, round: Round): Promise<void> {
  await eventually(
    `${host} heals ${describeRound(round)}`,
    async () => {
      const { exitCode, stdout, stderr } = await site.inHost(host, 'drift', round.check);
      if (exitCode === 0) return true;
      throw new Error(`${stdout}${stderr}`);
    },
    180_000,
  );
}

/** Nothing half done: no open change, nothing frozen, and the whole host equals its baseline. */
async function expectSettled(site: Site, host: string): Promise<void> {
  const status = await eventually(`${host} has no change under way`, async () => {
    const { stdout } = await site.inHost(host, 'status', '--host', '--json');
    const { guard } = JSON.parse(stdout) as { guard: unknown };
    const told = GuardStatusSchema.parse(guard);
    return told.pendingChanges === 0 ? told : undefined;
  });
  assert.equal(status.frozen, false);
  assert.equal(status.audit.writable, true);
  const { exitCode, stdout } = await site.inHost(host, 'drift');
  assert.equal(exitCode, 0, stdout);
}
