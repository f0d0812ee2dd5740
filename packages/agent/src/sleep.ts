/** Waiting, as the agent does it outside of tests. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sleep } from './ports.ts';

export const sleep: Sleep = async (ms, signal) => {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    // Node wraps the reason in an AbortError of its own.
    signal.throwIfAborted();
    throw error;
  }
};
