/**
 * A lab of simulated hosts, for machines where namespaces are not permitted: each host is a
 * directory with a `state.json` of `@holdfast/host-sim`, broken and mended by that package. There
 * is nothing to run commands in; what needs that is refused.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import type { CommandResult, FileContent } from '@holdfast/host';
import {
  breakSimulatedHost,
  CERTIFICATE_FILE,
  CERTIFICATE_PORT,
  LOGGING_UNIT,
  mendSimulatedHost,
  openSimulatedHost,
} from '@holdfast/host-sim';
import { readRecord, removeRecord, type LabRecord, writeRecord } from './lab-record.ts';
import type { BreakableCheck, Drift, Lab, LabInventory, LabStatus } from './lab.ts';

/** Directory below a simulated host's root that holds what it simulates. */
export const SIMULATED_STATE = 'simulated';

/** Where a simulated host's guard and agent are: on this machine. */
const LOOPBACK = '127.0.0.1';

const INVENTORY: LabInventory = {
  units: ['cron.service', 'ssh.service', 'unattended-upgrades.service'],
  loggingUnits: [LOGGING_UNIT],
  files: ['/etc/ssh/sshd_config', '/etc/sudoers', '/etc/sysctl.d/50-hardening.conf'],
  certificateFiles: [CERTIFICATE_FILE],
  certificatePorts: [{ address: LOOPBACK, port: CERTIFICATE_PORT }],
  // RFC 5737: addresses that belong to nobody. A simulated host answers for them.
  timeSources: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
};

export class SimulatedLab implements Lab {
  readonly id: string;
  readonly kind = 'simulated';
  readonly directory: string;
  readonly hosts: readonly string[];
  readonly gatewayAddress = LOOPBACK;
  readonly inventory = INVENTORY;
  #record: LabRecord;

  constructor(options: { readonly directory: string; readonly record: LabRecord }) {
    this.#record = options.record;
    this.directory = options.directory;
    this.id = options.record.id;
    this.hosts = Array.from({ length: options.record.hosts }, (_, index) => `web-${index + 1}`);
  }

  addressOf(host: string): string {
    this.#require(host);
    return LOOPBACK;
  }

  hostDirectory(host: string): string {
    this.#require(host);
    return join(this.directory, 'hosts', host);
  }

  async up(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.down();
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.#save({ ...this.#record, complete: false, drifts: [] });
    for (const [index, host] of this.hosts.entries()) {
      const directory = this.#stateDirectory(host);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      await openSimulatedHost(directory, { seed: index + 1, hostName: host });
    }
    this.#save({ ...this.#record, complete: true });
  }

  async down(): Promise<void> {
    rmSync(join(this.directory, 'hosts'), { recursive: true, force: true });
    removeRecord(this.directory);
  }

  async status(signal: AbortSignal): Promise<LabStatus> {
    signal.throwIfAborted();
    const { id, kind, directory, gatewayAddress } = this;
    const { drifts } = readRecord(directory) ?? this.#record;
    const hosts = this.hosts.map((name) => ({
      name,
      address: this.addressOf(name),
      state: this.#isUp(name) ? ('running' as const) : ('down' as const),
      memoryBytes: null,
      drifts: drifts.filter((drift) => drift.host === name),
    }));
    return { id, kind, directory, gatewayAddress, hosts };
  }

  async exec(host: string): Promise<CommandResult> {
    throw this.#refusal(host);
  }

  async writeFile(host: string, path: string, content: FileContent, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const target = this.#inHost(host, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    const temporary = `${target}.${process.pid}.tmp`;
    writeFileSync(temporary, content.bytes, { mode: Number.parseInt(content.mode, 8) });
    renameSync(temporary, target);
  }

  async readFile(host: string, path: string, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    return readFileSync(this.#inHost(host, path));
  }

  async startUnit(host: string): Promise<void> {
    throw this.#refusal(host);
  }

  async stopUnit(host: string): Promise<void> {
    throw this.#refusal(host);
  }

  async killUnit(host: string): Promise<void> {
    throw this.#refusal(host);
  }

  async reboot(host: string): Promise<void> {
    throw this.#refusal(host);
  }

  async break(host: string, check: BreakableCheck, seed: number, signal: AbortSignal): Promise<Drift> {
    signal.throwIfAborted();
    this.#requireUp(host);
    const description = await breakSimulatedHost(this.#stateDirectory(host), check, seed);
    const drift: Drift = { host, check, seed, variant: 'simulated', description };
    const record = readRecord(this.directory) ?? this.#record;
    this.#save({ ...record, drifts: [...record.drifts, drift] });
    return drift;
  }

  async mend(host: string, check: BreakableCheck, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#requireUp(host);
    await mendSimulatedHost(this.#stateDirectory(host), check);
    const record = readRecord(this.directory) ?? this.#record;
    this.#save({ ...record, drifts: record.drifts.filter((drift) => drift.host !== host || drift.check !== check) });
  }

  /** Beside everything else of the host, where the command line looks for a simulated host. */
  #stateDirectory(host: string): string {
    return join(this.hostDirectory(host), SIMULATED_STATE);
  }

  #isUp(host: string): boolean {
    return existsSync(join(this.#stateDirectory(host), 'state.json'));
  }

  #require(host: string): void {
    if (this.hosts.includes(host)) return;
    throw new HoldfastError('the lab has no such host', { code: 'ERR_LAB_INPUT', fields: { problem: 'host' } });
  }

  #requireUp(host: string): void {
    this.#require(host);
    if (this.#isUp(host)) return;
    throw new HoldfastError('the lab host is not up', { code: 'ERR_LAB_HOST_DOWN', fields: { host } });
  }

  /** The path below the host's own directory. Dots that lead elsewhere are refused. */
  #inHost(host: string, path: string): string {
    this.#requireUp(host);
    if (!path.startsWith('/') || path.endsWith('/') || path.includes('\0') || path.split('/').includes('..')) {
      throw new HoldfastError('the lab has no such path', { code: 'ERR_LAB_INPUT', fields: { problem: 'path' } });
    }
    return join(this.hostDirectory(host), path);
  }

  #refusal(host: string): HoldfastError {
    this.#require(host);
    return new HoldfastError('a simulated host cannot do this', { code: 'ERR_LAB_SIMULATED', fields: { host } });
  }

  #save(record: LabRecord): void {
    this.#record = record;
    writeRecord(this.directory, record);
  }
}
