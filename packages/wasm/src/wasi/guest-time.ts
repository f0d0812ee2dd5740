/**
 * The guest's clocks. With `fuel`, time is work done and two runs see the same times; with `coarse`,
 * it is the host's, rounded down. Sleeping never blocks the host in either: it moves the guest's clocks
 * on by as much, so a guest that sleeps in a loop burns fuel and nothing else.
 */
import { CLOCK } from './abi.ts';
import type { GuestClock } from './capabilities.ts';

/** The host's clocks; read only when a guest has the coarse one. */
export interface HostTime {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds, never going back. */
  monotonicMs(): number;
}

const NS_PER_MS = 1_000_000n;
const MAX_TIMESTAMP = 2n ** 64n - 1n;

const clamp = (ns: bigint): bigint => (ns > MAX_TIMESTAMP ? MAX_TIMESTAMP : ns);

export class GuestTime {
  readonly #clock: GuestClock;
  readonly #fuelUsed: () => bigint;
  readonly #host: HostTime;
  readonly #startMs: number;
  #sleptNs = 0n;

  constructor(clock: GuestClock, fuelUsed: () => bigint, host: HostTime) {
    if (clock.kind === 'fuel' ? !(clock.fuelPerNs > 0) : !(clock.resolutionMs >= 1)) {
      throw new TypeError('a guest clock needs fuelPerNs > 0 or resolutionMs >= 1');
    }
    this.#clock = clock;
    this.#fuelUsed = fuelUsed;
    this.#host = host;
    this.#startMs = clock.kind === 'coarse' ? host.monotonicMs() : 0;
  }

  resolutionNs(): bigint {
    if (this.#clock.kind === 'coarse') return BigInt(Math.floor(this.#clock.resolutionMs)) * NS_PER_MS;
    return BigInt(Math.max(1, Math.ceil(1 / this.#clock.fuelPerNs)));
  }

  /** Without what was slept. */
  #workedNs(): bigint {
    if (this.#clock.kind === 'coarse') return this.#rounded(this.#host.monotonicMs() - this.#startMs);
    // Exact below 2^53 units of fuel, and the same in every run above.
    return BigInt(Math.floor(Number(this.#fuelUsed()) / this.#clock.fuelPerNs));
  }

  #rounded(ms: number): bigint {
    return (BigInt(Math.floor(ms * 1e6)) / this.resolutionNs()) * this.resolutionNs();
  }

  realtimeNs(): bigint {
    const { startNs } = this.#clock.kind === 'fuel' ? this.#clock : { startNs: null };
    return clamp((startNs === null ? this.#rounded(this.#host.wallMs()) : startNs + this.#workedNs()) + this.#sleptNs);
  }

  /** `null` for a clock that does not exist. */
  read(id: number): bigint | null {
    switch (id) {
      case CLOCK.REALTIME:
        return this.realtimeNs();
      case CLOCK.MONOTONIC:
        return clamp(this.#workedNs() + this.#sleptNs);
      case CLOCK.PROCESS_CPUTIME:
      case CLOCK.THREAD_CPUTIME:
        return clamp(this.#workedNs());
      default:
        return null;
    }
  }

  sleep(ns: bigint): void {
    this.#sleptNs = clamp(this.#sleptNs + ns);
  }
}
