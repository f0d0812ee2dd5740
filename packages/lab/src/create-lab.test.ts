import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { createLab, openLab } from './create-lab.ts';
import { type LabRecord, readRecord, timeControlPath, writeRecord, writeTimeOffsets } from './lab-record.ts';
import { listMounts } from './remains.ts';

const good = { id: 'unit', directory: '/tmp/holdfast-lab-unit', hosts: 2, repositoryRoot: '/' };

const record: LabRecord = {
  format: 1,
  id: 'unit',
  kind: 'linux',
  hosts: 1,
  net: '10.99.1',
  repositoryRoot: '/',
  diskBytes: 1,
  complete: true,
  drifts: [],
};

describe('a lab before it is up', () => {
  it('knows its hosts and addresses and has written nothing', () => {
    const lab = createLab(good);
    assert.deepEqual(lab.hosts, ['web-1', 'web-2']);
    assert.equal(lab.addressOf('web-2'), lab.gatewayAddress.replace(/254$/, '12'));
    assert.equal(existsSync(good.directory), false);
  });

  const refused: { name: string; options: Partial<typeof good> }[] = [
    { name: 'an empty id', options: { id: '' } },
    { name: 'nine characters of id', options: { id: 'abcdefghi' } },
    { name: 'an id that would be an option or a path', options: { id: '-a/..' } },
    { name: 'no hosts', options: { hosts: 0 } },
    { name: '65 hosts', options: { hosts: 65 } },
    { name: 'half a host', options: { hosts: 1.5 } },
    { name: 'a relative directory', options: { directory: 'lab' } },
    { name: 'a directory that mount would read as options', options: { directory: '/tmp/a,upperdir=/etc' } },
    { name: 'a directory with a way out', options: { directory: '/tmp/../etc' } },
  ];
  for (const { name, options } of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => createLab({ ...good, ...options }),
        (error) => hasCode(error, 'ERR_LAB_INPUT'),
      );
    });
  }

  it('knows its directory by the path without links, as the kernel does', (t) => {
    const base = temporaryDirectory(t);
    symlinkSync(base, join(base, 'link'));
    assert.equal(createLab({ ...good, directory: join(base, 'link/new/lab') }).directory, join(base, 'new/lab'));
    mkdirSync(join(base, 'with space'));
    symlinkSync(join(base, 'with space'), join(base, 'hidden'));
    assert.throws(
      () => createLab({ ...good, directory: join(base, 'hidden/lab') }),
      (error) => hasCode(error, 'ERR_LAB_INPUT'),
    );
  });

  it('takes the longest id and the most hosts', () => {
    assert.equal(createLab({ ...good, id: 'abcdefgh', hosts: 64 }).hosts.length, 64);
  });

  it('refuses a host it does not have', () => {
    for (const host of ['web-3', '', '../web-1']) {
      assert.throws(
        () => createLab(good).addressOf(host),
        (error) => hasCode(error, 'ERR_LAB_INPUT'),
      );
    }
  });
});

describe('the record of a lab', () => {
  it('is read back as it was written', (t) => {
    const directory = temporaryDirectory(t);
    assert.equal(readRecord(directory), undefined);
    assert.throws(
      () => openLab(directory),
      (error) => hasCode(error, 'ERR_LAB_NOT_FOUND'),
    );
    writeRecord(directory, record);
    assert.deepEqual(readRecord(directory), record);
    assert.equal(openLab(directory).id, 'unit');
  });

  const broken = [
    { name: 'empty', text: '' },
    { name: 'torn', text: '{"format":1,' },
    { name: 'of another format', text: JSON.stringify({ ...record, format: 2 }) },
    { name: 'with an id that is a path', text: JSON.stringify({ ...record, id: '../x' }) },
    { name: 'with an unknown key', text: JSON.stringify({ ...record, extra: 1 }) },
  ];
  for (const { name, text } of broken) {
    it(`is refused when it is ${name}`, (t) => {
      const directory = temporaryDirectory(t);
      writeFileSync(join(directory, 'lab.json'), text);
      assert.throws(
        () => openLab(directory),
        (error) => hasCode(error, 'ERR_LAB_RECORD_INVALID'),
      );
    });
  }

  it('keeps the time of each host apart', (t) => {
    const directory = temporaryDirectory(t);
    writeTimeOffsets(directory, '10.9.9.11', { '10.9.9.2': 5000 });
    writeTimeOffsets(directory, '10.9.9.12', { '10.9.9.2': -1 });
    writeTimeOffsets(directory, '10.9.9.11', {});
    assert.deepEqual(JSON.parse(readFileSync(timeControlPath(directory), 'utf8')), {
      '10.9.9.11': {},
      '10.9.9.12': { '10.9.9.2': -1 },
    });
  });
});

describe('mounts of a lab', () => {
  it('are found by directory, the latest first, and never those of a neighbour', () => {
    const mountinfo = [
      '43 27 0:39 / /tmp/lab/hosts/web-1 rw,relatime - tmpfs tmpfs rw',
      '46 43 0:40 / /tmp/lab/hosts/web-1/root rw,relatime - overlay overlay rw',
      String.raw`47 27 0:41 / /tmp/lab/with\040space rw - tmpfs tmpfs rw`,
      '48 27 0:42 / /tmp/lab2/hosts rw - tmpfs tmpfs rw',
      '49 27 0:43 / /tmp/lab rw - tmpfs tmpfs rw',
      '',
    ].join('\n');
    assert.deepEqual(listMounts('/tmp/lab', mountinfo), [
      '/tmp/lab/with space',
      '/tmp/lab/hosts/web-1/root',
      '/tmp/lab/hosts/web-1',
    ]);
  });
});
