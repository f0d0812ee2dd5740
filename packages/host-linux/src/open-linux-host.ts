/** Puts the adapters together: all of a Linux host for the guard, eyes only for the agent. */
import { hostname, release } from 'node:os';
import { realpathSync } from 'node:fs';

import { type Clock, hasCode, HoldfastError } from '@holdfast/core';
import type {
  AccountReader,
  CommandRunner,
  FileReader,
  Host,
  HostReader,
  PacketFilterReader,
  Platform,
} from '@holdfast/host';

import { inNetworkNamespace, SpawnCommandRunner } from './command-runner.ts';
import { DescriptorFiles } from './descriptor-files.ts';
import { NftablesPacketFilter } from './nftables-packet-filter.ts';
import { parseOsRelease } from './os-release.ts';
import { ProcSockets, readOwnTable, readTableThrough } from './proc-sockets.ts';
import { ShadowAccounts } from './shadow-accounts.ts';
import { SntpTimeSources } from './sntp-time-sources.ts';
import { SyslogJournal } from './syslog-journal.ts';
import { systemClock } from './system-clock.ts';
import { SystemdServices } from './systemd-services.ts';
import { X509Certificates } from './x509-certificates.ts';

export interface LinuxHostOptions {
  /** What `/` means for files and accounts. Services, journal and kernel are those of the running system. */
  readonly root?: string;
  /** A named network namespace (ip-netns(8)) for the packet filter and the sockets. */
  readonly networkNamespace?: string;
  readonly clock?: Clock;
  /** For tests that watch what is started. */
  readonly commands?: CommandRunner;
}

/** What an unprivileged process cannot read by itself, given by whoever can: the guard. */
export interface PrivilegedReaders {
  readonly packetFilter: PacketFilterReader;
  readonly accounts: AccountReader;
  readonly files: FileReader;
}

/** @throws `ERR_HOST_FILE_MISSING` when the root is not there */
export async function openLinuxHost(options: LinuxHostOptions = {}): Promise<Host> {
  const clock = options.clock ?? systemClock();
  const root = resolveRoot(options.root ?? '/');
  const files = new DescriptorFiles(root);
  const commands = options.commands ?? new SpawnCommandRunner();
  const { networkNamespace } = options;
  const network = networkNamespace === undefined ? commands : inNetworkNamespace(commands, networkNamespace);
  return {
    platform: await readPlatform(files),
    clock,
    services: new SystemdServices(commands),
    packetFilter: new NftablesPacketFilter(network),
    files,
    accounts: new ShadowAccounts(clock, root),
    sockets: new ProcSockets(networkNamespace === undefined ? readOwnTable : readTableThrough(network)),
    journal: new SyslogJournal(commands, clock),
    timeSources: new SntpTimeSources(clock),
    certificates: new X509Certificates(files),
  };
}

function resolveRoot(root: string): string {
  try {
    return realpathSync(root);
  } catch (cause) {
    throw new HoldfastError('the root is not there', { code: 'ERR_HOST_FILE_MISSING', cause });
  }
}

/** A host seen without privileges: it reads what the kernel allows and gets the rest from `privileged`. */
export async function openLinuxReader(
  privileged: PrivilegedReaders,
  options: LinuxHostOptions = {},
): Promise<HostReader> {
  const host = await openLinuxHost(options);
  const files = withFallback(host.files, privileged.files);
  const { packetFilter, accounts } = privileged;
  return { ...host, packetFilter, accounts, files, certificates: new X509Certificates(files) };
}

async function orElse<T>(action: Promise<T>, otherwise: () => Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (cause) {
    if (hasCode(cause, 'ERR_HOST_FILE_UNREADABLE')) return otherwise();
    throw cause;
  }
}

/** Reads through `first`, and through `second` what `first` may not read. */
function withFallback(first: FileReader, second: FileReader): FileReader {
  return {
    stat: (path, signal) => orElse(first.stat(path, signal), () => second.stat(path, signal)),
    read: (path, maxBytes, signal) =>
      orElse(first.read(path, maxBytes, signal), () => second.read(path, maxBytes, signal)),
  };
}

/** os-release(5): `/etc/os-release` is usually a symlink to the other. */
async function readPlatform(files: DescriptorFiles): Promise<Platform> {
  const signal = AbortSignal.timeout(5_000);
  const text = await files.readFollowing('/etc/os-release', 64 * 1024, signal).catch(() => new Uint8Array()); // unknown is an answer (C-02)
  return {
    ...parseOsRelease(Buffer.from(text).toString('utf8')),
    hostName: hostname(),
    kernel: release(),
    simulated: false,
  };
}
