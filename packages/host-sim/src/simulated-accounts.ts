/** Accounts with a password field and an expiry, as in shadow(5). */
import { type Clock, HoldfastError } from '@holdfast/core';
import type { Account, Accounts, PasswordState } from '@holdfast/host';

import type { SimulatedAccount, SimulatedState } from './state.ts';
import type { StateFile } from './state-file.ts';

const DAY_MS = 86_400_000;

function passwordState(field: string): PasswordState {
  if (field === '') return 'empty';
  if (field.startsWith('!') || field.startsWith('*')) return 'locked';
  return field.startsWith('$') ? 'set' : 'unknown';
}

export class SimulatedAccounts implements Accounts {
  readonly #state: StateFile;
  readonly #clock: Clock;

  constructor(state: StateFile, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  async list(signal: AbortSignal): Promise<Account[]> {
    signal.throwIfAborted();
    const nowMs = this.#clock.wallMs();
    return this.#state.read().accounts.map(({ name, uid, gid, shell, password, expireDay, authorizedKeys }) => ({
      name,
      uid,
      gid,
      shell,
      password: passwordState(password),
      expired: expireDay > 0 && nowMs >= expireDay * DAY_MS,
      authorizedKeys: authorizedKeys.toSorted(),
    }));
  }

  async capture(name: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const { password, expireDay } = find(this.#state.read(), name);
    return `${name}:${password}:${expireDay}`;
  }

  async lock(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#change(name, (account) => ({
      ...account,
      password: account.password.startsWith('!') ? account.password : `!${account.password}`,
      expireDay: 1,
    }));
  }

  async restore(name: string, captured: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const [of, password, expireDay, ...rest] = captured.split(':');
    if (of !== name || password === undefined || !/^\d{1,9}$/.test(expireDay ?? '') || rest.length > 0) {
      throw new HoldfastError('not what was captured from this account', { code: 'ERR_INPUT_INVALID' });
    }
    this.#change(name, (account) => ({ ...account, password, expireDay: Number(expireDay) }));
  }

  #change(name: string, change: (account: SimulatedAccount) => SimulatedAccount): void {
    this.#state.update((state) => {
      const wanted = find(state, name);
      return { ...state, accounts: state.accounts.map((account) => (account === wanted ? change(account) : account)) };
    });
  }
}

function find(state: SimulatedState, name: string): SimulatedAccount {
  const found = state.accounts.find((account) => account.name === name);
  if (found !== undefined) return found;
  throw new HoldfastError('no such account', { code: 'ERR_HOST_ACCOUNT_MISSING' });
}
