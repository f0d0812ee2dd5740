/** What a hostile or broken machine puts in the way of the Linux adapters. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';

import { type ErrorCode, hasCode } from '@holdfast/core';
import type { CommandResult, CommandRunner } from '@holdfast/host';
import {
  DescriptorFiles,
  inNetworkNamespace,
  NftablesPacketFilter,
  openLinuxHost,
  openLinuxReader,
  ShadowAccounts,
  SntpTimeSources,
  SpawnCommandRunner,
  SyslogJournal,
  systemClock,
  SystemdServices,
} from '@holdfast/host-linux';
import { needs, temporaryDirectory } from '@holdfast/testing';

const calm = (): AbortSignal => new AbortController().signal;
const rejects = (code: ErrorCode, action: Promise<unknown>): Promise<void> =>
  assert.rejects(action, (error) => hasCode(error, code));
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** A machine whose programs say `answer`, and a list of what was started. */
function answering(answer: Partial<CommandResult> & { readonly text?: string }): CommandRunner & { argvs: string[][] } {
  const argvs: string[][] = [];
  const empty = new Uint8Array();
  return {
    argvs,
    async run(argv) {
      argvs.push([...argv]);
      const { text = '', ...rest } = answer;
      return { exitCode: 0, stdout: Buffer.from(text), stderr: empty, truncated: false, durationMs: 0, ...rest };
    },
  };
}

describe('files in hostile directories', () => {
  it('C-01: no symlink leads out of the root: not up, not absolute, not in the middle, not last', async (t) => {
    const outside = temporaryDirectory(t);
    writeFileSync(`${outside}/secret`, 'outside');
    const root = temporaryDirectory(t);
    mkdirSync(`${root}/etc`);
    symlinkSync(outside, `${root}/absolute`);
    symlinkSync('../'.repeat(20) + outside.slice(1), `${root}/etc/up`);
    symlinkSync(`${outside}/secret`, `${root}/etc/last`);
    const files = new DescriptorFiles(root);
    for (const path of ['/absolute/secret', '/etc/up/secret']) {
      assert.equal((await files.stat(path, calm())).kind, 'missing');
      await rejects('ERR_HOST_FILE_MISSING', files.read(path, 100, calm()));
      await rejects(
        'ERR_HOST_FILE_MISSING',
        files.write(path, { bytes: Buffer.from('x'), mode: '0600', ...owner }, calm()),
      );
      await files.remove(path, calm());
    }
    await rejects('ERR_HOST_FILE_REFUSED', files.read('/etc/last', 100, calm()));
    await rejects('ERR_HOST_FILE_MISSING', files.readFollowing('/etc/last', 100, calm()));
    assert.equal(readFileSync(`${outside}/secret`, 'utf8'), 'outside');
    assert.deepEqual(readdirSync(outside), ['secret']);
  });

  it('ends on symlinks that go round', async (t) => {
    const root = temporaryDirectory(t);
    symlinkSync('b', `${root}/a`);
    symlinkSync('a', `${root}/b`);
    const files = new DescriptorFiles(root);
    await rejects('ERR_HOST_FILE_REFUSED', files.stat('/a/x', calm()));
    await rejects('ERR_HOST_FILE_REFUSED', files.readFollowing('/a', 10, calm()));
  });

  it('follows /bin and the like', async (t) => {
    const root = temporaryDirectory(t);
    mkdirSync(`${root}/usr/bin`, { recursive: true });
    writeFileSync(`${root}/usr/bin/tool`, 'tool');
    symlinkSync('usr/bin', `${root}/bin`);
    symlinkSync('/bin/../bin/.', `${root}/sbin`);
    const files = new DescriptorFiles(root);
    for (const path of ['/bin/tool', '/sbin/tool']) {
      assert.equal(Buffer.from(await files.read(path, 10, calm())).toString(), 'tool');
    }
  });

  it('does not wait for a pipe, and takes no device or socket for a file', async (t) => {
    const directory = temporaryDirectory(t);
    execFileSync('/usr/bin/mkfifo', [`${directory}/pipe`]);
    const files = new DescriptorFiles();
    for (const path of [`${directory}/pipe`, '/dev/zero']) {
      assert.equal((await files.stat(path, calm())).kind, 'other');
      await rejects('ERR_HOST_FILE_REFUSED', files.read(path, 100, calm()));
      await rejects(
        'ERR_HOST_FILE_REFUSED',
        files.write(path, { bytes: Buffer.from('x'), mode: '0600', ...owner }, calm()),
      );
    }
    assert.ok(lstatSync(`${directory}/pipe`).isFIFO());
  });

  it('replaces a file with two names without changing the other name', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(`${directory}/a`, 'old');
    linkSync(`${directory}/a`, `${directory}/b`);
    await new DescriptorFiles().write(`${directory}/a`, { bytes: Buffer.from('new'), mode: '0600', ...owner }, calm());
    assert.equal(readFileSync(`${directory}/b`, 'utf8'), 'old');
  });

  it('keeps the setuid bit it was told to set', async (t) => {
    const path = `${temporaryDirectory(t)}/a`;
    await new DescriptorFiles().write(path, { bytes: Buffer.from('x'), mode: '4755', ...owner }, calm());
    assert.equal(lstatSync(path).mode & 0o7777, 0o4755);
  });

  it('reads files of /proc, which have no size, and holds them to the cap', async () => {
    const files = new DescriptorFiles();
    assert.ok((await files.read('/proc/self/status', 100_000, calm())).length > 100);
    await rejects('ERR_HOST_FILE_TOO_LARGE', files.read('/proc/self/status', 10, calm()));
  });

  it('leaves no temporary file behind when the write is refused by the kernel', async () => {
    const files = new DescriptorFiles();
    await rejects(
      'ERR_HOST_FILE_UNWRITABLE',
      files.write('/proc/holdfast', { bytes: Buffer.from('x'), mode: '0600', ...owner }, calm()),
    );
  });

  it('killed at any moment of a write, the file is the old or the new one as a whole', async (t) => {
    const path = `${temporaryDirectory(t)}/a`;
    const size = 200_000;
    writeFileSync(path, 'a'.repeat(size));
    const script = `
      import { DescriptorFiles } from '@holdfast/host-linux';
      const files = new DescriptorFiles();
      const signal = new AbortController().signal;
      const [, path, size] = process.argv;
      for (let n = 0; ; n += 1) {
        const bytes = Buffer.alloc(Number(size), 97 + (n % 26));
        await files.write(path, { bytes, mode: '0600', uid: process.getuid(), gid: process.getgid() }, signal);
        if (n === 0) console.log('under way');
      }`;
    for (let round = 0; round < 3; round += 1) {
      const argv = ['--no-warnings', '--input-type=module', '-e', script, path, String(size)];
      const writer = spawn(process.execPath, argv, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(writer, 'close');
      await once(writer.stdout, 'data');
      for (let turn = 0; turn < round * 7; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      writer.kill('SIGKILL');
      await ended;
      const seen = readFileSync(path, 'utf8');
      assert.equal(seen, seen.charAt(0).repeat(size));
    }
  });

  it('leaks no descriptor, whatever happens', async (t) => {
    const directory = temporaryDirectory(t);
    symlinkSync('a', `${directory}/a`);
    writeFileSync(`${directory}/f`, 'x');
    const files = new DescriptorFiles();
    const before = openDescriptors();
    for (let round = 0; round < 20; round += 1) {
      for (const path of ['/a/x', '/a', '/f', '/gone', '/gone/x', '/f/x']) {
        await files.stat(directory + path, calm()).catch(() => {});
        await files.read(directory + path, 0, calm()).catch(() => {});
        await files
          .write(directory + path, { bytes: Buffer.from('x'), mode: '0600', ...owner }, calm())
          .catch(() => {});
      }
    }
    assert.equal(openDescriptors(), before);
  });
});

/** A root with three accounts, one of them without a password in passwd itself. */
function machine(t: { after(fn: () => void): void }, shadow: string): { root: string; accounts: ShadowAccounts } {
  const root = temporaryDirectory(t);
  mkdirSync(`${root}/etc`);
  writeFileSync(
    `${root}/etc/passwd`,
    'root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:\nold::1001:1001::/:/bin/sh\n',
  );
  writeFileSync(`${root}/etc/shadow`, shadow, { mode: 0o640 });
  return { root, accounts: new ShadowAccounts(systemClock(), root) };
}

describe('password files', () => {
  const SHADOW = 'root:*:1:0:99999:7:::\nada:$6$a$b:1:0:99999:7:::\n';

  it('C-13: an empty field in passwd is an empty password, whatever shadow says', async (t) => {
    const { accounts } = machine(t, `${SHADOW}old:!:1::::::\n`);
    const found = (await accounts.list(calm())).map(({ name, password, shell }) => [name, password, shell]);
    assert.deepEqual(found, [
      ['root', 'locked', '/bin/sh'],
      ['ada', 'set', '/bin/sh'],
      ['old', 'empty', '/bin/sh'],
    ]);
  });

  it('an account without a line in shadow is unknown, never good', async (t) => {
    const { accounts } = machine(t, 'root:*:1::::::\n');
    assert.equal((await accounts.list(calm())).find(({ name }) => name === 'ada')?.password, 'unknown');
  });

  it('changes one line and no other byte, and keeps mode and owner', async (t) => {
    const weird = `${SHADOW}\n# a comment\nümlaut:x\n\nno newline at the end`;
    const { root, accounts } = machine(t, weird);
    await accounts.lock('ada', calm());
    const locked = readFileSync(`${root}/etc/shadow`, 'utf8');
    assert.equal(locked, weird.replace('ada:$6$a$b:1:0:99999:7:::', 'ada:!$6$a$b:1:0:99999:7::1:'));
    assert.equal(lstatSync(`${root}/etc/shadow`).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(`${root}/etc`).toSorted(), ['.pwd.lock', 'passwd', 'shadow']);
  });

  it('waits for nobody who holds the lock, and takes over the lock of the dead', async (t) => {
    const { root, accounts } = machine(t, SHADOW);
    writeFileSync(`${root}/etc/shadow.lock`, `${process.ppid}\0`);
    await rejects('ERR_HOST_ACCOUNTS_BUSY', accounts.lock('ada', calm()));
    assert.equal(readFileSync(`${root}/etc/shadow`, 'utf8'), SHADOW);
    const { pid: gone } = spawnSync('/bin/true');
    writeFileSync(`${root}/etc/shadow.lock`, `${gone}\0`);
    await accounts.lock('ada', calm());
    assert.notEqual(readFileSync(`${root}/etc/shadow`, 'utf8'), SHADOW);
  });

  it('two changes at once: one is done, the other says busy, none is lost', async (t) => {
    const { root, accounts } = machine(t, SHADOW);
    const results = await Promise.allSettled([accounts.lock('ada', calm()), accounts.lock('root', calm())]);
    const done = results.filter(({ status }) => status === 'fulfilled').length;
    assert.equal((readFileSync(`${root}/etc/shadow`, 'utf8').match(/::1:$/gm) ?? []).length, done);
    assert.ok(done >= 1);
    await accounts.lock('ada', calm());
    await accounts.lock('root', calm());
  });

  const broken: [string, (root: string) => void][] = [
    ['no shadow', (root) => execFileSync('/usr/bin/rm', [`${root}/etc/shadow`])],
    ['no passwd', (root) => execFileSync('/usr/bin/rm', [`${root}/etc/passwd`])],
    ['a passwd that is no such thing', (root) => writeFileSync(`${root}/etc/passwd`, 'nonsense\n')],
    [
      'a shadow that is a symlink',
      (root) => {
        execFileSync('/usr/bin/mv', [`${root}/etc/shadow`, `${root}/etc/other`]);
        symlinkSync('other', `${root}/etc/shadow`);
      },
    ],
  ];
  for (const [name, make] of broken) {
    it(`C-13: ${name}: the accounts are unreadable, not empty`, async (t) => {
      const { root, accounts } = machine(t, SHADOW);
      make(root);
      await rejects('ERR_HOST_ACCOUNTS_UNREADABLE', accounts.list(calm()));
    });
  }

  const keyFiles: [string, (keys: string) => void][] = [
    ['a pipe', (keys) => execFileSync('/usr/bin/mkfifo', [keys])],
    ['huge', (keys) => writeFileSync(keys, 'x'.repeat(1024 * 1024 + 1))],
    ['a directory', (keys) => mkdirSync(keys)],
    ['a symlink to itself', (keys) => symlinkSync('authorized_keys', keys)],
  ];
  for (const [name, make] of keyFiles) {
    it(`C-13: keys that are ${name} are unknown, not empty, and the other accounts are listed`, async (t) => {
      const { root, accounts } = machine(t, SHADOW);
      mkdirSync(`${root}/home/ada/.ssh`, { recursive: true });
      make(`${root}/home/ada/.ssh/authorized_keys`);
      const list = await accounts.list(calm());
      assert.equal(list.find((account) => account.name === 'ada')?.authorizedKeys, null);
      const others = list.filter((account) => account.name !== 'ada');
      assert.ok(others.length > 0);
      assert.ok(others.every(({ authorizedKeys }) => Array.isArray(authorizedKeys)));
    });
  }
});

describe('programs that fail', () => {
  it('C-01: a program without a format is not given to a shell', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(`${directory}/text`, `echo ran > ${directory}/proof\n`, { mode: 0o755 });
    const limits = { timeoutMs: 5_000, maxOutputBytes: 100 };
    await rejects('ERR_HOST_COMMAND_FAILED', new SpawnCommandRunner().run([`${directory}/text`], limits, calm()));
    assert.deepEqual(readdirSync(directory), ['text']);
  });

  it('P-10: a time source whose name is none did not answer, and an address that is none is a mistake', async () => {
    const sources = new SntpTimeSources(systemClock(), { timeoutMs: 1_000 });
    assert.deepEqual(await sources.sample(['nonexistent.invalid', '127.0.0.1:9'], calm()), []);
    await rejects('ERR_INPUT_INVALID', sources.sample(['not a name'], calm()));
  });

  it('C-01: the services take one process, and any odd answer for none', async () => {
    const unit = 'Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n';
    const good = answering({ text: `${unit}\n${unit}` });
    assert.equal((await new SystemdServices(good).show(['a.service', 'b.service'], calm())).length, 2);
    assert.equal(good.argvs.length, 1);
    for (const answer of [{ exitCode: 1 }, { text: unit }, { text: '' }, { truncated: true }, { exitCode: null }]) {
      const services = new SystemdServices(answering(answer));
      await rejects('ERR_HOST_SERVICES_UNREADABLE', services.show(['a.service', 'b.service'], calm()));
    }
    await rejects('ERR_HOST_SERVICES_UNREADABLE', new SystemdServices(answering({ exitCode: 1 })).listFailed(calm()));
  });

  it('C-11: a ruleset that could not be listed is never an empty one', async () => {
    for (const answer of [{ exitCode: 1 }, { truncated: true }, { text: 'table inet x {' }, { text: 'Error: no' }]) {
      await rejects('ERR_HOST_PACKET_FILTER_UNREADABLE', new NftablesPacketFilter(answering(answer)).read(calm()));
    }
  });

  it('C-10: journalctl that was not let in says nothing about the line', async () => {
    const clock = systemClock();
    const hints = [
      { stderr: Buffer.from('Hint: You are currently not seeing messages') },
      { exitCode: 1 },
      { truncated: true },
    ];
    for (const answer of hints) {
      await rejects(
        'ERR_HOST_JOURNAL_UNREADABLE',
        new SyslogJournal(answering(answer), clock).contains('t', 1_000, calm()),
      );
    }
    await rejects(
      'ERR_HOST_JOURNAL_UNWRITABLE',
      new SyslogJournal(answering({ exitCode: 1 }), clock).write('t', calm()),
    );
  });

  it('a network namespace is named by a plain name', () => {
    for (const name of ['', '--all', 'a/b', '../x', 'a b']) {
      assert.throws(() => inNetworkNamespace(new SpawnCommandRunner(), name), TypeError);
    }
  });
});

describe('opening a Linux host', () => {
  it('refuses a root that is not there', async (t) => {
    await rejects('ERR_HOST_FILE_MISSING', openLinuxHost({ root: `${temporaryDirectory(t)}/absent` }));
  });

  it('C-02: tells the platform, and an unknown one as unknown', async (t) => {
    const root = temporaryDirectory(t);
    assert.equal((await openLinuxHost({ root })).platform.distribution, 'unknown');
    mkdirSync(`${root}/etc`);
    mkdirSync(`${root}/usr/lib`, { recursive: true });
    writeFileSync(`${root}/usr/lib/os-release`, 'ID=nixos\nVERSION_ID="26.05"\n');
    symlinkSync('../usr/lib/os-release', `${root}/etc/os-release`);
    const { platform } = await openLinuxHost({ root });
    assert.deepEqual([platform.distribution, platform.version, platform.simulated], ['nixos', '26.05', false]);
  });

  it(
    'C-01: the packet filter and the sockets of a namespace are its own',
    needs('root', 'nftables', 'network-namespaces'),
    async (t) => {
      const name = `hf-open-${process.pid}`;
      execFileSync('/usr/sbin/ip', ['netns', 'add', name]);
      t.after(() => {
        execFileSync('/usr/sbin/ip', ['netns', 'delete', name]);
      });
      const host = await openLinuxHost({ networkNamespace: name });
      assert.deepEqual(await host.sockets.list(calm()), []);
      assert.equal(await host.packetFilter.read(calm()), '');
    },
  );

  it('C-01: an unprivileged reader asks others only for what it may not read', needs('root'), async (t) => {
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o755);
    writeFileSync(`${directory}/open`, 'own', { mode: 0o644 });
    writeFileSync(`${directory}/closed`, 'hidden', { mode: 0o600 });
    const script = `
      import { openLinuxReader } from '@holdfast/host-linux';
      const calm = new AbortController().signal;
      const asked = [];
      const files = {
        stat: async (path) => { asked.push(path); return { path, kind: 'missing' }; },
        read: async (path) => { asked.push(path); return Buffer.from('from the guard'); },
      };
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const reader = await openLinuxReader({ packetFilter: { read: async () => 'rules' }, accounts: { list: async () => [] }, files });
      const read = async (name) => Buffer.from(await reader.files.read(process.argv[1] + name, 100, calm)).toString();
      console.log(JSON.stringify([await read('/open'), await read('/closed'), await reader.packetFilter.read(calm), asked.length]));`;
    const argv = ['--no-warnings', '--input-type=module', '-e', script, directory];
    const printed = execFileSync(process.execPath, argv, { cwd: import.meta.dirname, encoding: 'utf8' });
    assert.deepEqual(JSON.parse(printed), ['own', 'from the guard', 'rules', 1]);
  });

  it('the readers are given, not opened, where root is needed', async () => {
    const files = new DescriptorFiles();
    const packetFilter = { read: async () => 'given' };
    const reader = await openLinuxReader({ packetFilter, accounts: { list: async () => [] }, files });
    assert.equal(reader.packetFilter, packetFilter);
    assert.deepEqual(await reader.accounts.list(calm()), []);
  });
});
