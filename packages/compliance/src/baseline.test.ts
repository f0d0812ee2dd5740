import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { goodParts, inMemoryHost } from '../test/in-memory-host.ts';
import { baselineFrom, captureAll } from '../test/baselines.ts';
import { MAX_BASELINE_BYTES, parseBaseline, remediationPolicyOf } from './baseline.ts';

const HEAD = 'version: 1\nname: web\ncreated: 2026-03-01T12:00:00.000Z\n';
const PORTS = 'checks:\n  ports:\n    listening: []\n';

/** Characters that mean something to YAML, and a few that do not. */
const INDICATORS = Array.from('{}[]:-&*!|>\'"#%@ \n\tab1');

const problemsOf = (yaml: string | Uint8Array): string[] => {
  const parsed = parseBaseline(yaml);
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`);
};

describe('parseBaseline', () => {
  it('C-03: accepts the smallest baseline and fills in the defaults', () => {
    const baseline = baselineFrom(HEAD + PORTS);
    assert.equal(baseline.hostId, null);
    assert.deepEqual(baseline.exceptions, []);
    assert.deepEqual(baseline.sections.get('ports'), {
      severity: null,
      controls: {},
      remediation: 'ask', // C-26
      expectation: { listening: [], ignore: [] },
    });
    assert.equal(remediationPolicyOf(baseline, 'ports'), 'ask');
    assert.equal(remediationPolicyOf(baseline, 'firewall'), 'never');
  });

  const refused: { name: string; yaml: string; path: string }[] = [
    { name: 'an empty document', yaml: '', path: 'document' },
    { name: 'a scalar', yaml: 'yes', path: 'document' },
    { name: 'no checks', yaml: `${HEAD}checks: {}\n`, path: 'checks' },
    { name: 'an unknown key', yaml: `${HEAD}${PORTS}extra: 1\n`, path: 'document' },
    { name: 'an unknown check', yaml: `${HEAD}checks:\n  antivirus: {}\n`, path: 'checks' },
    { name: 'an unknown key in a section', yaml: `${HEAD}${PORTS}    extra: 1\n`, path: 'checks.ports' },
    { name: 'another version', yaml: HEAD.replace('version: 1', 'version: 2') + PORTS, path: 'version' },
    { name: 'a duplicate key', yaml: `${HEAD}name: other\n${PORTS}`, path: 'line 4, column 1' },
    { name: 'a second document', yaml: `${HEAD}${PORTS}---\na: 1\n`, path: 'line 7, column 1' },
    { name: 'YAML 1.1', yaml: `%YAML 1.1\n---\n${HEAD}${PORTS}`, path: 'document' },
    { name: 'a custom tag', yaml: `${HEAD}${PORTS}exceptions: !evil []\n`, path: 'line 7, column 13' },
    { name: 'a timestamp tag', yaml: `${HEAD}${PORTS}hostId: !!timestamp 2026-01-01\n`, path: 'line 7, column 9' },
    { name: 'an anchor', yaml: `${HEAD}${PORTS}exceptions: &a []\n`, path: 'line 7, column 16' },
    { name: 'a merge key', yaml: `${HEAD}${PORTS}    <<: {ignore: []}\n`, path: 'checks.ports' },
    {
      name: 'a path that climbs',
      yaml: `${HEAD}checks:\n  certificates: {files: [/etc/../x]}\n`,
      path: 'checks.certificates.files.0',
    },
    {
      name: 'a unit that is an option',
      yaml: `${HEAD}checks:\n  services: {units: [-H.service]}\n`,
      path: 'checks.services.units.0',
    },
    {
      name: 'a socket named twice',
      yaml: `${HEAD}checks:\n  services: {units: [a.service, a.service]}\n`,
      path: 'checks.services.units',
    },
    {
      name: 'a ruleset of comments',
      yaml: `${HEAD}checks:\n  firewall: {ruleset: "# none\\n"}\n`,
      path: 'checks.firewall.ruleset',
    },
    {
      name: 'two time sources',
      yaml: `${HEAD}checks:\n  time_sync: {sources: [a, b]}\n`,
      path: 'checks.time_sync.sources',
    },
    {
      name: 'six time sources',
      yaml: `${HEAD}checks:\n  time_sync: {sources: [a, b, c, d, e, f]}\n`,
      path: 'checks.time_sync.sources',
    },
  ];
  for (const { name, yaml, path } of refused) {
    it(`C-03: refuses ${name}, and says where`, () => {
      const problems = problemsOf(yaml);
      assert.ok(
        problems.some((problem) => problem.startsWith(`${path}: `)),
        `got ${JSON.stringify(problems)}`,
      );
    });
  }

  it('C-03: reports every problem at once and echoes no value', () => {
    const secret = 'hunter2-never-echo';
    const yaml = [
      'version: 9',
      `name: "${secret}\\t"`,
      `created: ${secret}`,
      `${secret}: 1`,
      'checks:',
      `  services: {units: ["${secret}"], remediation: ${secret}}`,
      `  firewall: {ruleset: 5, severity: ${secret}}`,
      `  accounts: {uid0: [], authorizedKeys: {root: ["${secret}"]}}`,
    ].join('\n');
    const problems = problemsOf(yaml);
    for (const path of [
      'version',
      'name',
      'created',
      'document',
      'checks.services.units.0',
      'checks.services.remediation',
      'checks.firewall.ruleset',
      'checks.firewall.severity',
      'checks.accounts.uid0',
      'checks.accounts.authorizedKeys.root.0',
    ]) {
      assert.ok(
        problems.some((problem) => problem.startsWith(`${path}: `)),
        `${path} in ${problems.join('\n')}`,
      );
    }
    assert.ok(!problems.join('\n').includes(secret));
  });

  it('C-03: refuses an alias bomb at once', () => {
    const bomb = [
      'a: &a [x, x]',
      ...Array.from({ length: 30 }, (_, i) => `b${i}: &b${i} [*${i === 0 ? 'a' : `b${i - 1}`}, *a]`),
    ];
    const startedMs = performance.now();
    assert.ok(problemsOf(bomb.join('\n')).some((problem) => problem.endsWith('aliases are not allowed')));
    assert.ok(performance.now() - startedMs < 1_000);
  });

  it('C-03: refuses nesting that would exhaust the stack', () => {
    assert.ok(problemsOf(`a: ${'['.repeat(100_000)}`).length > 0);
  });

  it('C-03: accepts 1 MiB and refuses one byte more', () => {
    const base = `${HEAD}${PORTS}#`;
    const padding = (size: number): string => base.padEnd(size, 'x');
    assert.deepEqual(problemsOf(padding(MAX_BASELINE_BYTES)), []);
    assert.deepEqual(problemsOf(padding(MAX_BASELINE_BYTES + 1)), ['document: is larger than 1 MiB']);
  });

  it('C-03: refuses bytes that are not UTF-8', () => {
    assert.deepEqual(problemsOf(Uint8Array.of(0xff, 0xfe)), ['document: is not UTF-8']);
  });

  it('C-05: an exception may last 90 days and not a millisecond longer', () => {
    const head = `${HEAD}${PORTS}exceptions:\n  - {check: ports, subject: "*", reason: r, owner: o, risk: low`;
    const exception = (expires: string): string => `${head}, expires: ${expires}}\n`;
    assert.deepEqual(problemsOf(exception('2026-05-30T12:00:00.000Z')), []);
    assert.deepEqual(problemsOf(exception('2026-05-30T12:00:00.001Z')), [
      'exceptions.0.expires: is more than 90 days after created',
    ]);
  });

  it('C-13: content in the baseline must have the digest beside it', async () => {
    const yaml = await captureAll(inMemoryHost(goodParts()));
    const problems = problemsOf(yaml.replace('world', 'World'));
    assert.deepEqual(problems, ['checks.files.entries.0.text: does not have the digest of the entry']);
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...INDICATORS) })), (text) => {
        assert.equal(parseBaseline(text).ok, false);
      }),
      { numRuns: 500 },
    );
  });
});
