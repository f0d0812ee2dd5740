/**
 * A lab of real hosts: builds them from namespaces, an overlay of the machine's root file system
 * and systemd-nspawn, and takes them away again. The contract is `Lab`; what there is on the
 * machine is found by `remains.ts`, never remembered.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode, HoldfastError } from '@holdfast/core';
import type { CommandResult, FileContent } from '@holdfast/host';
import { DEMO, DEMO_INVENTORY, demoFiles, type HostFile } from './demo-content.ts';
import { type DriftStep, planBreak, planMend } from './drift.ts';
import { buildImage, readMachineAccounts } from './host-image.ts';
import { cgroupDirectories, LabHost } from './lab-host.ts';
import { type LabRecord, readRecord, removeRecord, writeRecord, writeTimeOffsets } from './lab-record.ts';
import type { BreakableCheck, Drift, ExecOptions, Lab, LabHostStatus, LabInventory, LabStatus } from './lab.ts';
import { gatewayAddress, hostAddress, labNames, planHost, planRouter, timeSourceAddresses } from './network.ts';
import { CGROUP_UNIT, prepareCheckout, readUnits, runIp, startTimeSources } from './lab-site.ts';
import { requireLinuxLab } from './probe-lab.ts';
import { killProcesses, removeRemains } from './remains.ts';

/** Boots at once: a boot is mostly CPU, and two at a time keep two cores busy. */
const MAX_BOOTS = 4;
/** What makes a host ready for whoever looks at it next. */
const BOOT_UNITS = ['nftables.service', ...DEMO.services];

export interface LinuxLabOptions {
  readonly directory: string;
  readonly record: LabRecord;
}

export class LinuxLab implements Lab {
  readonly id: string;
  readonly kind = 'linux';
  readonly directory: string;
  readonly hosts: readonly string[];
  readonly gatewayAddress: string;
  readonly inventory: LabInventory;
  #record: LabRecord;

  constructor(options: LinuxLabOptions) {
    this.#record = options.record;
    this.directory = options.directory;
    this.id = options.record.id;
    this.hosts = Array.from({ length: options.record.hosts }, (_, index) => `web-${index + 1}`);
    this.gatewayAddress = gatewayAddress(options.record.net);
    this.inventory = { ...DEMO_INVENTORY, timeSources: timeSourceAddresses(options.record.net) };
  }

  addressOf(host: string): string {
    return hostAddress(this.#record.net, this.#indexOf(host));
  }

  hostDirectory(host: string): string {
    return join(this.directory, 'hosts', this.hosts[this.#indexOf(host) - 1] ?? host);
  }

  async up(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    requireLinuxLab();
    await this.down();
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.#save({ ...this.#record, complete: false, drifts: [] });
    try {
      await this.#build(signal);
      this.#save({ ...this.#record, complete: true });
    } catch (cause) {
      await this.down();
      throw cause;
    }
  }

  async down(): Promise<void> {
    const earlier = this.#earlierId();
    if (earlier !== undefined) await removeRemains(earlier, this.directory);
    await removeRemains(this.id, this.directory);
    // Nothing is mounted there any more: these are empty mount points.
    rmSync(join(this.directory, 'hosts'), { recursive: true, force: true });
    rmSync(this.#checkoutDirectory(), { recursive: true, force: true });
    removeRecord(this.directory);
  }

  async status(signal: AbortSignal): Promise<LabStatus> {
    const record = readRecord(this.directory) ?? this.#record;
    const hosts = await Promise.all(
      this.hosts.map(async (name): Promise<LabHostStatus> => {
        const host = this.#host(name);
        return {
          name,
          address: this.addressOf(name),
          state: await host.state(signal),
          memoryBytes: host.memoryBytes(),
          drifts: record.drifts.filter((drift) => drift.host === name),
        };
      }),
    );
    const { id, kind, directory, gatewayAddress } = this;
    return { id, kind, directory, gatewayAddress, hosts };
  }

  async exec(
    host: string,
    argv: readonly [string, ...string[]],
    signal: AbortSignal,
    options: ExecOptions = {},
  ): Promise<CommandResult> {
    return this.#host(host).exec(argv, signal, options);
  }

  async writeFile(host: string, path: string, content: FileContent, signal: AbortSignal): Promise<void> {
    if (!path.startsWith('/') || path.includes('\0') || path.endsWith('/')) throw this.#inputError('path');
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    await this.#execOrThrow(host, ['/usr/bin/mkdir', '-p', '--', dirname(path)], signal);
    await this.#execOrThrow(
      host,
      ['/usr/bin/install', '-m', '0600', '--', '/dev/stdin', temporary],
      signal,
      content.bytes,
    );
    await this.#execOrThrow(host, ['/usr/bin/chown', `${content.uid}:${content.gid}`, '--', temporary], signal);
    await this.#execOrThrow(host, ['/usr/bin/chmod', content.mode, '--', temporary], signal);
    await this.#execOrThrow(host, ['/usr/bin/mv', '-fT', '--', temporary, path], signal);
  }

  async readFile(host: string, path: string, signal: AbortSignal): Promise<Uint8Array> {
    return this.#execOrThrow(host, ['/usr/bin/cat', '--', path], signal);
  }

  async startUnit(host: string, unit: string, signal: AbortSignal): Promise<void> {
    await this.#execOrThrow(host, ['/usr/bin/systemctl', 'start', '--', unit], signal);
  }

  async stopUnit(host: string, unit: string, signal: AbortSignal): Promise<void> {
    await this.#execOrThrow(host, ['/usr/bin/systemctl', 'stop', '--', unit], signal);
  }

  async killUnit(host: string, unit: string, signal: AbortSignal): Promise<void> {
    await this.#execOrThrow(host, ['/usr/bin/systemctl', 'kill', '--signal=SIGKILL', '--', unit], signal);
  }

  async reboot(host: string, signal: AbortSignal): Promise<void> {
    const lab = this.#host(host);
    if (lab.leader() === undefined)
      throw new HoldfastError('the lab host is not running', { code: 'ERR_LAB_HOST_DOWN', fields: { host } });
    await killProcesses(() => cgroupDirectories(this.#cgroupOf(host)));
    lab.start();
    await lab.waitUntilUp(BOOT_UNITS, signal);
  }

  async break(host: string, check: BreakableCheck, seed: number, signal: AbortSignal): Promise<Drift> {
    const facts = this.#facts(host);
    const { variant, description, steps } = planBreak(check, seed, { name: host, files: facts, nowMs: Date.now() });
    await this.#carryOut(host, steps, signal);
    const drift: Drift = { host, check, seed, variant, description };
    const record = readRecord(this.directory) ?? this.#record;
    this.#save({ ...record, drifts: [...record.drifts, drift] });
    return drift;
  }

  async mend(host: string, check: BreakableCheck, signal: AbortSignal): Promise<void> {
    const facts = this.#facts(host);
    await this.#carryOut(host, planMend(check, { name: host, files: facts, nowMs: Date.now() }), signal);
    const record = readRecord(this.directory) ?? this.#record;
    this.#save({ ...record, drifts: record.drifts.filter((drift) => drift.host !== host || drift.check !== check) });
  }

  /** Id of another lab that this directory was used for. A record that cannot be read names none. */
  #earlierId(): string | undefined {
    try {
      const id = readRecord(this.directory)?.id;
      return id === this.id ? undefined : id;
    } catch (cause) {
      if (hasCode(cause, 'ERR_LAB_RECORD_INVALID')) return undefined;
      throw cause;
    }
  }

  async #build(signal: AbortSignal): Promise<void> {
    const names = labNames(this.id);
    const { net, repositoryRoot, diskBytes } = this.#record;
    await runIp(planRouter(names, net), signal);
    const checkout = await prepareCheckout(repositoryRoot, this.#checkoutDirectory(), signal);
    await startTimeSources({ names, net, directory: this.directory }, signal);
    const machine = readMachineAccounts();
    const units = readUnits(repositoryRoot);
    const waiting = [...this.hosts.entries()];
    const boot = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [position, name] = next;
        await runIp(planHost(names, net, position + 1), signal);
        const files = demoFiles({
          hostName: name,
          machineId: randomBytes(16).toString('hex'),
          nowMs: Date.now(),
          machine,
        });
        const directory = this.hostDirectory(name);
        await buildImage(
          {
            directory,
            sizeBytes: diskBytes,
            files,
            units,
            enabled: [
              { unit: 'nftables.service', target: 'sysinit.target' },
              { unit: CGROUP_UNIT.name, target: 'sysinit.target' },
              ...DEMO.services.map((unit) => ({ unit, target: 'multi-user.target' })),
            ],
          },
          signal,
        );
        writeFileSync(this.#factsPath(name), JSON.stringify(files), { mode: 0o600 });
        const host = this.#host(name, checkout);
        host.start();
        await host.waitUntilUp(BOOT_UNITS, signal);
      }
    };
    // All are waited for, also when one fails: what is taken down must not still be growing.
    const results = await Promise.allSettled(Array.from({ length: Math.min(MAX_BOOTS, this.hosts.length) }, boot));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #carryOut(host: string, steps: readonly DriftStep[], signal: AbortSignal): Promise<void> {
    for (const step of steps) {
      switch (step.kind) {
        case 'exec': {
          if (step.mayFail === true) await this.exec(host, step.argv, signal);
          else await this.#execOrThrow(host, step.argv, signal);
          break;
        }
        case 'write': {
          const { path, content, mode, uid, gid } = step.file;
          const octal = mode.toString(8).padStart(4, '0');
          await this.writeFile(host, path, { bytes: Buffer.from(content), mode: octal, uid, gid }, signal);
          break;
        }
        case 'time': {
          const offsets = Object.fromEntries(
            this.inventory.timeSources.map((source, index) => [source, step.offsetsMs[index] ?? 0]),
          );
          writeTimeOffsets(this.directory, this.addressOf(host), offsets);
          break;
        }
      }
    }
  }

  async #execOrThrow(
    host: string,
    argv: readonly [string, ...string[]],
    signal: AbortSignal,
    stdin?: Uint8Array,
  ): Promise<Uint8Array> {
    const result = await this.exec(host, argv, signal, stdin === undefined ? {} : { stdin });
    if (result.exitCode === 0) return result.stdout;
    throw new HoldfastError('a command in a lab host failed', {
      code: 'ERR_LAB_COMMAND_FAILED',
      fields: { host, program: argv[0], exitCode: result.exitCode },
      cause: new Error(Buffer.from(result.stderr).toString('utf8').trim()),
    });
  }

  #host(name: string, checkout = this.#record.repositoryRoot): LabHost {
    const index = this.#indexOf(name);
    return new LabHost({
      name,
      machine: labNames(this.id).hostNamespace(index),
      cgroup: this.#cgroupOf(name),
      directory: this.hostDirectory(name),
      consolePath: join(this.directory, `${name}.console.log`),
      checkout,
    });
  }

  #cgroupOf(host: string): string {
    return `${labNames(this.id).prefix}/h${this.#indexOf(host)}`;
  }

  #checkoutDirectory(): string {
    return join(this.directory, 'checkout');
  }

  #factsPath(host: string): string {
    return join(this.hostDirectory(host), 'built-with.json');
  }

  #facts(host: string): HostFile[] {
    try {
      return JSON.parse(readFileSync(this.#factsPath(host), 'utf8')) as HostFile[]; // written by `#build` only
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      throw new HoldfastError('the lab host is not running', { code: 'ERR_LAB_HOST_DOWN', fields: { host }, cause });
    }
  }

  #indexOf(host: string): number {
    const index = this.hosts.indexOf(host);
    if (index === -1) throw this.#inputError('host');
    return index + 1;
  }

  #inputError(problem: string): HoldfastError {
    return new HoldfastError(`the lab has no such ${problem}`, { code: 'ERR_LAB_INPUT', fields: { problem } });
  }

  #save(record: LabRecord): void {
    this.#record = record;
    writeRecord(this.directory, record);
  }
}
