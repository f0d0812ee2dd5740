/** Whole slots on the real kernel: bubblewrap, launcher, table and report, as an unprivileged user. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { TEST_UID, runInSlot } from './run-slot.ts';

const shell = (script: string): [string, ...string[]] => ['/usr/bin/bash', '-c', script];

describe('a slot', needs('root', 'bubblewrap'), () => {
  it('X-03: runs a command with its arguments, environment and directory, and nothing else', async (t) => {
    const script = 'printf "%s|" "$0" "$@"; pwd; export -p | grep -c LEAK; cat; exit 7';
    const { stdout, report } = await runInSlot(t, ['/usr/bin/bash', '-c', script, 'a b', '$x', ''], {
      cwd: '/usr/lib',
    });
    assert.equal(stdout, 'a b|$x||/usr/lib\n0\n');
    assert.equal(report?.ended?.exitCode, 7);
    assert.equal(report.failed, null);
  });

  it('X-03: passes the listed environment only, also in /proc', async (t) => {
    const { stdout } = await runInSlot(t, ['/usr/bin/cat', '/proc/self/environ'], { env: { ONE: '1' } });
    assert.equal(stdout, 'PATH=/usr/bin:/bin\0LANG=C.UTF-8\0ONE=1\0');
    const first = await runInSlot(t, ['/usr/bin/cat', '/proc/1/environ']);
    assert.equal(first.stdout, '');
    assert.match(first.stderr, /Permission denied/);
  });

  it('X-02: drops all capabilities, sets no_new_privs and the filter, and leaves no descriptor', async (t) => {
    const { stdout } = await runInSlot(t, shell('cat /proc/self/status; ls /proc/self/fd; ls /proc/1/fd /proc/1/task'));
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(stdout, new RegExp(`^Cap${set}:\t0{16}$`, 'm'));
    assert.match(stdout, /^NoNewPrivs:\t1$/m);
    assert.match(stdout, /^Seccomp:\t2$/m);
    assert.match(stdout, new RegExp(`^Uid:(\t${TEST_UID}){4}$`, 'm'));
    assert.match(stdout, /^SigIgn:\t0{16}$/m);
    assert.match(stdout, /^SigBlk:\t0{16}$/m);
    assert.match(stdout, /\n0\n1\n2\n3\n/); // 3 is the directory that ls reads
    assert.doesNotMatch(stdout, /\n4\n/);
  });

  it('X-02: Landlock and the mounts refuse what is not listed, and execution of what can be written', async (t) => {
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o755);
    const [writable, shown] = [`${directory}/w`, `${directory}/r`];
    for (const path of [writable, shown]) mkdirSync(path);
    chownSync(writable, TEST_UID, TEST_UID);
    writeFileSync(`${shown}/secret`, 'shown\n');
    const script = `
      cat /etc/passwd; cat /.launcher; /.launcher; echo x > /usr/x; echo x > /x; echo x > ${shown}/x
      cp /usr/bin/true ${writable}/t; chmod 755 ${writable}/t; ${writable}/t; /lib64/ld-linux-x86-64.so.2 ${writable}/t && echo LOADED
      cp /usr/bin/true /tmp/t; /tmp/t && echo RAN; /lib64/ld-linux-x86-64.so.2 /tmp/t && echo LOADED
      echo kept > ${writable}/kept; cat ${shown}/secret ${writable}/kept`;
    const { stdout, stderr } = await runInSlot(t, shell(script), {
      profile: { files: { readOnly: ['/usr', '/etc/ld.so.cache', shown], writable: [writable] } },
    });
    assert.equal(stdout, 'shown\nkept\n');
    assert.match(stderr, /\/etc\/passwd: No such file/);
    assert.match(stderr, /cat: \/\.launcher: Permission denied/);
    assert.match(stderr, /\/usr\/x: (Permission denied|Read-only)/);
    assert.match(stderr, /failed to map segment|cannot open|Permission denied/);
    assert.equal(readFileSync(`${writable}/kept`, 'utf8'), 'kept\n');
  });

  it('X-01: hidden files and directories cannot be read or made visible again', async (t) => {
    const script = 'chmod 700 /usr/share; ls /usr/share; cat /usr/bin/env; cat /usr/bin/true > /dev/null && echo fine';
    const { stdout } = await runInSlot(t, shell(script), {
      profile: { files: { hidden: ['/usr/share', '/usr/bin/env'] } },
    });
    assert.equal(stdout, 'fine\n');
  });

  it('X-04: names the step that failed, with its error number', async (t) => {
    for (const [argv, cwd, step, errno] of [
      [['/usr/bin/none'], '/', 'execve', 2],
      [['/usr'], '/', 'execve', 13],
      [['/proc/self/exe'], '/', 'execve', 13],
      [['/usr/bin/true'], '/none', 'working directory', 2],
    ] as const) {
      const { report, failedStep } = await runInSlot(t, argv, { cwd });
      assert.deepEqual([failedStep, report?.failed?.errno], [step, errno]);
    }
  });

  it('X-07: reports signals and what everything it waited for used', async (t) => {
    const killed = await runInSlot(t, shell('kill -SEGV $$'));
    assert.deepEqual([killed.report?.ended?.exitCode, killed.report?.ended?.signal], [null, 'SIGSEGV']);
    // The work is done by an orphan, which process 1 reaps before the command ends.
    const busy = await runInSlot(
      t,
      shell(
        '(bash -c "for ((i = 0; i < 100000; i++)); do :; done" & echo $! > /tmp/p); tail -s 0.05 --pid=$(cat /tmp/p) -f /dev/null',
      ),
    );
    assert.ok((busy.report?.ended?.cpuMs ?? 0) > 20);
    assert.ok((busy.report?.ended?.peakMemoryBytes ?? 0) > 1_000_000);
  });

  it('X-01: the limits hold', async (t) => {
    const profile = { limits: { cpuSeconds: 1, fileBytes: 4_096, openFiles: 16, processes: 8 } };
    const cpu = await runInSlot(t, shell('while :; do :; done'), { profile });
    assert.equal(cpu.report?.ended?.signal, 'SIGXCPU');
    const script = 'ulimit -n; ulimit -c; (head -c 9999 /dev/zero > /tmp/big) 2>/dev/null; wc -c < /tmp/big';
    assert.equal((await runInSlot(t, shell(script), { profile })).stdout, '16\n0\n4096\n');
    const forks = 'for (1..20) { $p = fork; last unless defined $p; if (!$p) { sleep 9; exit } $n++ } print "$n $!"';
    const { stdout } = await runInSlot(t, ['/usr/bin/perl', '-e', forks], { profile });
    assert.equal(stdout, '7 Resource temporarily unavailable'); // the eighth is the command itself
  });

  it('X-07: a byte from the spawner is SIGTERM for the group; the end of it is the end of all', async (t) => {
    const script = 'trap "echo termed; exit 3" TERM; sleep 300 & echo up; wait';
    const { stdout, report } = await runInSlot(t, shell(script), {
      whileRunning: (channel) => void channel.write('t'),
    });
    assert.match(stdout, /termed\n$/);
    assert.equal(report?.ended?.exitCode, 3);
  });

  it('X-07: nothing is left, whatever the command leaves behind', async (t) => {
    await runInSlot(t, shell('setsid sleep 300 & (setsid bash -c "trap \\"\\" TERM; sleep 301" &); exit 0'));
    assert.deepEqual(await remaining(), []);
  });

  it('X-07: nothing is left when bubblewrap is killed, or the spawner closes its side', async (t) => {
    const script = shell('echo up; sleep 300');
    const killed = await runInSlot(t, script, { whileRunning: (_, bubblewrap) => void bubblewrap.kill('SIGKILL') });
    assert.equal(killed.report?.ended, null);
    await runInSlot(t, script, { whileRunning: (channel) => void channel.end() });
    assert.deepEqual(await remaining(), []);
  });

  it('X-01: endpoints are the only network, under their names, also below port 1024', async (t) => {
    const endpoints = [
      { host: 'db.example', port: 5_432 },
      { host: 'web.example', port: 80 },
      { host: 'web.example', port: 8_080 },
      { host: 'localhost', port: 25 },
    ];
    const profile = {
      network: { endpoints },
      syscalls: { purposes: ['base', 'files', 'processes', 'signals', 'sockets'] },
    };
    const script = `cat /etc/hosts; cat /proc/self/net/tcp | wc -l; grep CapBnd /proc/self/status
      exec 9<>/dev/tcp/127.0.0.3/80 && echo unexpected`;
    const { stdout, stderr, report } = await runInSlot(t, shell(script), { profile });
    assert.equal(report?.listening, true);
    assert.match(stdout, /^127\.0\.0\.1 localhost\n127\.0\.0\.2 db\.example\n127\.0\.0\.3 web\.example\n/);
    assert.match(stdout, /CapBnd:\t0{16}\n$/);
    assert.match(stderr, /refused/); // nobody took the descriptors, so the sockets are closed by now
  });
});

/** What is left when the kernel has had its time: killing is asynchronous, so this looks until nothing is there. */
async function remaining(): Promise<readonly string[]> {
  for (let look = 0; look < 200 && processesOf(TEST_UID).length > 0; look++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return processesOf(TEST_UID);
}

function processesOf(uid: number): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return new RegExp(`^Uid:\t${uid}\t`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false; // it ended between the two calls
    }
  });
}
