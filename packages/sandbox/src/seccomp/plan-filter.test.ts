/** what a profile's lists and network mean for its filter, and which lists are refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { type SandboxProfile, SandboxProfileSchema, SYSCALL_PURPOSES } from '@holdfast/policy';
import { isAlways } from './call-rule.ts';
import { compileSeccomp } from './compile-seccomp.ts';
import { describeSeccomp } from './describe-seccomp.ts';
import { planFilter } from './plan-filter.ts';
import { LISTED_WITH_CASES, NEVER, PURPOSES, REFUSALS } from './purposes.ts';
import { isSyscallName, SYSCALLS } from './syscall-table.ts';

const X64 = { architecture: 'x64', landlockAbi: 7 } as const;

function profile(part: Record<string, unknown>): SandboxProfile {
  return SandboxProfileSchema.parse({ name: 'test', ...part });
}

function isAllowed(part: Record<string, unknown>, name: string): 'always' | 'sometimes' | 'never' {
  const cases = planFilter(profile(part), 'x64').get(name)?.cases ?? [];
  if (isAlways(cases)) return 'always';
  return cases.length > 0 ? 'sometimes' : 'never';
}

describe('planFilter', () => {
  it('X-02: knows every name in its own lists', () => {
    const lists = [...Object.values(PURPOSES), LISTED_WITH_CASES, REFUSALS].flatMap((list) => Object.keys(list));
    for (const name of [...lists, ...NEVER]) assert.ok(isSyscallName(name), name);
  });

  it('X-02: allows none of the calls that no profile gets, whatever the purposes and the network', () => {
    const widest = profile({ syscalls: { purposes: [...SYSCALL_PURPOSES] }, network: 'host', require: [] });
    for (const architecture of ['x64', 'arm64'] as const) {
      const plan = planFilter(widest, architecture);
      for (const name of NEVER) assert.deepEqual(plan.get(name)?.cases ?? [], [], name);
    }
  });

  it('X-02: has no case that tests an argument twice, and no value outside its mask', () => {
    const all = [...Object.values(PURPOSES), LISTED_WITH_CASES].flatMap((list) => Object.values(list).flat());
    const widest = planFilter(profile({ network: 'host', require: [] }), 'x64');
    for (const tests of [...all, ...(widest.get('socket')?.cases ?? [])]) {
      assert.equal(new Set(tests.map(({ argument }) => argument)).size, tests.length);
      for (const { argument, mask, values } of tests) {
        assert.ok(argument >= 0 && argument < 6 && mask > 0n && values.length > 0);
        for (const value of values) assert.equal(value & mask, value);
      }
    }
  });

  const cases: { name: string; part: Record<string, unknown>; call: string; want: 'always' | 'sometimes' | 'never' }[] =
    [
      { name: 'without a network there is no socket', part: {}, call: 'socket', want: 'never' },
      {
        name: 'sockets as a purpose are not yet a network',
        part: { syscalls: { purposes: ['base', 'sockets'] } },
        call: 'socket',
        want: 'never',
      },
      {
        name: 'a listed endpoint brings the calls to reach it',
        part: { network: { endpoints: [{ host: 'db', port: 5432 }] } },
        call: 'connect',
        want: 'always',
      },
      {
        name: 'a denied call is refused with any argument',
        part: { syscalls: { deny: ['clone'] } },
        call: 'clone',
        want: 'never',
      },
      {
        name: 'a call that is both allowed and denied is denied',
        part: { syscalls: { allow: ['fchown'], deny: ['fchown'] } },
        call: 'fchown',
        want: 'never',
      },
      { name: 'an allowed call is allowed', part: { syscalls: { allow: ['fchown'] } }, call: 'fchown', want: 'always' },
      {
        name: 'a call with argument rules keeps them when it is listed',
        part: { syscalls: { purposes: ['base'], allow: ['clone'] } },
        call: 'clone',
        want: 'sometimes',
      },
      {
        name: 'writable and executable memory is not had by listing mmap',
        part: { syscalls: { allow: ['mmap'] } },
        call: 'mmap',
        want: 'sometimes',
      },
      {
        name: 'writable and executable memory is had by purpose',
        part: { syscalls: { purposes: ['base', 'jit'] } },
        call: 'mmap',
        want: 'always',
      },
    ];
  for (const { name, part, call, want } of cases) it(`X-02: ${name}`, () => assert.equal(isAllowed(part, call), want));

  const wrong: { name: string; allow?: string[]; deny?: string[] }[] = [
    { name: 'a call that does not exist', allow: ['no_such_call'] },
    { name: 'a denied call that does not exist', deny: ['no_such_call'] },
    { name: 'tracing other processes', allow: ['ptrace'] },
    { name: 'kernel programs', allow: ['bpf'] },
    { name: 'mounting', allow: ['mount'] },
    { name: 'sockets beside the network', allow: ['socket'] },
    { name: 'a name of every object', allow: ['constructor'] },
  ];
  for (const { name, allow = [], deny = [] } of wrong) {
    it(`X-01: refuses a profile that lists ${name}`, () => {
      assert.throws(
        () => compileSeccomp(profile({ syscalls: { allow, deny } }), X64),
        (error) => hasCode(error, 'ERR_SANDBOX_PROFILE'),
      );
    });
  }

  it('X-01: takes a name that only the other architecture has', () => {
    assert.ok(!SYSCALLS.arm64.has('open'));
    assert.doesNotThrow(() =>
      compileSeccomp(profile({ syscalls: { deny: ['open'] } }), { architecture: 'arm64', landlockAbi: 7 }),
    );
  });

  it('X-01: gives equal bytes for equal profiles, and other bytes for others', () => {
    const [one, same] = [compileSeccomp(profile({}), X64), compileSeccomp(profile({}), X64)];
    assert.deepEqual(one, same);
    assert.notDeepEqual(one, compileSeccomp(profile({ syscalls: { deny: ['kill'] } }), X64));
  });
});

describe('describeSeccomp', () => {
  it('X-01: accounts for every call, once', () => {
    const text = describeSeccomp(profile({}), X64);
    const names = text
      .split('\n')
      .filter((line) => line.startsWith('  '))
      .flatMap((line) => (line.includes(':') ? [line.slice(2, line.indexOf(':'))] : line.trim().split(' ')));
    assert.deepEqual(names.toSorted(), [...SYSCALLS.x64.keys()].toSorted());
  });

  it('X-01: says what is compared', () => {
    assert.match(describeSeccomp(profile({}), X64), /^ {2}personality: arg0 in \{0x0 0xffffffff\}; otherwise EPERM$/m);
  });
});
