/** A whole host that exists in one file. Everything it proves says `simulated` (ground rule 9). */
import type { Clock } from '@holdfast/core';
import type { Host } from '@holdfast/host';

import { SimulatedAccounts } from './simulated-accounts.ts';
import { SimulatedFiles } from './simulated-files.ts';
import { SimulatedPacketFilter } from './simulated-packet-filter.ts';
import {
  SimulatedCertificates,
  SimulatedJournal,
  SimulatedSockets,
  SimulatedTimeSources,
} from './simulated-readers.ts';
import { SimulatedServices } from './simulated-services.ts';
import { newState } from './state.ts';
import { StateFile } from './state-file.ts';

export interface SimulatedHostOptions {
  /** Decides what a new host looks like; one that exists keeps its own. */
  readonly seed?: number;
  readonly hostName?: string;
  readonly clock?: Clock;
}

/** The machine's own clocks: a simulated host lives in real time. */
function realClock(): Clock {
  return { wallMs: () => Date.now(), monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n) };
}

/**
 * Opens the host in `<directory>/state.json`, a new one in good order if there is none. Several
 * processes may have it open.
 *
 * @throws `ERR_HOST_SIMULATION_INVALID`
 */
export async function openSimulatedHost(directory: string, options: SimulatedHostOptions = {}): Promise<Host> {
  const clock = options.clock ?? realClock();
  const file = new StateFile(directory);
  const { platform } = file.create(() => newState(options.seed ?? 1, clock.wallMs(), options.hostName));
  const files = new SimulatedFiles(file);
  return {
    platform: { ...platform, simulated: true },
    clock,
    services: new SimulatedServices(file),
    packetFilter: new SimulatedPacketFilter(file),
    files,
    accounts: new SimulatedAccounts(file, clock),
    sockets: new SimulatedSockets(file),
    journal: new SimulatedJournal(file, clock),
    timeSources: new SimulatedTimeSources(file),
    certificates: new SimulatedCertificates(file, files),
  };
}
