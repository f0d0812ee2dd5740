/**
 * Decides and appends in one: where another process appended between the decision and the write, the
 * gate is opened and everything decided again, so that packets can be worked on in parallel.
 */
import { hasCode } from '@holdfast/core';
import type { GateRecord, NewRecord } from '@holdfast/gate';
import { type Identity, identify, openGate, type OpenedGate, type SigningOptions } from './opened-gate.ts';

/** Each of them means that somebody else got something done. */
const MAX_ATTEMPTS = 20;

/** What stands first in every record. */
export interface RecordHeader {
  readonly gate: string;
  readonly revision: number;
  readonly author: string;
  readonly at: string;
}

export interface Appended<T> {
  readonly decided: T;
  readonly records: readonly GateRecord[];
  /** As it was when it was decided. */
  readonly opened: OpenedGate;
  readonly identity: Identity;
}

/**
 * @param decide refuses by throwing; may be called more than once
 * @throws `ERR_GATE_KEY`, `ERR_GATE_RULE`, `ERR_GATE_LOG_WRITE`
 */
export async function appendDecided<T extends { readonly batch: readonly NewRecord[] }>(
  options: SigningOptions,
  signal: AbortSignal,
  decide: (opened: OpenedGate, identity: Identity, header: RecordHeader) => T | Promise<T>,
): Promise<Appended<T>> {
  for (let attempt = 1; ; attempt += 1) {
    const opened = await openGate(options, signal);
    const identity = identify(opened, options);
    const decided = await decide(opened, identity, headerOf(opened, identity));
    try {
      const records = await opened.log.append(decided.batch, identity.signer);
      return { decided, records, opened, identity };
    } catch (error) {
      if (!hasCode(error, 'ERR_GATE_LOG_MOVED') || attempt === MAX_ATTEMPTS) throw error;
      signal.throwIfAborted();
    }
  }
}

export function headerOf({ gate, board }: OpenedGate, { person }: Identity): RecordHeader {
  return {
    gate: gate.id,
    revision: board.freeze?.revision ?? 0,
    author: person.id,
    at: new Date().toISOString(),
  };
}
