import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { JsonObject } from '@holdfast/core';
import {
  type Caller,
  decide,
  decideRead,
  DEFAULT_AGENT_POLICY,
  type Effect,
  formatCaller,
  isDisruptionAllowed,
  type Policy,
  parsePolicy,
  READS,
} from './index.ts';

const AGENT: Caller = { kind: 'local', uid: 64_001, user: 'holdfast' };
const ROOT: Caller = { kind: 'local', uid: 0, user: 'root' };
const NOBODY: Caller = { kind: 'local', uid: 65_534, user: 'nobody' };
const SERVER: Caller = { kind: 'control-plane' };

function load(text: string): Policy {
  const { policy, findings } = parsePolicy([text]);
  assert.ok(policy, JSON.stringify(findings));
  return policy;
}

const POLICY = load(`
version = 1
[[principals]]
name = "agent"
user = "holdfast"
[[principals]]
name = "root"
uid = 0
[[principals]]
name = "server"
kind = "control-plane"
[groups]
all = ["agent", "root", "server"]

[[rules]]
name = "restart-web"
principals = ["agent"]
operations = ["services.restart"]
effect = "allow"
[rules.params.unit]
enum = ["nginx.service", "haproxy.service"]

[[rules]]
name = "never-ssh"
principals = ["all"]
operations = ["services.*"]
effect = "deny"
[rules.params.unit]
enum = ["ssh.service"]

[[rules]]
name = "root-services"
principals = ["root"]
operations = ["services.*"]
effect = "allow"

[[rules]]
name = "files"
principals = ["agent"]
operations = ["files.restore"]
effect = "allow"
[rules.params.paths]
pathPrefix = "/etc/nginx"

[[rules]]
name = "levels"
principals = ["agent"]
operations = ["kernel.set"]
effect = "allow"
[rules.params.level]
min = 1
max = 3
[rules.params.key]
pattern = "net[.][a-z0-9.]+"

[[rules]]
name = "reboot-asks"
principals = ["root"]
operations = ["machine.reboot"]
effect = "needs-approval"
[[rules]]
name = "reboot-root"
principals = ["root"]
operations = ["machine.reboot"]
effect = "allow"
[[approvals]]
name = "two"
operations = ["machine.reboot"]
approvers = ["root"]
required = 2
`);

describe('decide', () => {
  const cases: {
    name: string;
    caller: Caller;
    operation: string;
    params: JsonObject;
    want: Effect;
    rule: string | null;
  }[] = [
    {
      name: 'a listed value is allowed',
      caller: AGENT,
      operation: 'services.restart',
      params: { unit: 'nginx.service' },
      want: 'allow',
      rule: 'restart-web',
    },
    {
      name: 'another value is denied',
      caller: AGENT,
      operation: 'services.restart',
      params: { unit: 'cron.service' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'a missing constrained parameter is denied',
      caller: AGENT,
      operation: 'services.restart',
      params: {},
      want: 'deny',
      rule: 'never-ssh',
    },
    {
      name: 'another operation of the area is denied',
      caller: AGENT,
      operation: 'services.stop',
      params: { unit: 'nginx.service' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'a caller without a name is denied',
      caller: NOBODY,
      operation: 'services.restart',
      params: { unit: 'nginx.service' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'an area grants what is in it',
      caller: ROOT,
      operation: 'services.stop',
      params: { unit: 'nginx.service' },
      want: 'allow',
      rule: 'root-services',
    },
    {
      name: 'an explicit deny wins over an earlier and a later allow',
      caller: ROOT,
      operation: 'services.restart',
      params: { unit: 'ssh.service' },
      want: 'deny',
      rule: 'never-ssh',
    },
    {
      name: 'one denied element denies the list',
      caller: ROOT,
      operation: 'services.restart',
      params: { unit: ['a.service', 'ssh.service'] },
      want: 'deny',
      rule: 'never-ssh',
    },
    {
      name: 'an area does not reach into areas inside it',
      caller: ROOT,
      operation: 'services.unit.mask',
      params: { unit: 'a' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'the path itself is under its prefix',
      caller: AGENT,
      operation: 'files.restore',
      params: { paths: ['/etc/nginx', '/etc/nginx/a'] },
      want: 'allow',
      rule: 'files',
    },
    {
      name: 'a sibling with the same start is not',
      caller: AGENT,
      operation: 'files.restore',
      params: { paths: ['/etc/nginx-evil'] },
      want: 'deny',
      rule: null,
    },
    {
      name: 'dots do not climb out',
      caller: AGENT,
      operation: 'files.restore',
      params: { paths: ['/etc/nginx/../shadow'] },
      want: 'deny',
      rule: null,
    },
    {
      name: 'an empty list is granted by no constraint',
      caller: AGENT,
      operation: 'files.restore',
      params: { paths: [] },
      want: 'deny',
      rule: null,
    },
    {
      name: 'the ends of a range are inside',
      caller: AGENT,
      operation: 'kernel.set',
      params: { level: 3, key: 'net.ipv4' },
      want: 'allow',
      rule: 'levels',
    },
    {
      name: 'one past the end is outside',
      caller: AGENT,
      operation: 'kernel.set',
      params: { level: 4, key: 'net.ipv4' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'a fraction is no integer',
      caller: AGENT,
      operation: 'kernel.set',
      params: { level: 1.5, key: 'net.ipv4' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'a pattern matches the whole value',
      caller: AGENT,
      operation: 'kernel.set',
      params: { level: 1, key: 'net.ipv4;id' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'a line break does not end a pattern',
      caller: AGENT,
      operation: 'kernel.set',
      params: { level: 1, key: 'net.ipv4\n' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'waiting for approval wins over allow',
      caller: ROOT,
      operation: 'machine.reboot',
      params: {},
      want: 'needs-approval',
      rule: 'reboot-asks',
    },
    {
      name: 'the control plane has its own rights only',
      caller: SERVER,
      operation: 'services.stop',
      params: { unit: 'a.service' },
      want: 'deny',
      rule: null,
    },
    {
      name: 'a prototype key is no parameter',
      caller: AGENT,
      operation: 'services.restart',
      params: JSON.parse('{"__proto__":{"unit":"nginx.service"}}') as JsonObject,
      want: 'deny',
      rule: 'never-ssh',
    },
    {
      name: 'an operation named like a method is nothing',
      caller: ROOT,
      operation: 'constructor',
      params: {},
      want: 'deny',
      rule: null,
    },
  ];
  for (const { name, caller, operation, params, want, rule } of cases) {
    it(`G-09: ${name}`, () => {
      const decision = decide(POLICY, { caller, operation, params });
      assert.equal(decision.effect, want);
      assert.equal(decision.rule, rule);
      assert.ok(decision.reasons.length > 0);
    });
  }

  it('G-15: without a policy everything is denied', () => {
    assert.equal(decide(null, { caller: ROOT, operation: 'services.restart', params: {} }).effect, 'deny');
    for (const read of READS) assert.equal(decideRead(null, ROOT, read).effect, 'deny');
    assert.equal(isDisruptionAllowed(null, 'services.restart', 0), false);
  });

  it('G-15: whatever is asked of a policy that has no rule, the answer is deny', () => {
    const empty = load('version = 1');
    fc.assert(
      fc.property(fc.nat(70_000), fc.string(), fc.string(), fc.object(), (uid, user, operation, params) => {
        const caller: Caller = { kind: 'local', uid, user };
        assert.equal(decide(empty, { caller, operation, params: params as JsonObject }).effect, 'deny');
      }),
    );
  });

  it('G-02: reads are granted one by one', () => {
    const policy = load(DEFAULT_AGENT_POLICY);
    assert.equal(decideRead(policy, AGENT, 'observe.accounts').effect, 'allow');
    assert.equal(decideRead(policy, AGENT, 'audit.tail').effect, 'deny');
    assert.equal(decideRead(policy, ROOT, 'audit.tail').effect, 'allow');
    assert.equal(decideRead(policy, NOBODY, 'observe.accounts').effect, 'deny');
    assert.equal(decideRead(policy, SERVER, 'observe.accounts').effect, 'deny');
  });

  it('the default policy lets agent, root and control plane ask for the five remediations and nothing else', () => {
    const policy = load(DEFAULT_AGENT_POLICY);
    const operations = ['firewall.restore', 'services.restart', 'logging.restart', 'files.restore', 'accounts.lock'];
    for (const caller of [AGENT, ROOT, SERVER]) {
      for (const operation of operations)
        assert.equal(decide(policy, { caller, operation, params: { user: 'mallory' } }).effect, 'allow', operation);
      for (const operation of ['exec.shell', 'firewall.flush', 'accounts.unlock', 'policy.load']) {
        assert.equal(decide(policy, { caller, operation, params: {} }).effect, 'deny', operation);
      }
    }
    for (const operation of operations)
      assert.equal(decide(policy, { caller: NOBODY, operation, params: {} }).effect, 'deny');
    assert.equal(isDisruptionAllowed(policy, 'firewall.restore', Date.UTC(2026, 1, 3)), true);
  });

  it('a window opens what it names, when it is open', () => {
    const policy = load(
      'version = 1\n[[windows]]\nname = "night"\nschedule = "22:00-02:00 UTC"\noperations = ["firewall.*"]',
    );
    assert.equal(isDisruptionAllowed(policy, 'firewall.restore', Date.UTC(2026, 1, 3, 1, 59)), true);
    assert.equal(isDisruptionAllowed(policy, 'firewall.restore', Date.UTC(2026, 1, 3, 2, 0)), false);
    assert.equal(isDisruptionAllowed(policy, 'accounts.lock', Date.UTC(2026, 1, 3, 1, 0)), false);
  });

  it('a decision among 1,000 rules takes microseconds', () => {
    const rules = Array.from(
      { length: 1_000 },
      (_, index) =>
        `[[rules]]\nname = "r${index}"\nprincipals = ["agent"]\noperations = ["area${index}.run"]\neffect = "allow"\n[rules.params.unit]\nenum = ["a"]`,
    );
    const policy = load(`version = 1\n[[principals]]\nname = "agent"\nuser = "holdfast"\n${rules.join('\n')}`);
    const rounds = 20_000;
    const started = process.hrtime.bigint();
    for (let round = 0; round < rounds; round += 1) {
      decide(policy, { caller: AGENT, operation: `area${round % 1_000}.run`, params: { unit: 'a' } });
    }
    const perDecisionUs = Number(process.hrtime.bigint() - started) / rounds / 1_000;
    assert.ok(perDecisionUs < 50, `${perDecisionUs} µs`);
  });

  it('callers are written one way', () => {
    assert.equal(formatCaller(AGENT), 'local:holdfast');
    assert.equal(formatCaller({ kind: 'local', uid: 64_002, user: null }), 'local:uid-64002');
    assert.equal(formatCaller(SERVER), 'control-plane');
  });
});
