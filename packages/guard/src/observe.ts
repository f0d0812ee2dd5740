/** Reads that need the rights of root, narrowed to what the pinned baseline names (G-02). */
import type { ObservationName } from '@holdfast/api';
import type { Json } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import type { GuardBaseline } from './baseline-holder.ts';
import { refusalOf } from './refuse.ts';

/** More files than that in one answer would not fit a response. */
const MAX_FILES = 10_000;
const SIDE_BY_SIDE = 16;

/** @throws `ERR_GUARD_BASELINE_MISSING`, and what the host's readers throw */
export async function observe(
  name: ObservationName,
  host: Host,
  baseline: GuardBaseline,
  signal: AbortSignal,
): Promise<Json> {
  if ('unknown' in baseline.hash) throw refusalOf('ERR_GUARD_BASELINE_MISSING');
  switch (name) {
    case 'packet-filter':
      return host.packetFilter.read(signal);
    case 'accounts':
      return toJson(await host.accounts.list(signal));
    case 'files': {
      const paths = baseline.observedFiles.slice(0, MAX_FILES);
      const states: Json[] = [];
      for (let from = 0; from < paths.length; from += SIDE_BY_SIDE) {
        const some = paths.slice(from, from + SIDE_BY_SIDE);
        states.push(...(await Promise.all(some.map(async (path) => toJson(await host.files.stat(path, signal))))));
      }
      return states;
    }
    default:
      throw refusalOf('ERR_GUARD_MALFORMED');
  }
}

/** Interfaces of plain values are JSON; TypeScript gives them no index signature. */
const toJson = (value: object): Json => structuredClone(value) as Json;
