import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '@holdfast/core';
import { type Command, parsePolicy, resolveArgv } from './index.ts';

const TEXT = `
version = 1
[[commands]]
name = "exec.backup"
path = "/usr/bin/backup"
argv = ["--level", "{level}", "{mode}", "{name}", "--", "{file}", "{text}"]
[commands.params]
level = { type = "integer", min = -1, max = 9 }
mode = { type = "enum", values = ["full", "-x"] }
name = { type = "string", pattern = "[^/]*", maxChars = 8 }
file = { type = "path", prefix = "/srv/data" }
text = { type = "string", pattern = ".*" }
`;
const command: Command = parsePolicy([TEXT]).policy!.commands.get('exec.backup')!;
const GOOD: JsonObject = { level: 3, mode: 'full', name: 'a b;$(id)', file: '/srv/data/x', text: '-rf' };

describe('resolveArgv', () => {
  it('G-10: parameters fill whole elements, whatever a shell would make of them', () => {
    const params = { ...GOOD, name: 'a;$(id)' };
    assert.deepEqual(resolveArgv(command, params), [
      '/usr/bin/backup',
      '--level',
      '3',
      'full',
      'a;$(id)',
      '--',
      '/srv/data/x',
      '-rf',
    ]);
  });
  const refused: { name: string; params: JsonObject }[] = [
    { name: 'a value with a dash before `--`', params: { ...GOOD, name: '-n' } },
    { name: 'a negative number before `--`', params: { ...GOOD, level: -1 } },
    { name: 'a dash that the policy itself lists', params: { ...GOOD, mode: '-x' } },
    { name: 'a value longer than allowed', params: { ...GOOD, name: '123456789' } },
    { name: 'a number past the range', params: { ...GOOD, level: 10 } },
    { name: 'a number as text', params: { ...GOOD, level: '3' } },
    { name: 'a path outside of its prefix', params: { ...GOOD, file: '/srv/database' } },
    { name: 'a path that climbs', params: { ...GOOD, file: '/srv/data/../../etc/shadow' } },
    { name: 'a NUL', params: { ...GOOD, text: 'a\0b' } },
    { name: 'an object', params: { ...GOOD, text: { a: 1 } } },
    { name: 'an unknown parameter', params: { ...GOOD, more: 1 } },
    { name: 'a missing parameter', params: { level: 3 } },
  ];
  for (const { name, params } of refused) {
    it(`G-10: ${name} is refused`, () => {
      assert.throws(() => resolveArgv(command, params), { code: 'ERR_COMMAND_PARAMS' });
    });
  }
});
