/**
 * Accounts from `/etc/passwd`, `/etc/shadow` and each home's authorised keys (sshd's default names;
 * `AuthorizedKeysCommand` and other places are not looked at). Locking rewrites one line of shadow
 * and no other byte, under the lock that passwd(1) and usermod(8) take: usermod itself cannot put a
 * line back exactly, and would need the hash in its arguments.
 */
import { type Clock, hasCode, HoldfastError } from '@holdfast/core';
import type { Account, Accounts } from '@holdfast/host';

import { fingerprintsOf } from './authorized-keys.ts';
import { DescriptorFiles } from './descriptor-files.ts';
import {
  isExpired,
  isShadowLine,
  lockedLine,
  parsePasswd,
  parseShadow,
  type PasswdEntry,
  passwordField,
  passwordState,
  replaceShadowLine,
} from './password-files.ts';
import { lockPasswordFiles } from './password-lock.ts';

const PASSWD = '/etc/passwd';
const SHADOW = '/etc/shadow';
/** 10,000 accounts of 1,000 characters; more is not a machine with local accounts. */
const MAX_FILE_BYTES = 10_000_000;
const MAX_KEYS_BYTES = 1024 * 1024;
/** sshd_config(5), default of AuthorizedKeysFile. */
const KEY_FILES = ['.ssh/authorized_keys', '.ssh/authorized_keys2'];

export class ShadowAccounts implements Accounts {
  readonly #clock: Clock;
  readonly #root: string;
  readonly #files: DescriptorFiles;

  constructor(clock: Clock, root = '/') {
    this.#clock = clock;
    this.#root = root;
    this.#files = new DescriptorFiles(root);
  }

  async list(signal: AbortSignal): Promise<Account[]> {
    const entries = parsePasswd(await this.#text(PASSWD, signal));
    if (entries === undefined) throw unreadable('passwd');
    const shadow = parseShadow(await this.#text(SHADOW, signal));
    const nowMs = this.#clock.wallMs();
    const accounts: Account[] = [];
    for (const entry of entries) {
      const line = shadow.get(entry.name);
      // passwd(5): only `x` sends on to shadow; an empty field lets anybody in, whatever shadow says.
      const password =
        entry.password === 'x' ? passwordState(line && passwordField(line)) : passwordState(entry.password);
      const { name, uid, gid, shell } = entry;
      const expired = line !== undefined && isExpired(line, nowMs);
      accounts.push({ name, uid, gid, shell, password, expired, authorizedKeys: await this.#keysOf(entry, signal) });
    }
    return accounts;
  }

  async capture(name: string, signal: AbortSignal): Promise<string> {
    const line = parseShadow(await this.#text(SHADOW, signal)).get(name);
    if (line === undefined) throw missing();
    return line;
  }

  async lock(name: string, signal: AbortSignal): Promise<void> {
    await this.#rewrite(name, lockedLine, signal);
  }

  async restore(name: string, captured: string, signal: AbortSignal): Promise<void> {
    if (!isShadowLine(captured, name)) {
      throw new HoldfastError('not what was captured from this account', { code: 'ERR_INPUT_INVALID' });
    }
    await this.#rewrite(name, () => captured, signal);
  }

  async #rewrite(name: string, change: (line: string) => string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    using _lock = lockPasswordFiles(this.#root === '/' ? '/etc' : `${this.#root}/etc`);
    const text = await this.#text(SHADOW, signal);
    const line = parseShadow(text).get(name);
    if (line === undefined) throw missing();
    const wanted = replaceShadowLine(text, name, change(line));
    if (wanted === text) return;
    const state = await this.#files.stat(SHADOW, signal);
    if (state.kind !== 'file') throw unreadable('shadow');
    const { mode, uid, gid } = state;
    await this.#files.write(SHADOW, { bytes: Buffer.from(wanted, 'latin1'), mode, uid, gid }, signal);
  }

  /** Latin-1, so that every byte survives the way back. */
  async #text(path: string, signal: AbortSignal): Promise<string> {
    try {
      return Buffer.from(await this.#files.read(path, MAX_FILE_BYTES, signal)).toString('latin1');
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw unreadable(path.slice('/etc/'.length), cause);
    }
  }

  /** @returns `null` when it cannot be known: a user may make files nobody can read, and blinds us to that account alone */
  async #keysOf({ home }: PasswdEntry, signal: AbortSignal): Promise<string[] | null> {
    const found = new Set<string>();
    for (const file of KEY_FILES) {
      const path = `${home.replace(/\/+$/, '')}/${file}`;
      try {
        const bytes = await this.#files.readFollowing(path, MAX_KEYS_BYTES, signal);
        for (const fingerprint of fingerprintsOf(Buffer.from(bytes).toString('latin1'))) found.add(fingerprint);
      } catch (cause) {
        if (signal.aborted) throw cause;
        // No home and no keys is the usual case; sshd takes no key from a path that is none either.
        if (!hasCode(cause, 'ERR_HOST_FILE_MISSING') && !hasCode(cause, 'ERR_INPUT_INVALID')) return null;
      }
    }
    return [...found].toSorted();
  }
}

const missing = (): HoldfastError => new HoldfastError('no such account', { code: 'ERR_HOST_ACCOUNT_MISSING' });

const unreadable = (what: string, cause?: unknown): HoldfastError =>
  new HoldfastError(`${what} cannot be read`, { code: 'ERR_HOST_ACCOUNTS_UNREADABLE', fields: { what }, cause });
