/** What holds for any host, not only for the ones somebody thought of. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { neverAborted } from '../test/baselines.ts';
import { account, goodParts, inMemoryHost, NOW_MS } from '../test/in-memory-host.ts';
import { type AccountsExpectation, judgeAccounts } from './checks/accounts.ts';
import { nameOf, ports } from './checks/ports.ts';
import { remediationFor } from './remediation.ts';

const socket = fc.record({
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  address: fc.constantFrom('0.0.0.0', '::', '127.0.0.1'),
  port: fc.integer({ min: 1, max: 6 }),
});
const sockets = fc.uniqueArray(socket, { selector: nameOf, maxLength: 12 });

const NAMES = ['root', 'toor', 'alice', 'bob', 'eve'];
const someAccount = fc.record({
  name: fc.constantFrom(...NAMES),
  uid: fc.constantFrom(0, 1_000),
  password: fc.constantFrom('empty' as const, 'set' as const, 'locked' as const),
  expired: fc.boolean(),
});
const expectation: fc.Arbitrary<AccountsExpectation> = fc.record({
  uid0: fc.constantFrom(['root'], ['root', 'toor']),
  accounts: fc.option(fc.uniqueArray(fc.constantFrom('alice', 'bob'))),
  authorizedKeys: fc.constant({}),
});

describe('checks', () => {
  it('C-13: ports finds exactly what is missing and what is extra, in whatever order the host lists it', async () => {
    await fc.assert(
      fc.asyncProperty(sockets, sockets, async (listening, observed) => {
        const context = (list: typeof observed) => ({
          host: inMemoryHost({ ...goodParts(), sockets: list }),
          nowMs: NOW_MS,
          randomBytes: (size: number) => new Uint8Array(size),
        });
        const run = (list: typeof observed) => ports.run({ listening, ignore: [] }, context(list), neverAborted);
        const findings = await run(observed);
        const subjectsOf = (kind: string): string[] =>
          findings.filter((finding) => finding.kind === kind).map(({ subject }) => subject);
        const wanted = new Set(listening.map(nameOf));
        const seen = new Set(observed.map(nameOf));
        assert.deepEqual(subjectsOf('port-missing'), [...wanted.difference(seen)].toSorted());
        assert.deepEqual(subjectsOf('port-unexpected'), [...seen.difference(wanted)].toSorted());
        assert.deepEqual(subjectsOf('port-ok'), [...wanted.intersection(seen)].toSorted());
        assert.deepEqual(await run(observed.toReversed()), findings);
      }),
    );
  });

  it('C-13: ports in an ignored range are not looked at, those beside it are', async () => {
    const parts = goodParts();
    parts.sockets = [100, 101, 200, 201].map((port) => ({ protocol: 'udp', address: '::', port }));
    const context = { host: inMemoryHost(parts), nowMs: NOW_MS, randomBytes: (size: number) => new Uint8Array(size) };
    const ignore = [{ protocol: 'udp' as const, from: 101, to: 200 }];
    const findings = await ports.run({ listening: [], ignore }, context, neverAborted);
    assert.deepEqual(
      findings.map(({ subject }) => subject),
      ['udp [::]:100', 'udp [::]:201'],
    );
  });

  it('C-18: locking whatever accounts offers to lock leaves nothing to lock, and never an allowed account', () => {
    const listOf = fc.uniqueArray(someAccount, { selector: ({ name }) => name, minLength: 1 });
    fc.assert(
      fc.property(listOf, expectation, (some, expected) => {
        const list = some.map(({ name, uid, ...more }) => account(name, uid, more));
        const offersFor = (accounts: typeof list): Set<string> =>
          new Set(
            judgeAccounts(accounts, expected)
              .filter(({ status }) => status === 'fail')
              .flatMap(({ kind, subject }) => (remediationFor(kind, subject) === null ? [] : [subject])),
          );
        const offers = offersFor(list);
        for (const name of [...expected.uid0, ...(expected.accounts ?? [])]) assert.ok(!offers.has(name), name);
        const locked = list.map((one) =>
          offers.has(one.name) ? account(one.name, one.uid, { password: 'locked', expired: true }) : one,
        );
        assert.equal(offersFor(locked).size, 0);
      }),
    );
  });
});
