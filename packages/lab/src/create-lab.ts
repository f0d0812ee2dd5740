/**
 * The two ways to a `Lab`: a new one from options, or the one that a directory holds.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { type LabRecord, readRecord } from './lab-record.ts';
import type { Lab, LabKind } from './lab.ts';
import { LinuxLab } from './linux-lab.ts';
import { SimulatedLab } from './simulated-lab.ts';
import { chooseNetwork, LAB_ID_PATTERN, MAX_HOSTS, parseRoutes } from './network.ts';

const BAD_DIRECTORY = 'the path of its directory may hold letters, digits and ._/@+- only, no spaces';

/** What a host may write before its disk is full. Memory is taken only as it is used. */
const DEFAULT_DISK_BYTES = 512 * 1024 * 1024;

/** Characters that mean nothing to mount(8), overlayfs or nspawn. */
const DIRECTORY_PATTERN = /^\/[A-Za-z0-9._/@+-]+$/;

export interface LabOptions {
  /** One to eight of a-z and 0-9; names everything on the machine. Drawn at random when absent. */
  readonly id?: string;
  /** Absolute; made by `up`. Belongs to this lab alone. */
  readonly directory: string;
  readonly hosts: number;
  /** The checkout that stands read-only at `/opt/holdfast` in every host. */
  readonly repositoryRoot: string;
  /** Default `linux`. */
  readonly kind?: LabKind;
  /** Cap of a host's tmpfs. Default 512 MiB. */
  readonly diskBytes?: number;
}

function inputError(problem: string, why = problem): HoldfastError {
  return new HoldfastError(`the lab cannot be made: ${why}`, { code: 'ERR_LAB_INPUT', fields: { problem } });
}

/** The path without symlinks, as the kernel lists mounts under it; what does not exist yet stays as it is. */
function withoutLinks(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  return join(withoutLinks(dirname(path)), basename(path));
}

function readRoutes(): string {
  try {
    return readFileSync('/proc/net/route', 'utf8');
  } catch {
    return ''; // not Linux: then there is no lab network either
  }
}

/** A lab that is not up yet. Nothing is built or written before `up`. */
export function createLab(options: LabOptions): Lab {
  const id = options.id ?? randomBytes(3).toString('hex');
  if (!LAB_ID_PATTERN.test(id)) throw inputError('id');
  if (!Number.isInteger(options.hosts) || options.hosts < 1 || options.hosts > MAX_HOSTS) throw inputError('hosts');
  if (!DIRECTORY_PATTERN.test(options.directory) || resolve(options.directory) !== options.directory) {
    throw inputError('directory', BAD_DIRECTORY);
  }
  const net = chooseNetwork(id, parseRoutes(readRoutes()));
  if (net === undefined) throw inputError('network');
  const repositoryRoot = realpathSync(options.repositoryRoot);
  const record: LabRecord = {
    format: 1,
    id,
    kind: options.kind ?? 'linux',
    hosts: options.hosts,
    net,
    repositoryRoot,
    diskBytes: options.diskBytes ?? DEFAULT_DISK_BYTES,
    complete: false,
    drifts: [],
  };
  return open(options.directory, record);
}

/**
 * The lab of a directory, also when the process that built it is gone.
 *
 * @throws `ERR_LAB_NOT_FOUND`, `ERR_LAB_RECORD_INVALID`
 */
export function openLab(directory: string): Lab {
  const record = readRecord(directory);
  if (record === undefined) throw new HoldfastError('no lab in this directory', { code: 'ERR_LAB_NOT_FOUND' });
  return open(directory, record);
}

function open(path: string, record: LabRecord): Lab {
  const directory = withoutLinks(path);
  if (!DIRECTORY_PATTERN.test(directory)) throw inputError('directory', BAD_DIRECTORY);
  return record.kind === 'linux' ? new LinuxLab({ directory, record }) : new SimulatedLab({ directory, record });
}
