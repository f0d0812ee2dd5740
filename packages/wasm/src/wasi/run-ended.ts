/**
 * The ways in which a host call ends the run instead of returning. They unwind the guest: it has no
 * exception handling, so nothing in it can stop them.
 */
export class ProcessExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super('the guest ended itself');
    this.status = status;
  }
}

/** The fuel did not suffice for the host's work. */
export class FuelExhausted extends Error {}

/** An output is full, and the run is configured to end then. */
export class OutputExceeded extends Error {}
