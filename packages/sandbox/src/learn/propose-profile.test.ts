import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { parsePolicy } from '@holdfast/policy';
import { compileProfile } from '../compile-profile.ts';
import { NEVER } from '../seccomp/purposes.ts';
import { SYSCALLS } from '../seccomp/syscall-table.ts';
import { isNeverShown, isNeverWritable, isSecret } from './forbidden-paths.ts';
import { formatProposal } from './format-proposal.ts';
import { moveObservations, uniteObservations } from './observations.ts';
import { observeTrace } from './observe-trace.ts';
import { type LearnFacts, type Proposal, proposeProfile } from './propose-profile.ts';
import { TraceReader } from './read-trace.ts';

const WORK = '/srv/holdfast-learn/work';
const FEATURES = { architecture: 'x64', landlockAbi: 7 } as const;
const FACTS: LearnFacts = {
  workingDirectory: WORK,
  setIdPrograms: [],
  hosts: [
    { address: '127.0.0.1', names: ['localhost'] },
    { address: '10.0.0.7', names: ['db.example'] },
    { address: '10.0.0.8', names: ['one.example', 'two.example'] },
    { address: '10.0.0.9', names: ['not_a_name'] },
  ],
  cpuMs: null,
  peakMemoryBytes: null,
  outputBytes: null,
};

function observe(text: string) {
  const reader = new TraceReader();
  const events = text
    .split('\n')
    .map((line) => reader.read(line))
    .filter((event) => event !== undefined);
  return observeTrace(events, WORK);
}

/** The proposal for a trace whose lines lack their process. */
function propose(lines: readonly string[], facts: Partial<LearnFacts> = {}): Proposal {
  return proposeProfile('learnt', observe(lines.map((line) => `10 ${line}`).join('\n')), { ...FACTS, ...facts });
}

const opened = (path: string, flags = '0x80000'): string => `openat(-100<${WORK}>, "${path}", ${flags}) = 3<${path}>`;
const WRITE = '0x80241, 0666';
/** As strace writes a name that is not to be read. */
const escaped = (bytes: Iterable<number>): string =>
  [...bytes].map((byte) => String.raw`\x${byte.toString(16).padStart(2, '0')}`).join('');
const quoted = (text: string): string => escaped(Buffer.from(text, 'utf8'));
const quotedPort = (port: number): string => escaped([port >> 8, port & 255]);
const connect = (port: string, address: string, result = '0'): string =>
  `connect(3<TCP:[5]>, {sa_family=0x2, sin_port="${port}", sin_addr="${address}"}, 16) = ${result}`;

describe('proposeProfile: files', () => {
  const cases: {
    name: string;
    lines: string[];
    facts?: Partial<LearnFacts>;
    readOnly?: string[];
    writable?: string[];
    executable?: string[];
    hidden?: string[];
    unmet?: RegExp;
    notes?: RegExp;
    secrets?: string[];
  }[] = [
    {
      name: 'takes everything below /usr, also by its other names, as /usr',
      lines: [
        opened('/lib/x86_64-linux-gnu/libc.so.6').replace('= 3</lib', '= 3</usr/lib'),
        'execve("/bin/true", [...], 0x1) = 0',
      ],
      readOnly: ['/etc/alternatives', '/usr'],
      executable: ['/usr'],
    },
    { name: 'names a file of /etc by itself', lines: [opened('/etc/hosts')], readOnly: ['/etc/hosts'] },
    {
      name: 'names the directory of many files',
      lines: Array.from({ length: 8 }, (_, index) => opened(`/etc/app/${index}`)),
      readOnly: ['/etc/app'],
    },
    {
      name: 'does not name it for seven',
      lines: Array.from({ length: 7 }, (_, index) => opened(`/etc/app/${index}`)),
      readOnly: Array.from({ length: 7 }, (_, index) => `/etc/app/${index}`),
    },
    {
      name: 'never widens to /etc, however many files',
      lines: Array.from({ length: 20 }, (_, index) => opened(`/etc/f${index}`)),
      readOnly: Array.from({ length: 20 }, (_, index) => `/etc/f${index}`).toSorted(),
    },
    {
      name: 'shows no directory that is everybody’s',
      lines: ['getdents64(3</etc>, 0x1, 32768) = 40'],
      readOnly: [],
      notes: /lists \/etc/,
    },
    {
      name: 'gives what is written by its directory',
      lines: [opened('/var/lib/app/state', WRITE)],
      writable: ['/var/lib/app'],
    },
    {
      name: 'makes the working directory writable as a whole',
      lines: [opened(`${WORK}/deep/er/a`, WRITE)],
      writable: [WORK],
    },
    { name: 'resolves names against the working directory', lines: ['mkdir("a", 0777) = 0'], writable: [WORK] },
    {
      name: 'follows the working directory',
      lines: ['chdir("/var/lib/app") = 0', 'unlink("a") = 0'],
      writable: ['/var/lib/app'],
    },
    {
      name: 'leaves out what was not there',
      lines: ['openat(-100</>, "/etc/none", 0) = -1 ENOENT (No such file or directory)'],
      readOnly: [],
    },
    {
      name: 'leaves out what was only looked at',
      lines: ['newfstatat(-100</>, "/srv/a", {st_mode=0100644, ...}, 0) = 0'],
      readOnly: [],
    },
    {
      name: 'refuses to make /etc writable',
      lines: [opened('/etc/motd', WRITE)],
      writable: [],
      unmet: /write access to \/etc\/motd/,
    },
    {
      name: 'refuses to make a home writable',
      lines: [opened('/home/ann/.bashrc', WRITE)],
      writable: [],
      unmet: /\.bashrc/,
    },
    {
      name: 'gives a directory below a home',
      lines: [opened('/home/ann/project/a', WRITE)],
      writable: ['/home/ann/project'],
    },
    {
      name: 'gives nothing below /root',
      lines: [opened('/root/.gitconfig')],
      readOnly: [],
      notes: /\/root\/\.gitconfig/,
    },
    {
      name: 'warns of a secret and leaves it out',
      lines: [opened('/etc/shadow')],
      readOnly: [],
      secrets: ['/etc/shadow'],
    },
    {
      name: 'hides a secret below what it shows',
      lines: [opened(`${WORK}/a`), opened(`${WORK}/.ssh/id_rsa`)],
      readOnly: [WORK],
      hidden: [`${WORK}/.ssh/id_rsa`],
      secrets: [`${WORK}/.ssh/id_rsa`],
    },
    {
      name: 'says that what is written is not executed',
      lines: [opened('/var/lib/app/a', WRITE), 'execve("/var/lib/app/tool", [...], 0x1) = 0'],
      writable: ['/var/lib/app'],
      executable: [],
      unmet: /the execution of \/var\/lib\/app\/tool/,
    },
    {
      name: 'shows and executes a program and a library outside of /usr',
      lines: ['execve("/opt/app/tool", [...], 0x1) = 0', 'mmap(NULL, 9, 0x5, 0x812, 3</opt/app/lib.so>, 0) = 0x7f'],
      readOnly: ['/opt/app/lib.so', '/opt/app/tool'],
      executable: ['/opt/app/lib.so', '/opt/app/tool'],
    },
    {
      name: 'names a program with rights of its own',
      lines: ['execve("/usr/bin/su", [...], 0x1) = 0'],
      facts: { setIdPrograms: ['/usr/bin/su'] },
      unmet: /the rights of \/usr\/bin\/su/,
    },
    {
      name: 'says that a name cannot be in a profile',
      lines: [opened(String.raw`/srv/data/a\nb`)],
      readOnly: [],
      unmet: /whose name no profile can hold/,
    },
    { name: 'takes a file on a device for what it is', lines: [opened('/dev/sda')], readOnly: [], unmet: /\/dev\/sda/ },
    {
      name: 'does not name what every sandbox has',
      lines: [opened('/dev/null'), opened('/proc/self/maps')],
      readOnly: [],
    },
  ];
  for (const { name, lines, facts, unmet, notes, secrets, ...files } of cases) {
    it(`X-08: ${name}`, () => {
      const proposal = propose(lines, facts);
      for (const [list, wanted] of Object.entries(files)) {
        assert.deepEqual(proposal.profile.files[list as keyof typeof files], wanted); // the keys of the rows
      }
      if (unmet !== undefined) assert.match(proposal.unmet.join('\n'), unmet);
      if (notes !== undefined) assert.match(proposal.notes.join('\n'), notes);
      assert.deepEqual(proposal.secrets, secrets ?? []);
    });
  }

  it('X-08: gives a private /tmp of the size that was used, and none when it was not', () => {
    const write = 'write(3</tmp/tmp.Xy12>, ""..., 1000000) = 1000000';
    assert.equal(propose([opened('/tmp/tmp.Xy12', WRITE), write, write]).profile.files.tmpBytes, 8_000_000);
    assert.equal(propose([opened('/etc/hosts')]).profile.files.tmpBytes, 0);
  });
});

describe('proposeProfile: system calls', () => {
  const cases: { name: string; lines: string[]; purposes: string[]; allow?: string[]; unmet?: RegExp }[] = [
    {
      name: 'gives base and no more to a program that reads',
      lines: [opened('/etc/hosts'), 'close(3) = 0'],
      purposes: ['base'],
    },
    {
      name: 'lists a single call by itself',
      lines: [opened('/srv/data/a', WRITE)],
      purposes: ['base'],
      allow: ['openat'],
    },
    {
      name: 'takes a purpose for two of its calls',
      lines: [opened('/srv/data/a', WRITE), 'mkdir("a", 0777) = 0'],
      purposes: ['base', 'files'],
    },
    { name: 'lists what no purpose has', lines: ['mlockall(0x1) = 0'], purposes: ['base'], allow: ['mlockall'] },
    {
      name: 'takes pages that become code for their purpose',
      lines: ['mprotect(0x7f, 4096, 0x5) = 0'],
      purposes: ['base', 'jit'],
    },
    {
      name: 'takes clone3 for what the C library does without it',
      lines: [
        'clone3({flags=0x3d0f00, exit_signal=0, stack=0x7f} => {parent_tid=[11]}, 88) = 11',
        'sched_setaffinity(0, 8, [1]) = 0',
      ],
      purposes: ['base', 'threads'],
    },
    {
      name: 'names a call that no profile gets',
      lines: ['ptrace(0x10, 11) = 0'],
      purposes: ['base'],
      unmet: /the system call ptrace/,
    },
    {
      name: 'leaves out one that was refused without a sandbox too',
      lines: ['ptrace(0x10, 11) = -1 EPERM (Operation not permitted)'],
      purposes: ['base'],
    },
    {
      name: 'names arguments that no profile allows',
      lines: ['fchmod(3</srv/data/a>, 04755) = 0'],
      purposes: ['base'],
      unmet: /the system call fchmod with the arguments it gave/,
    },
    {
      name: 'leaves out what was asked of a socket that will not be there',
      lines: ['socket(0x10, 0x3, 0) = 3<NETLINK:[5]>', 'bind(3<NETLINK:[5]>, {sa_family=0x10}, 12) = 0'],
      purposes: ['base'],
    },
    {
      name: 'keeps what is asked of a pair',
      lines: ['socketpair(0x1, 0x1, 0, [...]) = 0', 'recvmsg(3<UNIX-STREAM:[7->8]>, {msg_name=NULL}, 0) = 1'],
      purposes: ['base', 'sockets'],
    },
  ];
  for (const { name, lines, purposes, allow = [], unmet } of cases) {
    it(`X-08: ${name}`, () => {
      const proposal = propose(lines);
      assert.deepEqual(proposal.profile.syscalls.purposes, purposes);
      assert.deepEqual(proposal.profile.syscalls.allow, allow);
      if (unmet === undefined) assert.deepEqual(proposal.unmet, []);
      else assert.match(proposal.unmet.join('\n'), unmet);
    });
  }
});

describe('proposeProfile: network', () => {
  const TCP = 'socket(0x2, 0x1|0x80000, 0) = 3<TCP:[5]>';
  const cases: { name: string; lines: string[]; endpoints: string[]; notes?: RegExp; unmet?: RegExp }[] = [
    {
      name: 'names an endpoint as /etc/hosts does',
      lines: [TCP, connect(String.raw`\x15\x38`, String.raw`\x0a\x00\x00\x07`)],
      endpoints: ['db.example:5432'],
    },
    {
      name: 'takes a connection that is under way',
      lines: [
        TCP,
        connect(String.raw`\x15\x38`, String.raw`\x0a\x00\x00\x07`, '-1 EINPROGRESS (Operation now in progress)'),
      ],
      endpoints: ['db.example:5432'],
    },
    {
      name: 'does not guess a name',
      lines: [TCP, connect(String.raw`\x00\x50`, String.raw`\x01\x02\x03\x04`)],
      endpoints: [],
      notes: /1\.2\.3\.4 port 80/,
    },
    {
      name: 'does not choose among names',
      lines: [TCP, connect(String.raw`\x00\x50`, String.raw`\x0a\x00\x00\x08`)],
      endpoints: [],
      notes: /10\.0\.0\.8 port 80/,
    },
    {
      name: 'does not take a name that is none',
      lines: [TCP, connect(String.raw`\x00\x50`, String.raw`\x0a\x00\x00\x09`)],
      endpoints: [],
      notes: /10\.0\.0\.9 port 80/,
    },
    {
      name: 'says what did not answer',
      lines: [TCP, connect(String.raw`\x00\x50`, String.raw`\x0a\x00\x00\x07`, '-1 ECONNREFUSED (Connection refused)')],
      endpoints: [],
      notes: /did not answer/,
    },
    {
      name: 'gives no UDP',
      lines: ['socket(0x2, 0x2, 0) = 3<UDP:[5]>', 'sendto(3<UDP:[5]>, ""..., 1, 0, {sa_family=0x2}, 16) = 1'],
      endpoints: [],
      unmet: /a UDP socket/,
    },
    {
      name: 'gives no listening socket',
      lines: [TCP, 'listen(3<TCP:[0.0.0.0:80]>, 9) = 0'],
      endpoints: [],
      unmet: /on which it listens/,
    },
    {
      name: 'gives no Unix socket of the host',
      lines: [
        'socket(0x1, 0x1, 0) = 3<UNIX-STREAM:[5]>',
        'connect(3<UNIX-STREAM:[5]>, {sa_family=0x1, sun_path="/run/docker.sock"}, 18) = 0',
      ],
      endpoints: [],
      unmet: /docker\.sock/,
    },
  ];
  for (const { name, lines, endpoints, notes, unmet } of cases) {
    it(`X-08: ${name}`, () => {
      const proposal = propose(lines);
      const { network } = proposal.profile;
      assert.deepEqual(
        typeof network === 'string' ? [] : network.endpoints.map(({ host, port }) => `${host}:${port}`),
        endpoints,
      );
      if (notes !== undefined) assert.match(proposal.notes.join('\n'), notes);
      if (unmet !== undefined) assert.match(proposal.unmet.join('\n'), unmet);
    });
  }
});

describe('proposeProfile: runs and limits', () => {
  it('X-08: takes several runs together', () => {
    const runs = [`10 ${opened('/etc/hosts')}`, `10 ${opened('/etc/services')}`].map(observe);
    const { profile } = proposeProfile('learnt', uniteObservations(runs), FACTS);
    assert.deepEqual(profile.files.readOnly, ['/etc/hosts', '/etc/services']);
  });

  it('X-08: sees a child in the directory of the one that makes it, also before it is made', () => {
    const observations = observe(
      [
        '10 chdir("/var/lib/app") = 0',
        '10 vfork( <unfinished ...>',
        '11 unlink("a") = 0',
        '10 <... vfork resumed>) = 11',
      ].join('\n'),
    );
    assert.deepEqual(Object.keys(observations.files), ['/var/lib/app', '/var/lib/app/a']);
    assert.equal(observations.tasks, 2);
  });

  it('X-08: multiplies what was measured, and keeps the default for what was not', () => {
    const { limits } = propose([], { cpuMs: 2_500, peakMemoryBytes: 100 * 1_048_576 }).profile;
    assert.equal(limits.cpuSeconds, 10);
    assert.equal(limits.memoryBytes, 200 * 1_048_576);
    assert.equal(propose([]).profile.limits.cpuSeconds, 60);
  });

  it('X-08: says that a trace has no end, or lines that say nothing', () => {
    assert.match(
      propose(['brk(NULL) = 0x1', 'openat(-100</srv>, "/et']).notes.join('\n'),
      /1 lines .* not understood[^]*truncated/,
    );
    assert.deepEqual(observe('10 +++ exited with 0 +++').endings, [{ exitCode: 0 }]);
  });

  it('X-08: names the working directory as it is on the host, unless that would be too wide', () => {
    const seen = observe(`10 ${opened(`${WORK}/a`, WRITE)}`);
    const at = (workingDirectory: string): Proposal =>
      proposeProfile('learnt', moveObservations(seen, WORK, workingDirectory), { ...FACTS, workingDirectory });
    assert.deepEqual(at('/srv/data').profile.files.writable, ['/srv/data']);
    for (const wide of ['/home/ann', '/etc', '/etc/app', '/root/project', '/usr/src']) {
      assert.deepEqual(at(wide).profile.files.writable, []);
      assert.equal(at(wide).unmet.length, 1);
    }
  });
});

describe('proposeProfile: whatever the trace', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'etc',
      'home',
      'root',
      'usr',
      'var',
      'lib',
      'tmp',
      'srv',
      'proc',
      'dev',
      '.ssh',
      'shadow',
      '..',
      '.launcher',
      'bin',
    ),
    fc.constantFrom('id_rsa', 'x.key', 'a b', '"', '#', ']', '\n', '\u202e', '\u0007', "'", '<x>', 'é', '\\'),
    fc.string({ minLength: 1, maxLength: 5, unit: 'binary' }).filter((text) => !/[/\0]/.test(text)),
  );
  const path = fc.array(part, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
  const flags = fc.constantFrom('0', '0x241', '0x2', '0x80000', '0x200000');
  const port = fc.integer({ min: 0, max: 65_535 });
  const line = fc.oneof(
    fc.tuple(path, flags).map(([at, flag]) => `openat(-100</srv>, "${quoted(at)}", ${flag}, 0666) = 3<${quoted(at)}>`),
    path.map((at) => `execve("${quoted(at)}", [...], 0x1) = 0`),
    path.map((at) => `getdents64(3<${quoted(at)}>, 0x1, 9) = 9`),
    path.map((at) => `mmap(NULL, 9, 0x5, 0x2, 3<${quoted(at)}>, 0) = 0x7f`),
    fc.tuple(path, path).map(([from, to]) => `rename("${quoted(from)}", "${quoted(to)}") = 0`),
    fc
      .tuple(
        fc.constantFrom(...SYSCALLS.x64.keys()),
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 6 }),
      )
      .map(([name, args]) => `${name}(${args.map((value) => `0x${value.toString(16)}`).join(', ')}) = 0`),
    port.map((number) => connect(quotedPort(number), String.raw`\x7f\x00\x00\x01`)),
    fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map((bytes) => `write(3</tmp/a>, ""..., 9) = ${bytes}`),
  );
  it('X-08: the proposal compiles, and holds no call that is never allowed and no path that is never given', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), fc.option(path), (lines, workingDirectory) => {
        const { profile } = propose(lines, { workingDirectory });
        compileProfile(profile, FEATURES);
        const { readOnly, writable, executable, hidden } = profile.files;
        assert.deepEqual(
          profile.syscalls.allow.filter((name) => NEVER.has(name)),
          [],
        );
        assert.deepEqual(
          [...readOnly, ...executable].filter((at) => isNeverShown(at) || isSecret(at)),
          [],
        );
        assert.deepEqual(
          writable.filter((at) => isNeverWritable(at) || isSecret(at)),
          [],
        );
        assert.deepEqual(
          hidden.filter((at) => !isSecret(at)),
          [],
        );
        assert.notEqual(profile.network, 'host');
      }),
      { numRuns: 500 },
    );
  });

  it('X-08: its TOML stands in a policy as it is, and means the same', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), path, (lines, argument) => {
        const proposal = propose(lines);
        const text = formatProposal(proposal, { argv: ['/usr/bin/x', argument], runs: 1 });
        const { policy, findings } = parsePolicy([`version = 1\n${text}`]);
        const errors = findings.filter(({ path: at, severity }) => severity === 'ERROR' && at.startsWith('profiles'));
        assert.deepEqual(errors, []);
        assert.deepEqual(policy?.profiles.get('learnt'), proposal.profile);
      }),
    );
  });
});
