/** The contract of `Accounts`. Give it an account that may be locked. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Account, Accounts } from '../ports.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

export interface AccountsSubject {
  readonly accounts: Accounts;
  /** Has a password set, is not expired. */
  readonly account: string;
  /** What `capture` hands out must hold this (the password hash); nothing else may show it. */
  readonly secret: string;
  /** Everything `lock` may have changed, as stored. */
  readonly stored: () => string;
}

const find = async (accounts: Accounts, name: string): Promise<Account> => {
  const found = (await accounts.list(calm())).find((account) => account.name === name);
  assert.ok(found);
  return found;
};

export function describeAccounts(
  name: string,
  open: (scope: Scope) => Promise<AccountsSubject>,
  options: SuiteOptions = {},
): void {
  describe(`Accounts: ${name}`, options, () => {
    it('C-01: lists accounts with their password state and no secret', async (t) => {
      const { accounts, account, secret } = await open(t);
      const found = await find(accounts, account);
      assert.equal(found.password, 'set');
      assert.equal(found.expired, false);
      assert.ok(!JSON.stringify(await accounts.list(calm())).includes(secret));
    });

    it('names root, with uid 0', async (t) => {
      const { accounts } = await open(t);
      assert.equal((await find(accounts, 'root')).uid, 0);
    });

    it('locks the password and expires the account; locking twice changes nothing', async (t) => {
      const { accounts, account, stored } = await open(t);
      await accounts.lock(account, calm());
      const locked = await find(accounts, account);
      assert.deepEqual({ password: locked.password, expired: locked.expired }, { password: 'locked', expired: true });
      const once = stored();
      await accounts.lock(account, calm());
      assert.equal(stored(), once);
    });

    it('restore puts back exactly what was captured, also twice', async (t) => {
      const { accounts, account, secret, stored } = await open(t);
      const before = stored();
      const captured = await accounts.capture(account, calm());
      assert.ok(captured.includes(secret));
      assert.equal(stored(), before);
      await accounts.lock(account, calm());
      assert.notEqual(stored(), before);
      await accounts.restore(account, captured, calm());
      await accounts.restore(account, captured, calm());
      assert.equal(stored(), before);
    });

    it('touches no other account', async (t) => {
      const { accounts, account } = await open(t);
      const others = async (): Promise<Account[]> =>
        (await accounts.list(calm())).filter(({ name }) => name !== account);
      const before = await others();
      await accounts.lock(account, calm());
      assert.deepEqual(await others(), before);
    });

    for (const absent of ['nobody-of-that-name', '', 'root:', 'a\nroot', '__proto__']) {
      it(`refuses the account ${JSON.stringify(absent)} and changes nothing`, async (t) => {
        const { accounts, stored } = await open(t);
        const before = stored();
        await rejectsWith('ERR_HOST_ACCOUNT_MISSING', accounts.lock(absent, calm()));
        await rejectsWith('ERR_HOST_ACCOUNT_MISSING', accounts.capture(absent, calm()));
        assert.equal(stored(), before);
      });
    }

    it('refuses to restore what was captured from another account, or was made up', async (t) => {
      const { accounts, account, stored } = await open(t);
      const before = stored();
      const foreign = await accounts.capture('root', calm());
      for (const captured of [
        foreign,
        '',
        'x',
        `${account}:`,
        `${await accounts.capture(account, calm())}\nevil::0:0:99999:7:::`,
      ]) {
        await rejectsWith('ERR_INPUT_INVALID', accounts.restore(account, captured, calm()));
      }
      assert.equal(stored(), before);
    });

    it('does nothing once the signal is aborted', async (t) => {
      const { accounts, account, stored } = await open(t);
      const before = stored();
      await honoursAbort((signal) => accounts.list(signal));
      await honoursAbort((signal) => accounts.capture(account, signal));
      await honoursAbort((signal) => accounts.lock(account, signal));
      assert.equal(stored(), before);
    });
  });
}
