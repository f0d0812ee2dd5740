/**
 * Which drift is being dealt with under which remediation id. The id is drawn when a check begins to
 * fail and stays, over cycles and restarts, until the check passes: so all its evidence ties together.
 */
import { type Clock, formatUuidV7, type JsonObject } from '@holdfast/core';
import type { CheckResult } from '@holdfast/compliance';
import type { HealthRegistry } from './health.ts';
import type { Memory, OpenRemediation, RemediationState } from './memory.ts';
import { momentOf, type RandomBytes } from './ports.ts';
import type { ServerLink } from './server-link.ts';

export interface BookDeps {
  readonly memory: Memory;
  readonly clock: Clock;
  readonly bootId: string;
  readonly random: RandomBytes;
  readonly health: HealthRegistry;
  readonly link: Pick<ServerLink, 'tell'>;
}

/** One thing to be done for a failing check, with all findings it would mend. */
export interface Action {
  readonly operation: string;
  readonly params: JsonObject;
}

const failing = (result: CheckResult): CheckResult['findings'] =>
  result.findings.filter((finding) => finding.status === 'fail');

/** Statuses that end a remediation. Unknown and error do not: what was not measured is not mended. */
const isGood = (result: CheckResult): boolean =>
  result.status === 'pass' || result.status === 'not_applicable' || result.status === 'excepted';

export class RemediationBook {
  readonly #deps: BookDeps;

  constructor(deps: BookDeps) {
    this.#deps = deps;
  }

  /**
   * Takes in what a check saw.
   *
   * @returns the remediation its evidence belongs to: the open one, or the one that ends with it
   */
  observe(result: CheckResult): OpenRemediation | null {
    const { memory, clock, bootId, random, health } = this.#deps;
    const open = memory.remediation(result.check);
    const subjects = [...new Set(failing(result).map((finding) => finding.subject))].toSorted();
    if (subjects.length === 0) {
      // A change that awaits confirmation may still be taken back: it passes, but it is not fixed.
      if (open === null || open.changeId !== null || !isGood(result)) return open;
      this.move(open, 'fixed');
      memory.forgetRemediation(open.check);
      health.clear(`needs-person:${open.check}`);
      return open;
    }
    // Another set of subjects is the same drift as long as they overlap: some may have been mended.
    if (open !== null && open.subjects.some((subject) => subjects.includes(subject))) {
      const same = { ...open, subjects };
      memory.saveRemediation(same);
      return same;
    }
    health.count('driftDetected');
    memory.note('drift', result.check, momentOf(clock, bootId));
    const opened: OpenRemediation = {
      check: result.check,
      remediationId: formatUuidV7(clock.wallMs(), random(10)),
      subjects,
      state: 'detected',
      changeId: null,
      deferredUntilMs: null,
    };
    memory.saveRemediation(opened);
    this.#tell(opened, null);
    return opened;
  }

  /** Moves a remediation to another state, remembers it, and tells the server when it is another. */
  move(
    remediation: OpenRemediation,
    state: RemediationState,
    change: Partial<Pick<OpenRemediation, 'changeId' | 'deferredUntilMs'>> & { operation?: string } = {},
  ): OpenRemediation {
    const { operation, ...kept } = change;
    const moved = { ...remediation, ...kept, state };
    this.#deps.memory.saveRemediation(moved);
    if (state !== remediation.state) this.#tell(moved, operation ?? null);
    return moved;
  }

  #tell({ remediationId, check, state }: OpenRemediation, operation: string | null): void {
    const at = new Date(this.#deps.clock.wallMs()).toISOString();
    this.#deps.link.tell({ remediationId, check, operation, state, at });
  }
}
