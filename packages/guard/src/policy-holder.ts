/**
 * The policy in force: read again when its files change. One that does not lint leaves the last good
 * one in force (G-08); one that is missing, unreadable or empty leaves none, and none allows nothing (G-15).
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_POLICY_CHARS, parsePolicy, type Policy, type PolicyFinding } from '@holdfast/policy';

const OTHERS_WRITE = 0o022;
const MAX_DROP_INS = 100;

export interface PolicyChange {
  readonly outcome: 'loaded' | 'refused' | 'missing';
  readonly hash: string | null;
  readonly findings: readonly PolicyFinding[];
}

export class PolicyHolder {
  readonly #path: string;
  readonly #onChange: (change: PolicyChange) => void;
  #stamp: string | null = null;
  #policy: Policy | null = null;
  #state: PolicyChange['outcome'] = 'missing';

  constructor(path: string, onChange: (change: PolicyChange) => void) {
    this.#path = path;
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
    const { policy, findings } = parsePolicy(texts);
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

/** Names a file's content well enough to notice a change; throws for one that others could have written. */
function stampOf(path: string): string {
  const stat = lstatSync(path, { bigint: true });
  const own = process.geteuid?.();
  const isTrusted =
    stat.isFile() && (stat.uid === 0n || stat.uid === BigInt(own ?? 0)) && (Number(stat.mode) & OTHERS_WRITE) === 0;
  if (!isTrusted || stat.size > BigInt(MAX_POLICY_CHARS)) throw new TypeError('not a policy file to trust');
  return `${path}:${stat.dev}:${stat.ino}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.size}`;
}
