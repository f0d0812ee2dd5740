/** Commands that do not want to end, use more than they may, or write more than anybody reads. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { openSandbox, type SandboxJob } from '../../src/index.ts';
import {
  childrenOf,
  groupsOf,
  isRunning,
  memoryOf,
  membersOf,
  openHere,
  ownProcess,
  shell,
  testProfile,
  textOf,
  until,
} from './machine.ts';

const { signal } = new AbortController();
const MIB = 1_024 * 1_024;

function perl(script: string, more: Partial<SandboxJob> = {}): SandboxJob {
  return { ...shell('', more), argv: ['/usr/bin/perl', '-e', script] };
}

describe('a command that does not want to end', needs('root', 'bubblewrap'), () => {
  const stubborn: { name: string; job: SandboxJob; processes: number }[] = [
    { name: 'ignores SIGTERM', job: shell('trap "" TERM; while :; do sleep 1; done'), processes: 3 },
    {
      name: 'has made a daemon by forking twice',
      job: shell('(setsid sh -c "sleep 300 & sleep 300" &); sleep 300'),
      processes: 5,
    },
    {
      name: 'has stopped itself',
      job: perl('$SIG{TERM} = "IGNORE"; $| = 1; print "."; kill STOP => $$; sleep 300'),
      processes: 2,
    },
    {
      name: 'has stopped its children',
      job: perl('for (1..8) { if (!fork) { kill STOP => $$; exit } } sleep 300'),
      processes: 10,
    },
    {
      name: 'forks as fast as it can',
      job: perl('$SIG{TERM} = "IGNORE"; while (1) { fork; select undef, undef, undef, 0.001 }'),
      processes: 40,
    },
    {
      name: 'holds its output in a daemon',
      job: perl('if (!fork) { require POSIX; POSIX::setsid(); if (!fork) { sleep 300 } exit } sleep 300'),
      processes: 3,
    },
  ];
  for (const { name, job, processes } of stubborn) {
    it(`X-07: is killed with all it made: it ${name}`, async () => {
      await using here = await openHere();
      const run = await here.client.start(job, signal);
      await until(() => membersOf(groupsOf(process.pid)).length >= processes, 'all of it runs');
      const members = membersOf(groupsOf(process.pid));
      run.kill();
      assert.equal((await run.result).endedBy, 'abort');
      await until(() => !members.some(isRunning) && groupsOf(process.pid).length === 0, 'nothing is left');

      const timed = await here.client.start({ ...job, timeoutMs: 300, killAfterMs: 100 }, signal);
      assert.equal((await timed.result).endedBy, 'timeout');
      await until(() => groupsOf(process.pid).length === 0, 'nothing is left after the time-out');
    });
  }
});

describe('a limit that is reached', needs('root', 'bubblewrap'), () => {
  const profile = testProfile({ cpuSeconds: 1, processes: 8, memoryBytes: 64 * MIB });

  it('X-07: is named: processor time, also of a command that ignores SIGXCPU', async () => {
    await using here = await openHere();
    const [told, deaf] = await Promise.all([
      here.client.start(perl('1 while 1', { profile }), signal),
      here.client.start(perl('$SIG{XCPU} = "IGNORE"; 1 while 1', { profile }), signal),
    ]);
    const results = await Promise.all([told.result, deaf.result]);
    assert.deepEqual(
      results.map(({ endedBy }) => endedBy),
      ['cpu-limit', 'cpu-limit'],
    );
    assert.equal(results[0]?.signal, 'SIGXCPU');
  });

  it('X-07: is named: processor time of many processes, none of which is over it alone', async () => {
    await using here = await openHere();
    // Each child ends below one second; together they go on for ever.
    const relay = 'while (1) { for (1, 2) { if (!fork) { 1 while (times)[0] < 0.3; exit } } wait; wait }';
    const run = await here.client.start(perl(relay, { profile }), signal);
    const { endedBy, usage } = await run.result;
    assert.equal(endedBy, 'cpu-limit');
    assert.ok('value' in usage.cpuMs && usage.cpuMs.value >= 2_000);
  });

  it('X-07: is named: memory, of one process and of many', async () => {
    await using here = await openHere();
    for (const script of [
      '$x = "x" x (128 << 20)',
      'for (1..4) { if (!fork) { $x = "x" x (24 << 20); sleep 9; exit } } wait; sleep 1',
    ]) {
      const run = await here.client.start(perl(script, { profile }), signal);
      assert.equal((await run.result).endedBy, 'memory-limit', script);
    }
  });

  it('X-07: refuses the next process, and does not end the run', async () => {
    await using here = await openHere();
    const script = 'for (1..20) { $p = fork; last unless defined $p; if (!$p) { sleep 9; exit } $n++ } print "$n $!"';
    const run = await here.client.start(perl(script, { profile }), signal);
    assert.equal(await textOf(run.stdout), '7 Resource temporarily unavailable');
    assert.equal((await run.result).endedBy, 'itself');
  });
});

describe('much data', needs('root', 'bubblewrap'), () => {
  it('X-07: 100 MB through cat and back take bounded memory, in the spawner and here', async () => {
    const before = new Set(childrenOf(process.pid));
    await using sandbox = await openSandbox();
    const profile = testProfile({ outputBytes: 64 * MIB });
    await sandbox.warm(profile, 1, signal);
    const spawnerPid = childrenOf(process.pid).find((pid) => !before.has(pid)) ?? assert.fail('no spawner');
    const memoryBefore = [memoryOf(spawnerPid, 'VmRSS'), memoryOf(process.pid, 'VmRSS')];
    const [chunk, total] = [Buffer.alloc(MIB, 'x'), 100];
    await using run = await sandbox.start({ profile, argv: ['/usr/bin/cat'], timeoutMs: 120_000 }, signal);
    const fed = (async () => {
      for (let count = 0; count < total; count++) await run.write(chunk);
      await run.end();
    })();
    let received = 0;
    for await (const bytes of run.stdout) received += bytes.length;
    await fed;
    const { stdoutBytes, truncated } = await run.result;
    assert.deepEqual(
      { received, stdoutBytes, truncated },
      { received: 64 * MIB, stdoutBytes: 100 * MIB, truncated: true },
    );
    const grown = [memoryOf(spawnerPid, 'VmHWM'), memoryOf(process.pid, 'VmRSS')].map(
      (now, at) => now - (memoryBefore[at] ?? 0),
    );
    // Less than went through, with what the garbage collector has not taken yet.
    for (const bytes of grown) assert.ok(bytes < 96 * MIB, `grew by ${grown.join(' and ')} bytes`);
  });

  it('X-07: input that a command does not read waits here, and ends with it', async () => {
    await using here = await openHere();
    const run = await here.client.start(shell('sleep 1'), signal);
    const [first, second] = [run.write(Buffer.alloc(MIB)), run.write(Buffer.alloc(MIB))];
    await Promise.all([first, second, run.result]); // written at the same time: neither is forgotten
    await run.end();
  });

  it('X-07: a flood of output that nobody reads stops its command, and nobody else', async () => {
    await using here = await openHere();
    const flood = await here.client.start(
      shell('exec cat /dev/zero', { profile: testProfile({ outputBytes: 64 * MIB }) }),
      signal,
    );
    await until(() => ownProcess('cat') !== undefined, 'the flood has begun');
    const other = await here.client.start(shell('echo served'), signal);
    assert.equal(await textOf(other.stdout), 'served\n');
    flood.kill();
    assert.ok((await flood.result).stdoutBytes < 4 * MIB);
  });

  it('X-05: through the output come bytes and nothing else: it is a pipe, which the command may open again', async () => {
    await using here = await openHere();
    // Control messages are for sockets; the spawner would get whatever descriptors came with them.
    const script =
      'for (0, 1, 2) { opendir my $d, "/proc/self/fd"; print readlink("/proc/self/fd/$_") =~ /^pipe:/ ? "pipe " : "other " }';
    const run = await here.client.start(perl(script), signal);
    assert.equal(await textOf(run.stdout), 'pipe pipe pipe ');
    const named = await here.client.start(shell('cat /dev/stdin > /dev/stdout; echo e > /dev/stderr'), signal);
    await named.write(Buffer.from('named'));
    await named.end();
    assert.deepEqual([await textOf(named.stdout), await textOf(named.stderr)], ['named', 'e\n']);
  });
});
