/**
 * The pinned baseline as the guard uses it: which operations there are, and what may be observed.
 * Loaded again when its file changes; one that is missing or does not verify offers nothing.
 */
import { lstatSync } from 'node:fs';
import type { AnyOperation } from '@holdfast/change';
import { isHoldfastError } from '@holdfast/core';
import type { Known } from '@holdfast/evidence';

export interface GuardBaseline {
  readonly hash: Known<string>;
  readonly operations: ReadonlyMap<string, AnyOperation>;
  /** Files `observe files` may look at. */
  readonly observedFiles: readonly string[];
}

export class BaselineHolder {
  readonly #path: string;
  readonly #load: () => Promise<GuardBaseline>;
  readonly #revertOperations: ReadonlyMap<string, AnyOperation>;
  readonly #operations = new Map<string, AnyOperation>();
  #stamp: string | null = null;
  #loading: Promise<GuardBaseline>;

  /** @param revertOperations offered while nothing loads: what an earlier run began can still be reverted */
  constructor(
    path: string,
    load: () => Promise<GuardBaseline>,
    revertOperations: ReadonlyMap<string, AnyOperation> = new Map(),
  ) {
    this.#path = path;
    this.#load = load;
    this.#revertOperations = revertOperations;
    this.#loading = Promise.resolve(this.#none('no baseline is pinned'));
  }

  #none(reason: string): GuardBaseline {
    return { hash: { unknown: reason }, operations: this.#revertOperations, observedFiles: [] };
  }

  /** Always the operations of the baseline loaded last: one map, changed in place. */
  get operations(): ReadonlyMap<string, AnyOperation> {
    return this.#operations;
  }

  /** The baseline in force. Never throws: what does not load is no baseline. */
  async current(): Promise<GuardBaseline> {
    const stamp = this.#readStamp();
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#loading = this.#reload();
    }
    return this.#loading;
  }

  async #reload(): Promise<GuardBaseline> {
    let baseline: GuardBaseline;
    try {
      baseline = await this.#load();
    } catch (error) {
      const code = isHoldfastError(error) ? error.code : 'ERR_GUARD_INTERNAL';
      baseline = this.#none(`the baseline did not load: ${code}`);
    }
    this.#operations.clear();
    for (const [name, operation] of baseline.operations) this.#operations.set(name, operation);
    return baseline;
  }

  #readStamp(): string {
    try {
      const stat = lstatSync(this.#path, { bigint: true });
      return `${stat.dev}:${stat.ino}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.size}`;
    } catch {
      return 'missing'; // whatever the reason, there is nothing to load
    }
  }
}
