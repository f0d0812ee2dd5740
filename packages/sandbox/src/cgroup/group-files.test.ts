/** The files of control groups as both versions of the kernel write them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { CPU_MS, IO_BYTES, OOM_KILLS, parsePids, PEAK_MEMORY_BYTES } from './group-files.ts';
import { formatGroupName, parseGroupName, parseStartTicks } from './group-name.ts';

describe('the files of a control group', () => {
  it('X-07: read alike in both versions', () => {
    assert.equal(CPU_MS[1][1]('1234000000'), 1_234);
    assert.equal(CPU_MS[2][1]('usage_usec 1234000\nuser_usec 1000000\nsystem_usec 234000'), 1_234);
    assert.equal(PEAK_MEMORY_BYTES[1][1]('4096'), 4_096);
    assert.equal(PEAK_MEMORY_BYTES[2][1]('4096'), 4_096);
    assert.equal(OOM_KILLS[1][1]('oom_kill_disable 0\nunder_oom 0\noom_kill 2'), 2);
    assert.equal(OOM_KILLS[2][1]('low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0'), 2);
    const v1 = '8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n8:16 Read 1\n8:16 Write 2\nTotal 33';
    const v2 = '8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=5 dios=1\n8:16 rbytes=1 wbytes=2 rios=1 wios=1';
    assert.deepEqual(IO_BYTES[1][1](v1), { read: 11, written: 22 });
    assert.deepEqual(IO_BYTES[2][1](v2), { read: 11, written: 22 });
  });

  it('X-07: give no number where there is none', () => {
    for (const text of ['', 'max', '-1', '0x10', 'oom_kill', 'oom_kill many', 'oom_kills 3']) {
      assert.ok(Number.isNaN(PEAK_MEMORY_BYTES[2][1](text)), text);
      assert.ok(Number.isNaN(OOM_KILLS[2][1](text)), text);
      assert.ok(Number.isNaN(CPU_MS[2][1](text)), text);
    }
  });

  it('X-07: list only processes that a signal can be meant for', () => {
    // 0 is how version 2 shows a process of another pid namespace; kill(2) takes it for our own group.
    assert.deepEqual(parsePids('12\n0\n-1\n\n4194304\nx\n'), [12, 4_194_304]);
    fc.assert(fc.property(fc.string(), (text) => parsePids(text).every((pid) => pid > 0)));
  });
});

describe('the name of a group', () => {
  it('X-07: gives back who made it', () => {
    const digits = fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String);
    fc.assert(
      fc.property(digits, fc.nat(4_194_304), digits, fc.nat(), (pidNamespace, pid, startTicks, slot) => {
        const identity = { pidNamespace, pid, startTicks };
        assert.deepEqual(parseGroupName(formatGroupName(identity, slot)), identity);
      }),
    );
  });

  it('X-07: is none for what no spawner named so', () => {
    for (const name of ['', 'system.slice', '1-2-3', '1-2-3-4-5', '-1-2-3-4', '1-2-3-x', ' 1-2-3-4', '1-2-3-4\n']) {
      assert.equal(parseGroupName(name), undefined, name);
    }
  });

  it('X-07: has the start time whatever the process calls itself', () => {
    const rest = `S ${Array.from({ length: 40 }, (_, index) => index + 4).join(' ')}`;
    for (const name of ['node', 'a b', ') S 1 2 3', '((((', ')))) 9']) {
      assert.equal(parseStartTicks(`7 (${name}) ${rest}`), '22', name);
    }
  });
});
