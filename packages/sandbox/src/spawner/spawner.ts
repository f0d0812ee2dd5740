/**
 * What the spawner process does for its connections: which layers there are, profiles compiled once,
 * a pool of slots for each, and jobs started in them. Knows no sockets; see `serve-connection.ts`.
 */
import { HoldfastError } from '@holdfast/core';
import {
  DEFAULT_SANDBOX_PROFILE,
  type SandboxLayer,
  type SandboxProfile,
  SandboxProfileSchema,
} from '@holdfast/policy';
import { ControlGroups, readHierarchies } from '../cgroup/control-groups.ts';
import type { Hierarchy } from '../cgroup/hierarchies.ts';
import { compileProfile } from '../compile-profile.ts';
import { launcherImage } from '../launcher/launcher-image.ts';
import { LANDLOCK_LAYER_ABI } from '../landlock/compile-landlock.ts';
import { readHostView } from '../namespaces/host-view.ts';
import { pathsToView, planSlot } from '../namespaces/plan-slot.ts';
import type { CompiledProfile } from '../plan.ts';
import type { LayerState } from '../sandbox.ts';
import { ContentDirectory } from './content-directory.ts';
import { judgeUser, probeLayers, readLandlockAbi } from './probe-layers.ts';
import { findSandboxUser, type SandboxUser, type SlotOwner } from './sandbox-user.ts';
import { Slot } from './slot.ts';
import { SlotPool } from './slot-pool.ts';
import { BUBBLEWRAP, tryNamespaces } from './try-namespaces.ts';

/** Profiles that are kept compiled, with their pools; the one unused for longest goes first. */
const MAX_PROFILES = 64;
/** Over all connections with the same access: whoever may run one job cannot take the places of the others. */
const MAX_RUNS = { 'any-job': 256, 'only-job': 128 } as const;

export interface SpawnerOptions {
  /** Holds the launcher and files that slots bind; see `ContentDirectory`. Its parents MUST let the sandbox's user pass. */
  readonly directory: string;
  /** Users by name that are not in /etc/passwd. */
  readonly users?: Readonly<Record<string, SlotOwner>>;
  /**
   * Where the default user does not exist, run as a number that nobody has: for a spawner of one's own.
   * A service MUST NOT: its user is made when it is installed.
   *
   * @default false
   */
  readonly standInForMissing?: boolean;
  /** Treated as missing: how a host without them behaves. */
  readonly masked?: readonly SandboxLayer[];
  /** Where control groups are made, where that is not below the own ones. */
  readonly hierarchies?: readonly Hierarchy[];
}

/** A profile, ready. */
export interface PreparedProfile {
  readonly compiled: CompiledProfile;
  /** Those of `compiled` that this host has: what a run may claim. */
  readonly layers: readonly SandboxLayer[];
  readonly pool: SlotPool;
}

export class Spawner implements AsyncDisposable {
  readonly #options: SpawnerOptions;
  readonly #files: ContentDirectory;
  readonly #launcher: string;
  readonly #landlockAbi: number;
  readonly #groups: ControlGroups | { readonly none: string };
  readonly #layers: readonly LayerState[];
  /** Decided once: a stand-in stays the same. */
  readonly #defaultUser: SandboxUser;
  readonly #profiles = new Map<string, PreparedProfile>();
  readonly #runs = { 'any-job': 0, 'only-job': 0 };

  private constructor(options: SpawnerOptions, groups: ControlGroups | { readonly none: string }) {
    const { directory, masked = [] } = options;
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    this.#options = options;
    this.#groups = groups;
    this.#files = new ContentDirectory(directory);
    this.#launcher = this.#files.write(launcherImage(architecture), 0o755);
    const maskedAbis = Object.entries(LANDLOCK_LAYER_ABI).filter(([layer]) => masked.some((name) => name === layer));
    this.#landlockAbi = Math.min(readLandlockAbi(), ...maskedAbis.map(([, abi]) => abi - 1));
    this.#defaultUser = this.#findUser(DEFAULT_SANDBOX_PROFILE.user);
    const namespaces = tryNamespaces(this.#defaultUser.owner);
    this.#layers = probeLayers({
      landlockAbi: this.#landlockAbi,
      groups,
      user: this.#defaultUser,
      namespaces,
      masked,
    });
  }

  /**
   * Also removes what a killed spawner left behind.
   *
   * @throws `ERR_SANDBOX_DIRECTORY` when its directory cannot be used
   */
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
    // As it came: validating it again for each command would take longer than planning one.
    const key = JSON.stringify(untrusted);
    const known = this.#profiles.get(key);
    if (known !== undefined) {
      this.#profiles.delete(key);
      this.#profiles.set(key, known); // used last
      return known;
    }
    const parsed = SandboxProfileSchema.safeParse(untrusted);
    if (!parsed.success) {
      const place = parsed.error.issues[0]?.path.join('.') ?? '';
      throw new HoldfastError('the sandbox profile does not parse', { code: 'ERR_SANDBOX_PROFILE', fields: { place } });
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

  /** A place for one run, until disposed. @throws `ERR_SANDBOX_BUSY` */
  enter(access: keyof typeof MAX_RUNS): Disposable {
    if (this.#runs[access] >= MAX_RUNS[access]) {
      throw new HoldfastError('too many confined commands run at once', { code: 'ERR_SANDBOX_BUSY' });
    }
    this.#runs[access] += 1;
    return { [Symbol.dispose]: () => void (this.#runs[access] -= 1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#profiles.values()].map(({ pool }) => pool[Symbol.asyncDispose]()));
  }

  #prepare(profile: SandboxProfile): PreparedProfile {
    const user = profile.user === DEFAULT_SANDBOX_PROFILE.user ? this.#defaultUser : this.#findUser(profile.user);
    const states = this.#layersFor(user);
    for (const { layer, available, reason, fix } of states) {
      if (available || !profile.require.includes(layer)) continue;
      throw new HoldfastError(`this host has no ${layer}`, {
        code: 'ERR_SANDBOX_MISSING',
        fields: { layer, reason, fix },
      });
    }
    const { owner } = user;
    if (owner === null && process.getuid?.() === 0) {
      throw new HoldfastError('nothing confined runs as root', {
        code: 'ERR_SANDBOX_MISSING', // although the profile does not require it
        fields: { layer: 'own-user', reason: user.reason, fix: user.fix },
      });
    }
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    const compiled = compileProfile(profile, { architecture, landlockAbi: this.#landlockAbi });
    const plan = planSlot(compiled, {
      bubblewrap: BUBBLEWRAP,
      launcher: this.#launcher,
      filesDirectory: this.#options.directory,
      uid: owner?.uid ?? process.getuid?.() ?? 0,
      gid: owner?.gid ?? process.getgid?.() ?? 0,
      view: readHostView(pathsToView(profile)),
      limitsEachProcess: !(this.#groups instanceof ControlGroups),
    });
    for (const { text } of plan.files) this.#files.write(Buffer.from(text), 0o644);
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
    const here = new Set(states.filter(({ available }) => available).map(({ layer }) => layer));
    return { compiled, layers: compiled.layers.filter((layer) => here.has(layer)), pool: new SlotPool(open) };
  }

  #findUser(name: string): SandboxUser {
    const { users = {}, standInForMissing = false } = this.#options;
    return findSandboxUser(name, { users, standInForMissing });
  }

  /** What was found, but for the one layer that depends on the profile. */
  #layersFor(user: SandboxUser): readonly LayerState[] {
    if (user === this.#defaultUser || this.#options.masked?.includes('own-user') === true) return this.#layers;
    return this.#layers.map((state) => {
      return state.layer === 'own-user' ? { layer: state.layer, ...judgeUser(user) } : state;
    });
  }
}

/** Layers that a waiting slot shows; the others are steps of the launcher, which stops at the first refused one. */
export function isReadBack(layer: SandboxLayer): boolean {
  return layer !== 'rlimits' && !layer.startsWith('landlock');
}
