/**
 * The policy in force: read again when its files change. One that does not lint leaves the last good
 * one in force (G-08); one that is missing, unreadable or empty leaves none, and none allows nothing (G-15).
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHoldfastError } from '@holdfast/core';
import {
  MAX_POLICY_CHARS,
  type ParsedPolicy,
  parsePolicy,
  type Policy,
  type PolicyFinding,
  type SandboxProfile,
} from '@holdfast/policy';

const OTHERS_WRITE = 0o022;
const MAX_DROP_INS = 100;

export interface PolicyChange {
  readonly outcome: 'loaded' | 'refused' | 'missing';
  readonly hash: string | null;
  readonly findings: readonly PolicyFinding[];
}

export type CheckProfile = (profile: SandboxProfile) => void;

export class PolicyHolder {
  readonly #path: string;
  readonly #checkProfile: CheckProfile;
  readonly #onChange: (change: PolicyChange) => void;
  #stamp: string | null = null;
  #policy: Policy | null = null;
  #state: PolicyChange['outcome'] = 'missing';

  /** @param checkProfile throws `ERR_SANDBOX_PROFILE` for a profile that no kernel could be asked for */
  constructor(path: string, checkProfile: CheckProfile, onChange: (change: PolicyChange) => void) {
    this.#path = path;
    this.#checkProfile = checkProfile;
    this.#onChange = onChange;
  }

  /** Whether what is on disk is what is in force. */
  get state(): PolicyChange['outcome'] {
    return this.#state;
  }

  /** The policy in force now, or `null`. */
  current(): Policy | null {
    let files: string[];
    let stamp: string;
    try {
      files = this.#list();
      stamp = files.map(stampOf).join('\n');
    } catch {
      return this.#drop('missing');
    }
    if (stamp === this.#stamp) return this.#policy;
    let texts: string[];
    try {
      texts = files.map((file) => readFileSync(file, 'utf8'));
    } catch {
      return this.#drop('missing');
    }
    this.#stamp = stamp;
    const { policy, findings } = this.#load(files, texts);
    if (policy !== null) {
      this.#policy = policy;
      this.#state = 'loaded';
    } else if (texts.every((text) => text.trim() === '')) {
      this.#policy = null;
      this.#state = 'missing';
    } else this.#state = 'refused'; // the last good one stays
    this.#onChange({ outcome: this.#state, hash: this.#policy?.hash ?? null, findings });
    return this.#policy;
  }

  /** Parses, compiles the profiles, and looks at the disk again: what is put in force is what still lies there (G-13). */
  #load(files: readonly string[], texts: readonly string[]): ParsedPolicy {
    const parsed = parsePolicy(texts);
    if (parsed.policy === null) return parsed;
    const problems = [...parsed.policy.profiles.values()].flatMap((profile) => this.#problemsOf(profile));
    if (problems.length === 0 && hashOnDisk(files) !== parsed.policy.hash) {
      this.#stamp = null; // looked at again with the next request
      problems.push(error('changed-while-loading', '(root)', 'the files changed while they were read'));
    }
    return problems.length === 0 ? parsed : { policy: null, findings: [...parsed.findings, ...problems] };
  }

  #problemsOf(profile: SandboxProfile): PolicyFinding[] {
    try {
      this.#checkProfile(profile);
      return [];
    } catch (cause) {
      // Its fields are safe to log and name the place; whatever else it was, the profile is not used.
      const fields = Object.entries(isHoldfastError(cause) ? cause.fields : {}).map(
        ([name, value]) => `${name} ${String(value)}`,
      );
      const message = ['the profile cannot be compiled', ...fields].join(', ');
      return [error('bad-profile', `profiles.${profile.name}`, message)];
    }
  }

  #drop(state: 'missing'): null {
    if (this.#stamp !== state) {
      this.#stamp = state;
      this.#policy = null;
      this.#state = state;
      this.#onChange({ outcome: state, hash: null, findings: [] });
    }
    return null;
  }

  #list(): string[] {
    const directory = join(this.#path, '..', 'policy.d');
    const isThere = lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() === true;
    const names = isThere ? readdirSync(directory).filter((name) => /^[A-Za-z0-9._-]+\.toml$/.test(name)) : [];
    if (names.length > MAX_DROP_INS) throw new TypeError('too many drop-ins');
    return [this.#path, ...names.toSorted().map((name) => join(directory, name))];
  }
}

const error = (code: string, path: string, message: string): PolicyFinding => ({
  severity: 'ERROR',
  code,
  path,
  message,
});

/** @returns `null` for files that are gone or no policy any more */
function hashOnDisk(files: readonly string[]): string | null {
  try {
    return parsePolicy(files.map((file) => readFileSync(file, 'utf8'))).policy?.hash ?? null;
  } catch {
    return null;
  }
}

/** Names a file's content well enough to notice a change; throws for one that others could have written. */
function stampOf(path: string): string {
  const stat = lstatSync(path, { bigint: true });
  const own = process.geteuid?.();
  const isTrusted =
    stat.isFile() && (stat.uid === 0n || stat.uid === BigInt(own ?? 0)) && (Number(stat.mode) & OTHERS_WRITE) === 0;
  if (!isTrusted || stat.size > BigInt(MAX_POLICY_CHARS)) throw new TypeError('not a policy file to trust');
  return `${path}:${stat.dev}:${stat.ino}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.size}`;
}
