import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { AGENT_OPTIONS, formatAgentConfig, parseAgentConfig } from './config.ts';

function problemsOf(toml: string, environment: Record<string, string> = {}): string {
  let problems = '';
  assert.throws(
    () => parseAgentConfig(toml, environment),
    (error) => {
      if (!hasCode(error, 'ERR_CONFIG_INVALID')) return false;
      problems = String(error.fields['problems']);
      return true;
    },
  );
  return problems;
}

describe('the agent configuration', () => {
  it('C-28: an empty file gives the documented defaults, frozen', () => {
    const config = parseAgentConfig('', {});
    for (const { name, fallback } of AGENT_OPTIONS) assert.equal(config[name], fallback, name);
    assert.ok(Object.isFrozen(config));
  });

  it('C-28: the environment overrides the file', () => {
    const config = parseAgentConfig('pollIntervalS = 30\nlogLevel = "warn"', {
      HOLDFAST_AGENT_POLL_INTERVAL_S: '45',
      HOLDFAST_SERVER_SOMETHING: 'not ours',
    });
    assert.equal(config.pollIntervalS, 45);
    assert.equal(config.logLevel, 'warn');
  });

  it('C-28: every problem is told at once, by path', () => {
    const problems = problemsOf('pollIntervalS = 9\nmaintenanceWindow = "99:99"\npolIntervalS = 60', {
      HOLDFAST_AGENT_NONSENSE: '1',
      HOLDFAST_AGENT_COOL_DOWN_S: 'soon',
    });
    for (const path of ['pollIntervalS', 'maintenanceWindow', 'polIntervalS', 'HOLDFAST_AGENT_NONSENSE', 'coolDownS']) {
      assert.match(problems, new RegExp(path));
    }
  });

  it('C-28: values are not echoed', () => {
    const problems = problemsOf('logLevel = "hunter2"\nrequestTimeoutS = "hunter2"\nnot toml hunter2 = =');
    assert.doesNotMatch(problems, /hunter2/);
    assert.doesNotMatch(problemsOf('logLevel = "hunter2"', { HOLDFAST_AGENT_COOL_DOWN_S: 'hunter2' }), /hunter2/);
  });

  const bounds: { option: string; accepted: number[]; refused: (number | string)[] }[] = [
    { option: 'pollIntervalS', accepted: [10, 3_600], refused: [9, 3_601, 10.5, '"60"'] },
    { option: 'healthCheckTimeoutS', accepted: [10, 300], refused: [9, 301] },
    { option: 'ntpMaxSkewMs', accepted: [100, 3_600_000], refused: [99, 3_600_001] },
    { option: 'coolDownS', accepted: [0, 3_600], refused: [-1, 3_601] },
    { option: 'flapLimit', accepted: [1, 10_000], refused: [0, 10_001] },
    { option: 'healLimit', accepted: [1, 10_000], refused: [0, 10_001] },
    { option: 'breakerFailures', accepted: [1, 10_000], refused: [0, 10_001] },
    { option: 'breakerOpenS', accepted: [1, 3_600], refused: [0, 3_601] },
    { option: 'breakerSuccesses', accepted: [1, 100], refused: [0, 101] },
    { option: 'requestTimeoutS', accepted: [1, 300], refused: [0, 301] },
    { option: 'uploadedRetentionDays', accepted: [1, 365], refused: [0, 366] },
  ];
  for (const { option, accepted, refused } of bounds) {
    it(`C-27, C-28: ${option} keeps its bounds`, () => {
      for (const value of accepted) assert.doesNotThrow(() => parseAgentConfig(`${option} = ${value}`, {}), `${value}`);
      for (const value of refused) assert.match(problemsOf(`${option} = ${value}`), new RegExp(option));
    });
  }

  it('C-28: every option is documented, and the written file parses to the defaults', () => {
    for (const { name, text } of AGENT_OPTIONS) assert.ok(text.length > 20, `${name} has no text`);
    const written = formatAgentConfig();
    assert.deepEqual(parseAgentConfig(written, {}), parseAgentConfig('', {}));
    const uncommented = written.replace(/^# (\w+ = )/gm, '$1');
    assert.deepEqual(parseAgentConfig(uncommented, {}), parseAgentConfig('', {}));
  });

  it('C-28: every option has a reader', () => {
    const source = readdirSync(import.meta.dirname)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'config.ts')
      .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
      .join('\n');
    for (const { name } of AGENT_OPTIONS)
      assert.match(source, new RegExp(`(config|options)\\.${name}\\b`), `nobody reads ${name}`);
  });
});
