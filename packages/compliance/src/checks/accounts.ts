/** Unexpected superusers and accounts, empty passwords, authorised keys against the baseline (C-13). */
import type { Finding } from '@holdfast/evidence';
import type { Account } from '@holdfast/host';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { AccountName, itself, KeyFingerprint, unique } from '../values.ts';

export const AccountsExpectation = z.strictObject({
  /** Accounts that may have uid 0. */
  uid0: unique(AccountName, 20, itself).refine((names) => names.length > 0, 'names no superuser'),
  /** Every other account there may be; `null`: whichever, as long as it is no superuser and has a password. */
  accounts: unique(AccountName, 2_000, itself).nullable().default(null),
  /** Keys that may log in, by account; an account that is not named may have none. */
  authorizedKeys: z.record(AccountName, unique(KeyFingerprint, 200, itself)).default({}),
});
export type AccountsExpectation = z.infer<typeof AccountsExpectation>;

export const accounts: Check<AccountsExpectation> = {
  name: 'accounts',
  title: 'No superuser, account, empty password or authorised key that the baseline does not know',
  expectation: AccountsExpectation,
  timeoutMs: 5_000,

  async run(expectation, { host }, signal): Promise<readonly Finding[]> {
    const read = await attempt(() => host.accounts.list(signal), signal);
    if (!read.ok)
      return [unknown('critical', 'accounts-unreadable', 'accounts', `Accounts cannot be read: ${read.why}`)];
    return judgeAccounts(read.value, expectation);
  },
};

/** Whether the baseline lets this account be: such a one is never locked. */
export function isAllowedAccount(name: string, expectation: AccountsExpectation): boolean {
  if (name === 'root' || expectation.uid0.includes(name)) return true;
  return expectation.accounts?.includes(name) ?? false;
}

/** Neither a password nor a key lets anybody in. */
export function isLockedAccount(account: Account): boolean {
  return account.password === 'locked' && account.expired;
}

export function judgeAccounts(list: readonly Account[], expectation: AccountsExpectation): Finding[] {
  // No account at all is no host: an empty answer is not an answer.
  if (list.length === 0) return [unknown('critical', 'accounts-unreadable', 'accounts', 'The host listed no account')];

  const findings = list.toSorted(byName).flatMap((account) => judge(account, expectation));
  const names = new Set(list.map((account) => account.name));
  for (const name of [...expectation.uid0, ...(expectation.accounts ?? [])].toSorted()) {
    if (names.has(name)) continue;
    const comparison = { observed: null, expected: { name } };
    findings.push(fail('medium', 'account-missing', name, `The account ${name} is missing`, comparison));
  }
  if (findings.length > 0) return findings;
  const comparison = { observed: { accounts: list.length }, expected: { uid0: expectation.uid0 } };
  return [pass('accounts-ok', 'accounts', 'Accounts are as in the baseline', comparison)];
}

/** What is wrong with one account; nothing when nothing is. */
function judge(account: Account, expectation: AccountsExpectation): Finding[] {
  const { name, uid, shell, password } = account;
  const observed = { name, uid, shell, password, expired: account.expired };
  const superuser = uid === 0 && !expectation.uid0.includes(name);
  const stranger = expectation.accounts !== null && !isAllowedAccount(name, expectation);

  if (isLockedAccount(account)) {
    if (!superuser && !stranger) return [];
    const comparison = { observed, expected: { locked: true } };
    return [pass('account-locked', name, `${name} is not in the baseline, and is locked`, comparison)];
  }
  const findings: Finding[] = [];
  if (superuser) {
    const comparison = { observed, expected: { uid0: expectation.uid0 } };
    // An account people use is not locked for them: somebody has to find out how it became a superuser.
    const kind = isAllowedAccount(name, expectation) ? 'account-uid0-escalated' : 'account-uid0-unexpected';
    findings.push(fail('critical', kind, name, `${name} has uid 0 and must not`, comparison));
  } else if (stranger) {
    const comparison = { observed, expected: null };
    findings.push(fail('high', 'account-unexpected', name, `The account ${name} is not in the baseline`, comparison));
  }
  if (password === 'empty') {
    const comparison = { observed, expected: { password: 'set' } };
    const kind = isAllowedAccount(name, expectation) ? 'account-password-empty-allowed' : 'account-password-empty';
    findings.push(fail('critical', kind, name, `${name} can log in without a password`, comparison));
  } else if (password === 'unknown') {
    findings.push(unknown('high', 'account-password-unknown', name, `The password state of ${name} cannot be read`));
  }
  return [...findings, ...judgeKeys(account, expectation)];
}

function judgeKeys(account: Account, expectation: AccountsExpectation): Finding[] {
  const { name, authorizedKeys } = account;
  if (authorizedKeys === null)
    return [unknown('high', 'authorized-keys-unreadable', name, `The authorised keys of ${name} cannot be read`)];
  const wanted = Object.hasOwn(expectation.authorizedKeys, account.name)
    ? (expectation.authorizedKeys[account.name] ?? [])
    : [];
  const found = new Set(authorizedKeys);
  const extra = [...found].filter((key) => !wanted.includes(key)).toSorted();
  const missing = wanted.filter((key) => !found.has(key)).toSorted();
  return [
    ...extra.map((key) =>
      fail(
        'high',
        'authorized-key-unexpected',
        `${account.name} ${key}`,
        `A key not in the baseline opens ${account.name}`,
        {
          observed: key,
          expected: null,
        },
      ),
    ),
    ...missing.map((key) =>
      fail(
        'low',
        'authorized-key-missing',
        `${account.name} ${key}`,
        `A key of the baseline is missing for ${account.name}`,
        {
          observed: null,
          expected: key,
        },
      ),
    ),
  ];
}

const byName = (a: Account, b: Account): number => (a.name < b.name ? -1 : Number(a.name > b.name));
