import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseShow, parseUnitList } from './systemd-output.ts';

const SSH = 'Id=ssh.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n';
const GONE = 'Id=gone.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n';

describe('parseShow', () => {
  it('C-01: one entry per unit, in the order asked', () => {
    assert.deepEqual(parseShow(`${GONE}\n${SSH}`, ['gone.service', 'ssh.service']), [
      { unit: 'gone.service', load: 'not-found', active: 'inactive', sub: 'dead', enabled: '' },
      { unit: 'ssh.service', load: 'loaded', active: 'active', sub: 'running', enabled: 'enabled' },
    ]);
  });
  it('a unit keeps the name it was asked by', () => {
    assert.equal(parseShow(SSH, ['sshd.service'])?.[0]?.unit, 'sshd.service');
  });
  it('reads properties in any order', () => {
    const shuffled = 'SubState=failed\nActiveState=failed\nUnitFileState=static\nLoadState=loaded\nId=a.service\n';
    assert.equal(parseShow(shuffled, ['a.service'])?.[0]?.active, 'failed');
  });
  const bad: [string, string][] = [
    ['no answer', ''],
    ['an answer too few', SSH],
    ['an answer too many', `${SSH}\n${SSH}\n${SSH}`],
    ['an answer without a state', `${SSH}\nId=a.service\nLoadState=loaded\n`],
    ['a line that is no property', `${SSH}\nFailed to connect to bus\n`],
  ];
  for (const [name, text] of bad) {
    it(`C-01: takes ${name} for no answer`, () => assert.equal(parseShow(text, ['a.service', 'b.service']), undefined));
  }
});

it('parseUnitList takes the first word of each line', () => {
  assert.deepEqual(parseUnitList('b.service loaded failed failed Some B\na.mount loaded failed failed A\n'), [
    'a.mount',
    'b.service',
  ]);
  assert.deepEqual(parseUnitList('\n'), []);
});
