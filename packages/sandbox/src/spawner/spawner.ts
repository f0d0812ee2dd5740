/**
 * What the spawner process does for its connections: which layers there are, profiles compiled once,
 * a pool of slots for each, and jobs started in them. Knows no sockets; see `serve-connection.ts`.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { SANDBOX_LAYERS, type SandboxLayer, type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import { ControlGroups, readHierarchies } from '../cgroup/control-groups.ts';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import { compileProfile } from '../compile-profile.ts';
import { launcherImage } from '../launcher/launcher-image.ts';
import { LANDLOCK_LAYER_ABI } from '../landlock/compile-landlock.ts';
import { readHostView } from '../namespaces/host-view.ts';
import { pathsToView, planSlot } from '../namespaces/plan-slot.ts';
import type { CompiledProfile } from '../plan.ts';
import type { LayerState } from '../sandbox.ts';
import { BUBBLEWRAP, probeLayers, readLandlockAbi } from './probe-layers.ts';
import { Slot, type SlotOwner } from './slot.ts';
import { SlotPool } from './slot-pool.ts';

/** Profiles that are kept compiled, with their pools; the one unused for longest goes first. */
const MAX_PROFILES = 64;
export const MAX_RUNS = 256;

export interface SpawnerOptions {
  /** Holds the launcher and files that slots bind; made when it is not there. Its parents MUST let the sandbox's user pass. */
  readonly directory: string;
  /** Users by name that are not in /etc/passwd. */
  readonly users?: Readonly<Record<string, SlotOwner>>;
  /** Treated as missing: how a host without them behaves. */
  readonly masked?: readonly SandboxLayer[];
  /** Where control groups are made, where that is not below the own ones. */
  readonly hierarchies?: readonly Hierarchy[];
}

/** A profile, ready. */
export interface PreparedProfile {
  readonly compiled: CompiledProfile;
  readonly pool: SlotPool;
  /** True where no group limits memory. */
  readonly limitsEachProcess: boolean;
}

export class Spawner implements AsyncDisposable {
  readonly #options: SpawnerOptions;
  readonly #launcher: string;
  readonly #landlockAbi: number;
  readonly #groups: ControlGroups | { readonly none: string };
  readonly #layers: readonly LayerState[];
  readonly #profiles = new Map<string, PreparedProfile>();

  private constructor(options: SpawnerOptions, groups: ControlGroups | { readonly none: string }) {
    const { directory, masked = [] } = options;
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    this.#options = options;
    this.#groups = groups;
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    this.#launcher = writeByContent(directory, launcherImage(architecture), 0o755);
    const maskedAbis = Object.entries(LANDLOCK_LAYER_ABI).filter(([layer]) => masked.some((name) => name === layer));
    this.#landlockAbi = Math.min(readLandlockAbi(), ...maskedAbis.map(([, abi]) => abi - 1));
    this.#layers = probeLayers({ landlockAbi: this.#landlockAbi, groups, masked });
  }

  /** Also removes what a killed spawner left behind. */
  static async open(options: SpawnerOptions): Promise<Spawner> {
    const isMasked = options.masked?.includes('cgroup') === true;
    const groups = isMasked ? { none: 'masked' } : ControlGroups.open(options.hierarchies ?? readHierarchies());
    if (groups instanceof ControlGroups) await groups.sweep();
    return new Spawner(options, groups);
  }

  layers(): readonly LayerState[] {
    return this.#layers;
  }

  /**
   * @param untrusted a profile as it came
   * @throws `ERR_SANDBOX_PROFILE`, `ERR_SANDBOX_MISSING`
   */
  prepare(untrusted: unknown): PreparedProfile {
    const parsed = SandboxProfileSchema.safeParse(untrusted);
    if (!parsed.success) {
      const place = parsed.error.issues[0]?.path.join('.') ?? '';
      throw new HoldfastError('the sandbox profile does not parse', { code: 'ERR_SANDBOX_PROFILE', fields: { place } });
    }
    const key = JSON.stringify(parsed.data);
    const known = this.#profiles.get(key);
    if (known !== undefined) {
      this.#profiles.delete(key);
      this.#profiles.set(key, known); // used last
      return known;
    }
    const prepared = this.#prepare(parsed.data);
    this.#profiles.set(key, prepared);
    for (const [oldest, { pool }] of this.#profiles) {
      if (this.#profiles.size <= MAX_PROFILES) break;
      this.#profiles.delete(oldest);
      void pool[Symbol.asyncDispose]();
    }
    return prepared;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#profiles.values()].map(({ pool }) => pool[Symbol.asyncDispose]()));
  }

  #prepare(profile: SandboxProfile): PreparedProfile {
    for (const { layer, available, reason, fix } of this.#layers) {
      if (available || !profile.require.includes(layer)) continue;
      throw new HoldfastError(`this host has no ${layer}`, {
        code: 'ERR_SANDBOX_MISSING',
        fields: { layer, reason, fix },
      });
    }
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    const compiled = compileProfile(profile, { architecture, landlockAbi: this.#landlockAbi });
    const owner = this.#ownerOf(profile);
    const { directory } = this.#options;
    const plan = planSlot(compiled, {
      bubblewrap: BUBBLEWRAP,
      launcher: this.#launcher,
      filesDirectory: directory,
      uid: owner?.uid ?? process.getuid?.() ?? 0,
      gid: owner?.gid ?? process.getgid?.() ?? 0,
      view: readHostView(pathsToView(profile)),
    });
    for (const { text } of plan.files) writeByContent(directory, Buffer.from(text), 0o644);
    const { memoryBytes, processes } = profile.limits;
    const open = async (): Promise<Slot> => {
      const group = this.#groups instanceof ControlGroups ? this.#groups.create({ memoryBytes, processes }) : null;
      const slot = await Slot.open(plan, owner, group);
      const wanted = profile.require.find((layer) => isReadBack(layer) && !slot.verified.includes(layer));
      if (wanted === undefined) return slot;
      await slot[Symbol.asyncDispose]();
      throw new HoldfastError(`${wanted} was put on and is not there`, {
        code: 'ERR_SANDBOX_MISSING', // never less than asked for
        fields: { layer: wanted },
      });
    };
    return { compiled, pool: new SlotPool(open), limitsEachProcess: !(this.#groups instanceof ControlGroups) };
  }

  /** `null` when we are not root: commands then run as who we are, and `own-user` does not count as given. */
  #ownerOf({ user }: SandboxProfile): SlotOwner | null {
    if (process.getuid?.() !== 0) return null;
    const owner = this.#options.users?.[user] ?? findUser(readFileSync('/etc/passwd', 'utf8'), user);
    if (owner !== undefined && owner.uid !== 0 && owner.gid !== 0) return owner;
    throw new HoldfastError('the user of the sandbox profile is not one to run commands as', {
      code: 'ERR_SANDBOX_PROFILE',
      fields: { place: 'user', value: user },
    });
  }
}

/** Layers that a waiting slot shows; the others are steps of the launcher, which stops at the first refused one. */
export function isReadBack(layer: SandboxLayer): boolean {
  return SANDBOX_LAYERS.indexOf(layer) <= SANDBOX_LAYERS.indexOf('read-only-root') || layer === 'cgroup';
}

/** passwd(5). */
function findUser(passwd: string, name: string): SlotOwner | undefined {
  const [, , uid, gid] =
    passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Named by its content: writing it twice is harmless, and nobody sees half of it. */
function writeByContent(directory: string, bytes: Uint8Array, mode: number): string {
  const path = join(directory, sha256Hex(bytes));
  const temporary = mkdtempSync(join(directory, 'new-'));
  const file = join(temporary, 'file');
  writeFileSync(file, bytes, { mode });
  renameSync(file, path);
  rmdirSync(temporary);
  return path;
}
