import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseBaseline, requireBaseline } from './baseline.ts';
import { CHECKS } from './checks.ts';
import { CustomCheckSchema } from './custom/declaration.ts';

const guide = (name: string): string => readFileSync(new URL(`../../../docs/guides/${name}`, import.meta.url), 'utf8');

describe('docs/guides', () => {
  it('C-03: the example in baseline.md is a valid baseline with every check and an exception', () => {
    const example = /```yaml\n(.*?)```/s.exec(guide('baseline.md'))?.[1] ?? '';
    const baseline = requireBaseline(parseBaseline(example));
    assert.deepEqual([...baseline.sections.keys()], [...CHECKS.keys()]);
    assert.equal(baseline.exceptions.length, 1);
  });

  it('C-14: the example in custom-checks.md is a valid baseline, and its limits are the defaults', () => {
    const example = /```yaml\n(.*?)```/s.exec(guide('custom-checks.md'))?.[1] ?? '';
    const [documented] = requireBaseline(parseBaseline(example)).customChecks;
    const without = requireBaseline(parseBaseline(example.replace(/^ +limits: .*$/m, ''))).customChecks;
    assert.equal(documented?.name, 'sshd_settings');
    assert.deepEqual(without, [documented]);
  });

  it('C-14: custom-checks.md has a row for every input', () => {
    const text = guide('custom-checks.md');
    for (const name of Object.keys(CustomCheckSchema.shape.inputs.parse({}))) {
      assert.match(text, new RegExp(`^\\| \`${name}: `, 'm'));
    }
  });

  it('C-03: baseline.md has a row for every check', () => {
    const text = guide('baseline.md');
    for (const name of CHECKS.keys()) assert.ok(text.includes(`\n| \`${name}\` |`), name);
  });
});
