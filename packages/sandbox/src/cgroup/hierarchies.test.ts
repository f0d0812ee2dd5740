/** Hosts as their /proc shows them: version 1, version 2, both, and texts that no kernel should write. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { listHierarchies } from './hierarchies.ts';

const noUnified = () => null;
const V1 = [
  '33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  '39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids',
  '40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd',
].join('\n');
const V1_OWN = '9:name=systemd:/\n8:pids:/\n4:memory:/a.slice/b\n1:cpu,cpuacct:/\n0::/\n';
const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot';

describe('listHierarchies', () => {
  it('X-02: finds the own group in every version 1 hierarchy that limits or measures something', () => {
    assert.deepEqual(listHierarchies(V1, V1_OWN, noUnified), [
      { version: 1, controllers: ['cpuacct', 'cpu'], directory: '/sys/fs/cgroup/cpu,cpuacct' },
      { version: 1, controllers: ['memory'], directory: '/sys/fs/cgroup/memory/a.slice/b' },
      { version: 1, controllers: ['pids'], directory: '/sys/fs/cgroup/pids' },
    ]);
  });

  it('X-02: finds the one hierarchy of version 2 with what its group offers', () => {
    const asked: string[] = [];
    const found = listHierarchies(V2, '0::/system.slice/holdfast.service\n', (directory) => {
      asked.push(directory);
      return 'cpuset cpu io memory hugetlb pids rdma\n';
    });
    const directory = '/sys/fs/cgroup/system.slice/holdfast.service';
    assert.deepEqual(asked, [directory]);
    assert.deepEqual(found, [{ version: 2, controllers: ['memory', 'pids', 'cpu', 'blkio', 'cpuacct'], directory }]);
  });

  it('X-02: takes version 1 for what is bound there, and version 2 for the rest', () => {
    const memoryOnly = '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory';
    const unified = '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw';
    assert.deepEqual(
      listHierarchies(`${unified}\n${memoryOnly}`, '4:memory:/\n0::/', () => 'memory pids'),
      [
        { version: 1, controllers: ['memory'], directory: '/sys/fs/cgroup/memory' },
        { version: 2, controllers: ['pids', 'cpuacct'], directory: '/sys/fs/cgroup/unified' },
      ],
    );
  });

  it('X-02: sees a group of a container whose mount starts at that group', () => {
    const bound = '35 31 0:32 /docker/c0ffee /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory';
    const within = (path: string) => listHierarchies(bound, `4:memory:${path}`, noUnified).map((one) => one.directory);
    assert.deepEqual(within('/docker/c0ffee'), ['/sys/fs/cgroup/memory']);
    assert.deepEqual(within('/docker/c0ffee/inner'), ['/sys/fs/cgroup/memory/inner']);
    assert.deepEqual(within('/docker/c0ffee2'), []); // a name that only starts alike
    assert.deepEqual(within('/docker'), []);
  });

  const nothing: { name: string; mounts: string; own: string }[] = [
    { name: 'no text at all', mounts: '', own: '' },
    { name: 'mounts without a line for the own group', mounts: V1, own: '' },
    { name: 'an own group outside of the cgroup namespace', mounts: V2, own: '0::/../../other.slice' },
    { name: 'a line that ends before its separator', mounts: '35 31 0:32 / /sys/fs/cgroup/memory rw', own: V1_OWN },
    { name: 'a line that ends before its mount point', mounts: '35 31 0:32 - cgroup cgroup rw,memory', own: V1_OWN },
    {
      name: 'a file system that only calls its source cgroup',
      mounts: '35 31 0:32 / /sys/fs/cgroup/memory rw - tmpfs cgroup rw,memory',
      own: V1_OWN,
    },
    {
      name: 'a mount point with an escaped separator in its name',
      mounts: '35 31 0:32 / /mnt/x\\040-\\040cgroup\\040cgroup\\040rw,memory rw - tmpfs none rw',
      own: V1_OWN,
    },
    {
      name: 'a controller whose name only starts alike',
      mounts: '35 31 0:32 / /m rw - cgroup cgroup rw,memory2,xpids',
      own: V1_OWN,
    },
    { name: 'a group path that is not absolute', mounts: V1, own: '4:memory:relative' },
  ];
  for (const { name, mounts, own } of nothing) {
    it(`X-04: finds nothing in ${name}`, () => {
      assert.deepEqual(
        listHierarchies(mounts, own, () => 'memory pids'),
        [],
      );
    });
  }

  it('X-02: reads escaped mount points as the names they are', () => {
    const escaped = '35 31 0:32 / /mnt/a\\040b\\134c rw - cgroup cgroup rw,memory';
    assert.equal(listHierarchies(escaped, '4:memory:/', noUnified)[0]?.directory, '/mnt/a b\\c');
  });

  it('X-04: never throws, names each controller once, and stays below a mount point', () => {
    const word = fc.constantFrom('35', '/', '/..', '/a', '-', 'cgroup', 'cgroup2', 'rw,memory', 'pids', '0:3', '\\040');
    const line = fc.oneof(
      fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
      fc.string(),
    );
    const own = fc.array(fc.constantFrom('0::/', '4:memory:/a', '8:pids:/..', '::', '1:cpu,memory:/'), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), own, (lines, groups) => {
        const found = listHierarchies([...lines, V2].join('\n'), groups.join('\n'), () => 'memory pids');
        const controllers = found.flatMap((one) => one.controllers);
        assert.equal(new Set(controllers).size, controllers.length);
        for (const { directory } of found) assert.ok(!directory.endsWith('/..'));
      }),
    );
  });
});
