/** X-08 as a person has it: real commands learnt in a lab host, and run there under what was learnt. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isNothing, listRemains } from '@holdfast/lab';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { parsePolicy, type SandboxProfile } from '@holdfast/policy';
import { eventually, HOLDFAST } from './up-process.ts';

interface Learnt {
  readonly profile: SandboxProfile;
  readonly unmet: readonly string[];
  readonly secrets: readonly string[];
  readonly endings: readonly object[];
  readonly verification: { readonly suffices: boolean; readonly refusals: readonly string[] };
}

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing that a command does to its working directory reaches this. */
function learn(temporary: string, ...args: readonly string[]): Promise<Ended> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: temporary };
  return new Promise((resolve) => {
    execFile(HOLDFAST, ['sandbox', 'learn', ...args], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ exitCode, stdout, stderr });
    });
  });
}

const suite = needs('lab-hosts', 'strace', 'bubblewrap');

describe('holdfast sandbox learn', { ...suite, concurrency: false, timeout: 300_000 }, () => {
  const cases: {
    name: string;
    command: string[];
    writable?: boolean;
    purposes?: readonly string[];
    network?: SandboxProfile['network'];
  }[] = [
    { name: 'sort', command: ['/usr/bin/sort', 'in.txt'], purposes: ['base'] },
    {
      name: 'a script that writes, starts a thread and a program',
      command: [
        '/usr/bin/python3',
        '-c',
        [
          'import threading, subprocess, tempfile',
          'open("out.txt", "w").write("x" * 2000000)',
          'tempfile.TemporaryFile().write(b"x")',
          'thread = threading.Thread(target=print); thread.start(); thread.join()',
          'subprocess.run(["/bin/true"], check=True)',
        ].join('\n'),
      ],
      writable: true,
    },
    {
      name: 'git',
      command: [
        '/bin/sh',
        '-ec',
        'git init -q . && git add in.txt && git -c user.name=a -c user.email=a@b.example commit -q -m first',
      ],
      writable: true,
    },
    {
      name: 'a client of a TCP service',
      command: [
        '/usr/bin/python3',
        '-c',
        'import socket; s = socket.create_connection(("localhost", 8080)); s.send(b"GET / HTTP/1.0\\r\\n\\r\\n"); assert s.recv(9)',
      ],
      network: { endpoints: [{ host: 'localhost', port: 8080 }] },
    },
  ];
  for (const { name, command, writable = false, purposes, network = 'none' } of cases) {
    it(`X-08: learns ${name}, and it runs under what was learnt`, async (t) => {
      const temporary = temporaryDirectory(t);
      const directory = join(temporary, 'project');
      mkdirSync(directory);
      writeFileSync(join(directory, 'in.txt'), 'b\na\n');
      const { exitCode, stdout, stderr } = await learn(temporary, '--json', '--dir', directory, '--', ...command);
      assert.equal(exitCode, 0, stdout + stderr);
      const { profile, unmet, endings, verification } = JSON.parse(stdout) as Learnt;
      assert.deepEqual(endings, [{ exitCode: 0 }]);
      assert.equal(verification.suffices, true);
      assert.deepEqual(unmet, []);
      assert.deepEqual(profile.files.writable, writable ? [directory] : []);
      assert.deepEqual(profile.network, network);
      if (purposes !== undefined) assert.deepEqual(profile.syscalls.purposes, purposes);
      assert.deepEqual(readdirSync(directory), ['in.txt']);
      assert.deepEqual(readdirSync(temporary), ['project']);
    });
  }

  it('X-08: prints a profile that a policy takes, of several runs, with standard input', async (t) => {
    const temporary = temporaryDirectory(t);
    writeFileSync(join(temporary, 'input'), 'b\na\n');
    const args = ['--name', 'sorter', '--runs', '2', '--stdin', join(temporary, 'input'), '--', '/usr/bin/sort'];
    const { exitCode, stdout } = await learn(temporary, ...args);
    assert.equal(exitCode, 0, stdout);
    const { policy } = parsePolicy([`version = 1\n${stdout}`]);
    assert.deepEqual(policy?.profiles.get('sorter')?.files.writable, []);
    assert.match(stdout, /# Verified: /);
  });

  it('X-08: says that a proposal does not suffice, and what was refused', async (t) => {
    const script = 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()';
    const { exitCode, stdout } = await learn(temporaryDirectory(t), '--', '/usr/bin/python3', '-c', script);
    assert.equal(exitCode, 1);
    assert.match(stdout, /# This command used a TCP socket on which it listens, which no profile gives\./);
    assert.match(stdout, /# THIS PROFILE DOES NOT SUFFICE/);
    assert.match(stdout, /# Refused: the system call socket: EAFNOSUPPORT/);
  });

  it('X-08: ends what does not end, and takes its secrets from nobody', async (t) => {
    const temporary = temporaryDirectory(t);
    const directory = join(temporary, 'project');
    mkdirSync(join(directory, '.ssh'), { recursive: true });
    writeFileSync(join(directory, '.ssh/id_rsa'), 'a key');
    symlinkSync('/etc/shadow', join(directory, 'link'));
    const command = ['/bin/sh', '-c', 'cat .ssh/id_rsa link; setsid sleep 600 & sleep 600'];
    const { stdout } = await learn(temporary, '--json', '--timeout', '3', '--dir', directory, '--', ...command);
    const { profile, secrets, endings } = JSON.parse(stdout) as Learnt;
    assert.deepEqual(endings, [{ unknown: 'timeout' }]);
    assert.deepEqual(secrets, [join(directory, '.ssh/id_rsa')]);
    const seen = [...profile.files.readOnly, ...profile.files.writable].join(' ');
    assert.doesNotMatch(seen, /shadow|id_rsa/);
  });

  it('X-08: leaves nothing when it is interrupted', async (t) => {
    const temporary = temporaryDirectory(t);
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: temporary };
    const child = spawn(HOLDFAST, ['sandbox', 'learn', '--', '/usr/bin/sleep', '600'], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(child, 'exit');
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await eventually(() => stderr.includes('/usr/bin/sleep'));
    const [base = ''] = readdirSync(temporary);
    const directory = join(temporary, base, 'lab');
    const { id } = JSON.parse(readFileSync(join(directory, 'lab.json'), 'utf8')) as { id: string };
    child.kill('SIGINT');
    const [exitCode] = (await ended) as [number];
    assert.equal(exitCode, 130);
    assert.deepEqual(readdirSync(temporary), []);
    assert.ok(isNothing(listRemains(id, directory)));
  });

  it('X-08: refuses to propose anything for a program that is not there', async (t) => {
    const { exitCode, stdout, stderr } = await learn(temporaryDirectory(t), '--', '/usr/bin/no-such-program');
    assert.equal(exitCode, 65);
    assert.equal(stdout, '');
    assert.match(stderr, /ERR_SANDBOX_LEARN/);
  });

  const misuses: { name: string; args: string[] }[] = [
    { name: 'a program without its path', args: ['--', 'sort'] },
    { name: 'no runs', args: ['--runs', '0', '--', '/usr/bin/sort'] },
    { name: 'a directory that is none', args: ['--dir', '/etc/passwd', '--', '/usr/bin/sort'] },
    { name: 'an input that is none', args: ['--stdin', '/nonexistent', '--', '/usr/bin/sort'] },
    { name: 'a name that is none', args: ['--name', 'A B', '--', '/usr/bin/sort'] },
    { name: 'no time', args: ['--timeout', '0', '--', '/usr/bin/sort'] },
  ];
  for (const { name, args } of misuses) {
    it(`X-08: refuses ${name} before it builds anything`, async (t) => {
      const { exitCode, stdout, stderr } = await learn(temporaryDirectory(t), ...args);
      assert.equal(exitCode, 65);
      assert.equal(stdout, '');
      assert.match(stderr, /ERR_SANDBOX_LEARN/);
    });
  }
});
