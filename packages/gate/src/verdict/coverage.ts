/**
 * Which surfaces the tests reached that really ran: by the ids in valid evidence, never by
 * what a command is called or meant to do.
 */
import type { Attempt, RunIndex } from '../evidence/run-index.ts';
import { type Surface, TIER_CAP, TIERS } from '../gate-file/gate-schema.ts';
import { matchesTestPattern } from '../reports/test-pattern.ts';
import type { EvidenceState, Reason, SurfaceView } from './assessment.ts';
import { reason } from './reasons.ts';

export interface Coverage {
  readonly surfaces: readonly SurfaceView[];
  readonly reasons: readonly Reason[];
  /** How many tests ran in valid evidence, each run counted once. */
  readonly tests: number;
}

/** @param required every required piece of evidence, judged; only valid ones count */
export function judgeCoverage(index: RunIndex, required: readonly EvidenceState[]): Coverage {
  const everywhere = new ExecutedTests();
  const milestone = new ExecutedTests();
  let tests = 0;
  for (const [attempt, states] of validAttempts(index, required)) {
    const executed = index.tests(attempt)?.filter(({ status }) => status !== 'skipped') ?? [];
    tests += executed.length;
    const ids = executed.map(({ id }) => id);
    const digest = attempt.run?.tests?.digest ?? '';
    everywhere.add(attempt.command, digest, ids);
    if (states.some(({ role }) => role === 'milestone')) milestone.add(attempt.command, digest, ids);
  }
  const reasons: Reason[] = [];
  const surfaces = index.board.freeze?.gate.scope.surfaces ?? [];
  const views = surfaces.map((surface): SurfaceView => {
    const reached = everywhere.reaching(surface.tests);
    const coveredBy = reached.filter((command) => isEnough(index, command, surface));
    const inMilestone = milestone.reaching(surface.tests).filter((command) => isEnough(index, command, surface));
    const { id, title, p0, minTier } = surface;
    if (reached.length === 0) reasons.push(reason('surface-uncovered', id));
    else if (coveredBy.length === 0) reasons.push(reason('surface-tier-too-low', id, minTier));
    if (p0 && inMilestone.length === 0) reasons.push(reason('milestone-misses-surface', id));
    return { id, title, p0, coveredBy, inMilestone };
  });
  return { surfaces: views, reasons, tests };
}

/** One run can answer for several places; it is looked at once. */
function validAttempts(
  index: RunIndex,
  required: readonly EvidenceState[],
): ReadonlyMap<Attempt, readonly EvidenceState[]> {
  const found = new Map<Attempt, EvidenceState[]>();
  for (const state of required) {
    const attempt = state.valid && state.run !== null ? index.byRun(state.run) : undefined;
    if (attempt === undefined) continue;
    const states = found.get(attempt);
    if (states === undefined) found.set(attempt, [state]);
    else states.push(state);
  }
  return found;
}

/** Whether a test of `surface` was executed in `attempt`. */
export const reaches = (index: RunIndex, attempt: Attempt, surface: Surface): boolean =>
  index
    .tests(attempt)
    ?.some(({ id, status }) => status !== 'skipped' && surface.tests.some((each) => matchesTestPattern(each, id))) ??
  false;

/** what a command claims, and no more than its kind can show. */
function isEnough({ commands }: RunIndex, id: string, { minTier }: Surface): boolean {
  const command = commands.get(id);
  if (command === undefined) return false;
  const tier = Math.min(TIERS.indexOf(command.tier), TIERS.indexOf(TIER_CAP[command.kind]));
  return tier >= TIERS.indexOf(minTier);
}

/** Ids of tests, sorted, with the commands that executed them: what begins like a pattern is found by halving. */
class ExecutedTests {
  readonly #commands = new Map<string, Set<string>>();
  readonly #seen = new Set<string>();
  #sorted: readonly string[] | null = null;

  add(command: string, digest: string, ids: readonly string[]): void {
    const key = `${command} ${digest}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#sorted = null;
    for (const id of ids) {
      const commands = this.#commands.get(id);
      if (commands === undefined) this.#commands.set(id, new Set([command]));
      else commands.add(command);
    }
  }

  /** Commands that executed a test which one of `patterns` names, sorted. */
  reaching(patterns: readonly string[]): readonly string[] {
    const reached = new Set<string>();
    for (const pattern of patterns) {
      for (const id of this.#candidates(pattern)) {
        if (!matchesTestPattern(pattern, id)) continue;
        for (const command of this.#commands.get(id) ?? []) reached.add(command);
      }
    }
    return [...reached].toSorted();
  }

  *#candidates(pattern: string): Generator<string> {
    this.#sorted ??= [...this.#commands.keys()].toSorted();
    const prefix = pattern.split('*', 1)[0] ?? '';
    for (let at = lowerBound(this.#sorted, prefix); at < this.#sorted.length; at++) {
      const id = this.#sorted[at];
      if (id === undefined || !id.startsWith(prefix)) return;
      yield id;
    }
  }
}

/** Index of the first of `sorted` that is not before `text`. */
function lowerBound(sorted: readonly string[], text: string): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? '') < text) from = middle + 1;
    else to = middle;
  }
  return from;
}
