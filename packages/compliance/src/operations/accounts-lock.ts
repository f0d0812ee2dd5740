/**
 * Locks an account that must not be usable: password and, by expiry, every other way in (C-23). Never
 * root, never an account the baseline allows, and only accounts a check would complain about.
 */
import type { Operation } from '@holdfast/change';
import { HoldfastError } from '@holdfast/core';
import type { Account, Host } from '@holdfast/host';
import { z } from 'zod';
import type { Baseline } from '../baseline.ts';
import { accounts, isAllowedAccount, isLockedAccount } from '../checks/accounts.ts';
import { AccountName } from '../values.ts';
import { notInBaseline, requireExpectation } from './deps.ts';

const Params = z.strictObject({ user: AccountName });
const Captured = z.strictObject({ user: AccountName, opaque: z.string() });

export function accountsLock(baseline: Baseline | null): Operation<z.infer<typeof Params>, z.infer<typeof Captured>> {
  const find = async (user: string, host: Host, signal: AbortSignal): Promise<Account | undefined> => {
    if (isAllowedAccount(user, requireExpectation(baseline, accounts))) {
      throw new HoldfastError('this account is never locked', { code: 'ERR_ACCOUNT_PROTECTED' });
    }
    return (await host.accounts.list(signal)).find((account) => account.name === user);
  };

  /** The account, when the baseline has something against it. */
  const offender = async (user: string, host: Host, signal: AbortSignal): Promise<Account> => {
    const account = await find(user, host, signal);
    if (account === undefined) throw notInBaseline('this account');
    const expectation = requireExpectation(baseline, accounts);
    const offends = account.uid === 0 || account.password === 'empty' || expectation.accounts !== null;
    if (!offends && !isLockedAccount(account)) throw notInBaseline('anything against this account');
    return account;
  };

  return {
    name: 'accounts.lock',
    params: Params,
    captured: Captured,
    disruptive: false,
    resources: ({ user }) => [`account:${user}`],

    async capture({ user }, host, signal) {
      await offender(user, host, signal);
      return { user, opaque: await host.accounts.capture(user, signal) };
    },

    async plan({ user }, host, signal) {
      const account = await offender(user, host, signal);
      return isLockedAccount(account) ? [] : [{ action: `lock ${user}`, detail: { uid: account.uid } }]; // P-16
    },

    async apply({ user }, host, signal) {
      if (!isLockedAccount(await offender(user, host, signal))) await host.accounts.lock(user, signal);
    },

    async verify({ user }, host, signal) {
      const account = await find(user, host, signal);
      if (account === undefined) return { ok: true, reasons: [`${user} does not exist any more`] };
      const reason = `the password of ${user} is ${account.password}, and it is ${account.expired ? '' : 'not '}expired`;
      return { ok: isLockedAccount(account), reasons: [reason] };
    },

    revert: ({ user, opaque }, host, signal) => host.accounts.restore(user, opaque, signal),
  };
}
