import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { DEFAULT_AGENT_POLICY, DEFAULT_SANDBOX_PROFILE, formatAgentPolicy, parsePolicy, policyHash } from './index.ts';

const HEAD = 'version = 1\n[[principals]]\nname = "agent"\nuser = "holdfast"\n';
const rule = (name: string, extra = '', operations = '["services.restart"]', effect = 'allow'): string =>
  `[[rules]]\nname = "${name}"\nprincipals = ["agent"]\noperations = ${operations}\neffect = "${effect}"\n${extra}\n`;

const command = (profile: string): string =>
  `[[commands]]\nname = "exec.a"\npath = "/usr/bin/a"\nprofile = "${profile}"\n`;
const profile = (name: string, extra = ''): string => `[[profiles]]\nname = "${name}"\n${extra}\n`;

describe('parsePolicy', () => {
  const errors: { name: string; text: string; code: string }[] = [
    { name: 'an unknown key at the top', text: `${HEAD}[[rulez]]\nname = "x"`, code: 'unknown-key' },
    { name: 'an unknown key in a rule', text: HEAD + rule('a', 'unless = true'), code: 'unknown-key' },
    { name: 'a second rule of a name', text: HEAD + rule('a') + rule('a'), code: 'duplicate-name' },
    { name: 'a principal that is also a group', text: `${HEAD}[groups]\nagent = ["agent"]`, code: 'duplicate-name' },
    {
      name: 'a rule for a principal that does not exist',
      text: HEAD + rule('a').replace('["agent"]', '["agnet"]'),
      code: 'unknown-principal',
    },
    { name: 'a group member that does not exist', text: `${HEAD}[groups]\ng = ["nobody"]`, code: 'unknown-principal' },
    { name: 'a grant of everything', text: HEAD + rule('a', '', '["*"]'), code: 'grants-everything' },
    { name: 'a grant of every command', text: HEAD + rule('a', '', '["exec.*"]'), code: 'grants-everything' },
    {
      name: 'a pattern that does not compile',
      text: HEAD + rule('a', '[rules.params.unit]\npattern = "("'),
      code: 'bad-pattern',
    },
    { name: 'an empty range', text: HEAD + rule('a', '[rules.params.n]\nmin = 2\nmax = 1'), code: 'empty-range' },
    {
      name: 'a constraint of two kinds at once',
      text: HEAD + rule('a', '[rules.params.n]\nmin = 2\nmax = 3\npattern = "x"'),
      code: 'bad-shape',
    },
    { name: 'an effect that does not exist', text: HEAD + rule('a', '', '["a.b"]', 'permit'), code: 'bad-shape' },
    {
      name: 'a window that is none',
      text: `${HEAD}[[windows]]\nname = "w"\nschedule = "99:99-00:00 UTC"`,
      code: 'bad-window',
    },
    {
      name: 'a parameter inside an element',
      text: `${HEAD}[[commands]]\nname = "exec.a"\npath = "/bin/a"\nargv = ["--x={v}"]\n[commands.params.v]\ntype = "integer"\nmin = 1\nmax = 2`,
      code: 'partial-element',
    },
    { name: 'a command by relative path', text: `${HEAD}[[commands]]\nname = "exec.a"\npath = "a"`, code: 'bad-shape' },
    {
      name: 'a command path that climbs',
      text: `${HEAD}[[commands]]\nname = "exec.a"\npath = "/bin/../a"`,
      code: 'bad-shape',
    },
    { name: 'a command under a profile that does not exist', text: HEAD + command('ghost'), code: 'unknown-profile' },
    { name: 'a second profile of a name', text: HEAD + profile('p') + profile('p'), code: 'duplicate-name' },
    { name: 'another meaning for the default profile', text: HEAD + profile('default'), code: 'duplicate-name' },
    { name: 'a profile that runs as root', text: HEAD + profile('p', 'user = "root"'), code: 'root-profile' },
    { name: 'a layer that does not exist', text: HEAD + profile('p', 'require = ["moat"]'), code: 'bad-shape' },
    { name: 'a later version', text: 'version = 2', code: 'bad-shape' },
    { name: 'text that is no TOML', text: 'version = = 1', code: 'bad-toml' },
    { name: 'no text', text: ' \n', code: 'empty-policy' },
  ];
  for (const { name, text, code } of errors) {
    it(`G-08: ${name} refuses to load`, () => {
      const { policy, findings } = parsePolicy([text]);
      assert.equal(policy, null);
      assert.ok(
        findings.some((finding) => finding.severity === 'ERROR' && finding.code === code),
        JSON.stringify(findings),
      );
    });
  }

  const warnings: { name: string; text: string; code: string }[] = [
    {
      name: 'a rule behind one that says the same',
      text: HEAD + rule('a') + rule('b', '[rules.params.unit]\nenum = ["x"]'),
      code: 'shadowed-rule',
    },
    {
      name: 'an allow behind a deny of its area',
      text: HEAD + rule('a', '', '["services.*"]', 'deny') + rule('b'),
      code: 'shadowed-rule',
    },
    {
      name: 'an allow before a deny of the same',
      text: HEAD + rule('a') + rule('b', '', '["services.restart"]', 'deny'),
      code: 'shadowed-rule',
    },
    {
      name: 'a rule for a command nobody declared',
      text: HEAD + rule('a', '', '["exec.ghost"]'),
      code: 'unreachable-rule',
    },
    {
      name: 'a rule for an empty group',
      text: `${HEAD}${rule('a').replace('["agent"]', '["g"]')}[groups]\ng = []`,
      code: 'unreachable-rule',
    },
    {
      name: 'approval that nobody can give',
      text: HEAD + rule('a', '', '["a.b"]', 'needs-approval'),
      code: 'no-approvers',
    },
    {
      name: 'a profile with the network of the host',
      text: HEAD + command('p') + profile('p', 'network = "host"'),
      code: 'weak-profile',
    },
    {
      name: 'a profile that does without a layer',
      text: HEAD + command('p') + profile('p', 'require = ["seccomp"]'),
      code: 'weak-profile',
    },
  ];
  for (const { name, text, code } of warnings) {
    it(`G-08: ${name} loads with a warning`, () => {
      const { policy, findings } = parsePolicy([text]);
      assert.ok(policy, JSON.stringify(findings));
      assert.ok(
        findings.some((finding) => finding.severity === 'WARN' && finding.code === code),
        JSON.stringify(findings),
      );
    });
  }

  it('X-01: a profile says only what differs, is found by its name, and is hashed with the policy', () => {
    const text = HEAD + command('p') + profile('p', 'limits = { cpuSeconds = 5 }');
    const { policy, findings } = parsePolicy([text]);
    assert.ok(policy, JSON.stringify(findings));
    assert.ok(findings.every(({ severity }) => severity === 'INFO'));
    assert.deepEqual(policy.profiles.get('p')?.limits, { ...DEFAULT_SANDBOX_PROFILE.limits, cpuSeconds: 5 });
    assert.equal(policy.profiles.get('default'), DEFAULT_SANDBOX_PROFILE);
    assert.notEqual(policyHash(policy), parsePolicy([text.replace('5', '6')]).policy?.hash);
  });

  it('G-08: findings repeat no value of the file', () => {
    const { findings } = parsePolicy([
      `${HEAD}${rule('a', '[rules.params.unit]\npattern = "(s3cret"')}`,
      'hunter2 = = x',
    ]);
    assert.doesNotMatch(JSON.stringify(findings), /s3cret|hunter2/);
  });

  it('G-08: drop-ins add to lists and may not say a thing twice', () => {
    assert.ok(parsePolicy([HEAD + rule('a'), rule('b', '', '["files.restore"]')]).policy);
    assert.equal(parsePolicy([HEAD, 'version = 2']).policy, null);
    assert.equal(parsePolicy([`${HEAD}[groups]\ng = ["agent"]`, '[groups]\ng = []']).policy, null);
  });

  it('the examples of the guide load, with commands and a profile of their own', () => {
    const guide = readFileSync(new URL('../../../docs/guides/policy.md', import.meta.url), 'utf8');
    const [first = '', second = ''] = [...guide.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, text = '']) => text);
    assert.ok(parsePolicy([first]).policy);
    const { policy, findings } = parsePolicy([`version = 1\n${second}`]);
    assert.deepEqual(
      findings.filter(({ severity }) => severity !== 'INFO'),
      [],
    );
    assert.equal(policy?.profiles.get(policy.commands.get('exec.count-lines')?.profile ?? '')?.name, 'reports');
  });

  it('the policies that ship load without a warning', () => {
    for (const text of [DEFAULT_AGENT_POLICY, formatAgentPolicy({ uid: 1_000 }), formatAgentPolicy({ uid: 0 })]) {
      const { policy, findings } = parsePolicy([text]);
      assert.ok(policy);
      assert.deepEqual(findings, []);
    }
  });

  it('G-12: the hash is of what the policy says, not of how it is written', () => {
    const one = parsePolicy([HEAD + rule('a')]).policy;
    const same = parsePolicy([`# a comment\n${HEAD}`, rule('a').replaceAll(' = ', '=')]).policy;
    const other = parsePolicy([HEAD + rule('b')]).policy;
    assert.ok(one && same && other);
    assert.equal(policyHash(one), policyHash(same));
    assert.notEqual(policyHash(one), policyHash(other));
    assert.match(policyHash(one), /^[0-9a-f]{64}$/);
  });

  it('G-08: any text gives findings or a policy, and never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => DEFAULT_AGENT_POLICY + text),
        ),
        (text) => {
          const { policy, findings } = parsePolicy([text]);
          assert.equal(
            policy === null,
            findings.some(({ severity }) => severity === 'ERROR'),
          );
        },
      ),
    );
  });
});
