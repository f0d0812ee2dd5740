/**
 * The host as operations see it through the engine: every call that changes something goes through
 * one function, which records it as evidence (P-27), stops between steps when the change is called
 * off (P-14), or refuses it where an operation may only look (P-17).
 */
import type { Clock } from '@holdfast/core';
import type { Action } from '@holdfast/evidence';
import type { Host } from '@holdfast/host';

/** Runs or refuses one changing call. `action` is safe to show: it names the target, never content. */
type ChangingCall = <T>(action: string, call: () => Promise<T>) => Promise<T>;

/** The evidence schema takes 200 actions; the last one says that there were more. */
export const MAX_RECORDED_STEPS = 200;
const MAX_ACTION_CHARS = 300;

/** A host that cannot be changed. An operation that tries is wrong: `TypeError`. */
export function readOnlyHost(host: Host): Host {
  return throughChanges(host, async (action) => {
    throw new TypeError(`an operation tried to ${action} while it may only look`);
  });
}

export interface StepRecorder {
  /** The host to give to `apply` or `revert`. */
  readonly host: Host;
  /** What was done through it so far, in order. */
  readonly steps: readonly Action[];
}

/**
 * A host that records what is done to it.
 *
 * @param firstStep number of the first recorded step
 * @param phase stands before each action: empty, or `revert: `
 */
export function recordingHost(
  host: Host,
  { clock, signal, firstStep, phase }: { clock: Clock; signal: AbortSignal; firstStep: number; phase: string },
): StepRecorder {
  const steps: Action[] = [];
  const record = (action: string, startedAt: string, startedMs: number, result: Action['result']): void => {
    const step = firstStep + steps.length;
    if (step >= MAX_RECORDED_STEPS) return;
    const last = step === MAX_RECORDED_STEPS - 1;
    steps.push({
      step,
      action: last ? 'this step and all after it are not listed' : `${phase}${action}`.slice(0, MAX_ACTION_CHARS),
      argvDigest: null,
      exitCode: null,
      startedAt,
      durationMs: Math.max(0, clock.monotonicMs() - startedMs),
      result: last ? 'skipped' : result,
      stdoutDigest: null,
      stderrDigest: null,
      excerpt: null,
    });
  };
  const watched = throughChanges(host, async (action, call) => {
    signal.throwIfAborted(); // P-14: stops between steps
    const startedAt = new Date(clock.wallMs()).toISOString();
    const startedMs = clock.monotonicMs();
    let result: Action['result'] = 'failed';
    try {
      const value = await call();
      result = 'ok';
      return value;
    } finally {
      record(action, startedAt, startedMs, result);
    }
  });
  return { host: watched, steps };
}

/** Spelled out, port by port: a new changing method does not compile until it is here. */
function throughChanges(host: Host, change: ChangingCall): Host {
  const { services, packetFilter, files, accounts } = host;
  return {
    platform: host.platform,
    clock: host.clock,
    sockets: host.sockets,
    journal: host.journal,
    timeSources: host.timeSources,
    certificates: host.certificates,
    services: {
      show: (units, signal) => services.show(units, signal),
      listFailed: (signal) => services.listFailed(signal),
      restart: (unit, signal) => change(`restart ${unit}`, () => services.restart(unit, signal)),
      stop: (unit, signal) => change(`stop ${unit}`, () => services.stop(unit, signal)),
    },
    packetFilter: {
      read: (signal) => packetFilter.read(signal),
      replace: (ruleset, signal) => change('replace the ruleset', () => packetFilter.replace(ruleset, signal)),
    },
    files: {
      stat: (path, signal) => files.stat(path, signal),
      read: (path, maxBytes, signal) => files.read(path, maxBytes, signal),
      write: (path, content, signal) => change(`write ${path}`, () => files.write(path, content, signal)),
      remove: (path, signal) => change(`remove ${path}`, () => files.remove(path, signal)),
    },
    accounts: {
      list: (signal) => accounts.list(signal),
      capture: (name, signal) => accounts.capture(name, signal),
      lock: (name, signal) => change(`lock account ${name}`, () => accounts.lock(name, signal)),
      restore: (name, captured, signal) =>
        change(`restore account ${name}`, () => accounts.restore(name, captured, signal)),
    },
  };
}
