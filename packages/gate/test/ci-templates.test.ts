import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/packaging/ci/${path}`, 'utf8');
const FILES = ['github/holdfast-gate.yml', 'gitlab/holdfast-gate.gitlab-ci.yml'];

/** Words of every `holdfast gate …` in a file, variables and quotes left as they are. */
const callsIn = (text: string): string[][] =>
  [...text.matchAll(/^\s*- (?:run: )?holdfast (gate .*)$/gm)].map(([, call = '']) => call.split(/\s+/));
/** The hook has them as arguments of `step <name> …`. */
const hookCalls = (text: string): string[][] =>
  [...text.matchAll(/^\s*step \w+ (.*)$/gm)].map(([, call = '']) => `gate ${call}`.split(/\s+/));

const helps = new Map<string, string>();
function helpOf(words: readonly string[]): string {
  const key = words.join(' ');
  const known =
    helps.get(key) ?? execFileSync(`${root}/apps/cli/bin/holdfast`, [...words, '--help'], { encoding: 'utf8' });
  helps.set(key, known);
  return known;
}

describe('CI templates', () => {
  for (const file of FILES) {
    it(`R-32: ${file} is YAML with jobs that lint, scan and verify`, () => {
      const document = parse(read(file)) as Record<string, unknown>;
      assert.equal(typeof document, 'object');
      const calls = callsIn(read(file)).map((words) => words.slice(0, 3).join(' '));
      for (const wanted of ['gate lint', 'gate scan secrets', 'gate scan dependencies', 'gate scan vulnerabilities'])
        //
        assert.ok(calls.includes(wanted), wanted);
      assert.ok(calls.some((call) => call.startsWith('gate verify')));
    });
  }

  it('R-32: the GitHub workflow pins every action by commit and asks for no right to write', () => {
    const text = read('github/holdfast-gate.yml');
    for (const [, action = ''] of text.matchAll(/uses: (\S+)/g)) assert.match(action, /^actions\/[\w-]+@[0-9a-f]{40}$/);
    assert.deepEqual((parse(text) as Record<string, unknown>)['permissions'], { contents: 'read' });
    assert.ok(!/run:.*\$\{\{/.test(text), 'no expression is pasted into a script');
  });

  for (const file of [...FILES, 'pre-receive']) {
    it(`R-32: every call of holdfast in ${file} uses commands and options that there are`, () => {
      const calls = file === 'pre-receive' ? hookCalls(read(file)) : callsIn(read(file));
      assert.ok(calls.length >= 3);
      for (const words of calls) {
        const names = words[1] === 'scan' ? words.slice(0, 3) : words.slice(0, 2);
        const help = helpOf(names);
        assert.match(help, new RegExp(`^Usage: holdfast ${names.join(' ')} `, 'm'));
        for (const option of words.filter((word) => word.startsWith('-')))
          assert.ok(help.split(/[\s,]+/).includes(option), `${names.join(' ')} ${option}`);
      }
    });
  }
});
