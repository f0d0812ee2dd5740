/**
 * What needs no kernel: what is not taken for a control group, and which files of version 2 are written
 * and read, on a directory tree that STANDS IN for a mounted hierarchy, because hosts with version 1
 * do not have one. That the kernel then holds to it is proven in `test/spawner`, in its own version.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { ControlGroups } from './control-groups.ts';
import type { Hierarchy } from './hierarchies.ts';

const IDENTITY = { pidNamespace: '4026531836', pid: 999_999_999, startTicks: '42' };
const CGROUP2 = 0x6367_7270;
const LIMITS = { memoryBytes: 64 * 1_024 * 1_024, processes: 8 };
const CONTROLLERS = ['memory', 'pids', 'cpu', 'blkio', 'cpuacct'] as const;

/** The kernel would make these files with the directory. */
function standIn(directory: string): Hierarchy {
  writeFileSync(join(directory, 'cgroup.subtree_control'), 'cpu memory\n');
  mkdirSync(join(directory, 'holdfast-spawner'));
  writeFileSync(join(directory, 'holdfast-spawner', 'cgroup.subtree_control'), '');
  return { version: 2, controllers: CONTROLLERS, directory };
}

describe('ControlGroups', () => {
  it('X-04: takes no other file system for control groups, and makes nothing there', (t) => {
    const directory = temporaryDirectory(t);
    for (const version of [1, 2] as const) {
      const opened = ControlGroups.open([{ version, controllers: CONTROLLERS, directory }]);
      assert.ok('none' in opened);
      assert.match(opened.none, /^memory and pids cannot be used: .*no control groups of version/);
    }
    assert.deepEqual(readdirSync(directory), []);
  });

  it('X-04: takes neither version for the other, nor what is not there', (t) => {
    const directory = temporaryDirectory(t);
    const hierarchy = { version: 1, controllers: CONTROLLERS, directory } as const;
    assert.ok('none' in ControlGroups.open([hierarchy], IDENTITY, () => CGROUP2));
    assert.ok('none' in ControlGroups.open([{ ...hierarchy, directory: join(directory, 'none') }], IDENTITY));
    assert.deepEqual(readdirSync(directory), []);
  });

  it('X-04: needs both memory and processes to be limited, and names what is not', () => {
    assert.deepEqual(ControlGroups.open([], IDENTITY), { none: 'memory and pids is mounted in no hierarchy' });
  });

  it('X-02: stand-in for version 2: delegates controllers, writes limits, reads membership and usage', (t) => {
    const directory = temporaryDirectory(t);
    const hierarchy = standIn(directory);
    const groups = ControlGroups.open([hierarchy], IDENTITY, () => CGROUP2);
    assert.ok(groups instanceof ControlGroups);
    const subtree = join(directory, 'holdfast-spawner');
    for (const at of [directory, subtree]) {
      assert.equal(readFileSync(join(at, 'cgroup.subtree_control'), 'ascii'), '+memory +pids +cpu +io');
    }
    const group = groups.create(LIMITS);
    const name = readdirSync(subtree).find((one) => one !== 'cgroup.subtree_control') ?? '';
    const file = (of: string) => join(subtree, name, of);
    assert.equal(name, '4026531836-999999999-42-1');
    assert.equal(readFileSync(file('memory.max'), 'ascii'), String(LIMITS.memoryBytes));
    assert.equal(readFileSync(file('pids.max'), 'ascii'), '9');

    group.join(77);
    assert.equal(group.holds(77), true);
    assert.equal(group.holds(7), false);
    writeFileSync(file('cpu.stat'), 'usage_usec 2500\n');
    writeFileSync(file('memory.events'), 'oom 1\noom_kill 1\n');
    writeFileSync(file('io.stat'), '8:0 rbytes=5 wbytes=6\n');
    const usage = group.usage();
    assert.deepEqual(usage.cpuMs, { value: 2.5 });
    assert.deepEqual(usage.peakMemoryBytes, { unknown: 'this kernel has no memory.peak' });
    assert.deepEqual([usage.readBytes, usage.writtenBytes, usage.oomKills], [{ value: 5 }, { value: 6 }, 1]);
  });
});
