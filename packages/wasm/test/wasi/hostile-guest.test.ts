/**
 * Tricks of a guest that wants out, one per test: paths, descriptors, offsets, pointers. Each is tried
 * on a writable directory and must be refused with exactly this errno, must not throw, and must leave the
 * tree as it was. What lies beside the directory does not exist for the guest in the first place; the
 * suite proves that no spelling changes that.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { ERRNO, type ErrnoName } from '../../src/wasi/errno.ts';
import { OutputExceeded, FuelExhausted } from '../../src/wasi/run-ended.ts';
import { WASI_SIGNATURES, type WasiName } from '../../src/wasi/signatures.ts';
import { AREA, dataFiles, openDataProbe, openProbe, type Probe, RIGHT_READ, RIGHT_WRITE } from './guest-probe.ts';

const { result: R, path: P, otherPath: O, data: D, end: END } = AREA;
const BOTH = RIGHT_READ | RIGHT_WRITE;
const CREAT = 1;
const U32 = 0xffff_ffff;
/** The last address of memory. */
const LAST = END - 1;

interface Trick {
  readonly name: string;
  readonly want: ErrnoName;
  readonly play: (guest: Probe) => number;
}

const opening = (name: string, path: string | Uint8Array, want: ErrnoName): Trick => ({
  name: `opening ${name}`,
  want,
  play: (guest) => -guest.open(3, path),
});

const creating = (name: string, path: string | Uint8Array, want: ErrnoName): Trick => ({
  name: `creating ${name}`,
  want,
  play: (guest) => -guest.open(3, path, { oflags: CREAT, rights: BOTH }),
});

const PATH_TRICKS: readonly Trick[] = [
  opening('an absolute path', '/etc/passwd', 'NOTCAPABLE'),
  opening('the root', '/', 'NOTCAPABLE'),
  opening('two slashes', '//etc/passwd', 'NOTCAPABLE'),
  opening('its own guest path', '/data/hello.txt', 'NOTCAPABLE'),
  opening('the parent', '..', 'NOTCAPABLE'),
  opening('a neighbour', '../etc/passwd', 'NOTCAPABLE'),
  opening('the parent after a dot', './../etc', 'NOTCAPABLE'),
  opening('the parent after a directory', 'sub/../../etc', 'NOTCAPABLE'),
  opening('the parent after a name that does not exist', 'nope/../../etc', 'NOTCAPABLE'),
  opening('the parent with many slashes', 'sub////..//..///etc', 'NOTCAPABLE'),
  opening('out and in again', '../data/hello.txt', 'NOTCAPABLE'),
  opening('far out and in again', 'sub/../../../../data/hello.txt', 'NOTCAPABLE'),
  opening('the empty path', '', 'NOENT'),
  opening('a NUL at the end', 'hello.txt\0', 'INVAL'),
  opening('a NUL before another ending', 'hello.txt\0.jpg', 'INVAL'),
  opening('a lone NUL', '\0', 'INVAL'),
  opening('a file as a directory, by slash', 'hello.txt/', 'NOTDIR'),
  opening('a file as a directory, by dot', 'hello.txt/.', 'NOTDIR'),
  opening('something in a file', 'hello.txt/x', 'NOTDIR'),
  opening('three dots', '...', 'NOENT'),
  opening('dots with spaces', '.. /etc', 'NOENT'),
  opening('backslashes', '..\\etc\\passwd', 'NOENT'),
  opening('percent-encoded dots', '%2e%2e/etc', 'NOENT'),
  opening('full-width dots', '．．/etc', 'NOENT'),
  opening('a byte order mark before the name', '\ufeffhello.txt', 'NOENT'),
  opening('another case', 'HELLO.TXT', 'NOENT'),
  opening('overlong UTF-8 for a dot', Uint8Array.of(0xc0, 0xae, 0xc0, 0xae, 0x2f), 'ILSEQ'),
  opening('overlong UTF-8 for a slash', Uint8Array.of(0x2e, 0x2e, 0xc0, 0xaf), 'ILSEQ'),
  opening('a surrogate', Uint8Array.of(0xed, 0xa0, 0x80), 'ILSEQ'),
  opening('a name of 256 bytes', 'n'.repeat(256), 'NAMETOOLONG'),
  opening('a name of 128 characters and 256 bytes', 'é'.repeat(128), 'NAMETOOLONG'),
  opening('a path of 4,097 bytes', './'.repeat(2_048) + 'x', 'NAMETOOLONG'),
  opening('a path of 256 names', 'a/'.repeat(255) + 'a', 'NAMETOOLONG'),
  opening('what /proc would offer', 'proc/self/root', 'NOENT'),
  opening('a property every object has', '__proto__', 'NOENT'),
  opening('a method every map has', 'constructor', 'NOENT'),
  creating('with a trailing slash', 'new/', 'ISDIR'),
  creating('a dot', '.', 'ISDIR'),
  creating('the parent', '..', 'NOTCAPABLE'),
  creating('outside', '../new', 'NOTCAPABLE'),
  creating('in a directory that is missing', 'nope/new', 'NOENT'),
  creating('in a file', 'hello.txt/new', 'NOTDIR'),
  creating('over a directory', 'sub', 'ISDIR'),
  {
    name: 'making the directory itself',
    want: 'EXIST',
    play: (guest) => guest.call('path_create_directory', 3, ...guest.put(P, '.')),
  },
  {
    name: 'making a directory outside',
    want: 'NOTCAPABLE',
    play: (guest) => guest.call('path_create_directory', 3, ...guest.put(P, '../new')),
  },
  {
    name: 'removing the directory itself',
    want: 'INVAL',
    play: (guest) => guest.call('path_remove_directory', 3, ...guest.put(P, '.')),
  },
  {
    name: 'removing the directory itself, the long way',
    want: 'INVAL',
    play: (guest) => guest.call('path_remove_directory', 3, ...guest.put(P, 'sub/..')),
  },
  {
    name: 'removing the parent',
    want: 'NOTCAPABLE',
    play: (guest) => guest.call('path_remove_directory', 3, ...guest.put(P, '..')),
  },
  {
    name: 'unlinking a directory',
    want: 'ISDIR',
    play: (guest) => guest.call('path_unlink_file', 3, ...guest.put(P, 'sub')),
  },
  {
    name: 'unlinking a file with a trailing slash',
    want: 'NOTDIR',
    play: (guest) => guest.call('path_unlink_file', 3, ...guest.put(P, 'hello.txt/')),
  },
  {
    name: 'renaming out',
    want: 'NOTCAPABLE',
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, 'hello.txt'), 3, ...guest.put(O, '../x')),
  },
  {
    name: 'renaming in',
    want: 'NOTCAPABLE',
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, '../x'), 3, ...guest.put(O, 'x')),
  },
  {
    name: 'renaming the directory itself',
    want: 'INVAL',
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, '.'), 3, ...guest.put(O, 'x')),
  },
  {
    name: 'renaming onto the directory itself',
    want: 'INVAL',
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, 'sub'), 3, ...guest.put(O, './')),
  },
  {
    name: 'renaming a directory into itself',
    want: 'INVAL',
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, 'sub'), 3, ...guest.put(O, 'sub/x')),
  },
  {
    name: 'renaming a file to a name with a slash',
    want: 'NOTDIR',
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, 'hello.txt'), 3, ...guest.put(O, 'x/')),
  },
  {
    name: 'a symbolic link to the outside',
    want: 'NOTSUP',
    play: (guest) => guest.call('path_symlink', ...guest.put(P, '../../etc'), 3, ...guest.put(O, 'l')),
  },
  {
    name: 'a symbolic link placed outside',
    want: 'NOTCAPABLE',
    play: (guest) => guest.call('path_symlink', ...guest.put(P, 'x'), 3, ...guest.put(O, '../l')),
  },
  {
    name: 'a hard link',
    want: 'NOTSUP',
    play: (guest) => guest.call('path_link', 3, 1, ...guest.put(P, 'hello.txt'), 3, ...guest.put(O, 'l')),
  },
  {
    name: 'following links by flag',
    want: 'NOTCAPABLE',
    play: (guest) => guest.call('path_filestat_get', 3, 1, ...guest.put(P, '../x'), R),
  },
];

const DESCRIPTOR_TRICKS: readonly Trick[] = [
  { name: 'descriptor -1', want: 'BADF', play: (guest) => guest.call('fd_close', -1) },
  { name: 'descriptor 2^31', want: 'BADF', play: (guest) => guest.call('fd_fdstat_get', -2_147_483_648, R) },
  {
    name: 'renumbering to a number never opened',
    want: 'BADF',
    play: (guest) => guest.call('fd_renumber', 3, 1_000_000_000),
  },
  { name: 'renumbering from nowhere', want: 'BADF', play: (guest) => guest.call('fd_renumber', 77, 3) },
  {
    name: 'the parent through a descriptor of a subdirectory',
    want: 'NOTCAPABLE',
    play: (guest) => -guest.open(guest.open(3, 'sub', { oflags: 2 }), '../hello.txt'),
  },
  {
    name: 'the parent through a subdirectory that took the place of the preopen',
    want: 'NOTCAPABLE',
    play: (guest) => {
      const sub = guest.open(3, 'sub', { oflags: 2 });
      guest.call('fd_renumber', sub, 3);
      return -guest.open(3, '../hello.txt');
    },
  },
  {
    name: 'the preopen after it was closed',
    want: 'BADF',
    play: (guest) => {
      guest.call('fd_close', 3);
      return -guest.open(3, 'hello.txt');
    },
  },
  {
    name: 'a path through a file that took the place of the preopen',
    want: 'NOTDIR',
    play: (guest) => {
      guest.call('fd_renumber', guest.open(3, 'hello.txt'), 3);
      return -guest.open(3, '.');
    },
  },
  {
    name: 'the name of a preopen after a stream took its place',
    want: 'BADF',
    play: (guest) => {
      guest.call('fd_renumber', 1, 3);
      return guest.call('fd_prestat_get', 3, R);
    },
  },
  {
    name: 'a subdirectory that was removed while open',
    want: 'NOENT',
    play: (guest) => {
      guest.call('path_create_directory', 3, ...guest.put(P, 'gone'));
      const gone = guest.open(3, 'gone', { oflags: 2 });
      guest.call('path_remove_directory', 3, ...guest.put(P, 'gone'));
      return -guest.open(gone, 'x', { oflags: CREAT, rights: BOTH });
    },
  },
  {
    name: 'more rights than there are',
    want: 'NOTSUP',
    play: (guest) => guest.call('fd_fdstat_set_rights', 3, -1n, -1n),
  },
  {
    name: 'a seek before the start',
    want: 'INVAL',
    play: (guest) => guest.call('fd_seek', guest.open(3, 'hello.txt'), -1n, 0, R),
  },
  {
    name: 'a seek that overflows',
    want: 'OVERFLOW',
    play: (guest) => guest.call('fd_seek', guest.open(3, 'hello.txt'), 2n ** 63n - 1n, 2, R),
  },
  {
    name: 'the least seek there is',
    want: 'INVAL',
    play: (guest) => guest.call('fd_seek', guest.open(3, 'hello.txt'), -(2n ** 63n), 1, R),
  },
  {
    name: 'a seek from nowhere',
    want: 'INVAL',
    play: (guest) => guest.call('fd_seek', guest.open(3, 'hello.txt'), 0n, 3, R),
  },
  {
    name: 'reading at a negative offset',
    want: 'INVAL',
    play: (guest) => guest.call('fd_pread', guest.open(3, 'hello.txt'), ...guest.iovecs([D, 1]), -1n, R),
  },
  {
    name: 'writing at 2^62',
    want: 'FBIG',
    play: (guest) =>
      guest.call('fd_pwrite', guest.open(3, 'hello.txt', { rights: BOTH }), ...guest.iovecs([D, 1]), 2n ** 62n, R),
  },
  {
    name: 'writing at 2^53 - 1',
    want: 'NOSPC',
    play: (guest) =>
      guest.call('fd_pwrite', guest.open(3, 'hello.txt', { rights: BOTH }), ...guest.iovecs([D, 1]), 2n ** 53n - 1n, R),
  },
  {
    name: 'a file of 2^63 bytes',
    want: 'INVAL',
    play: (guest) => guest.call('fd_filestat_set_size', guest.open(3, 'hello.txt', { rights: BOTH }), 2n ** 63n),
  },
  {
    name: 'allocating what overflows together',
    want: 'FBIG',
    play: (guest) =>
      guest.call('fd_allocate', guest.open(3, 'hello.txt', { rights: BOTH }), 2n ** 53n - 1n, 2n ** 53n - 1n),
  },
];

const POINTER_TRICKS: readonly Trick[] = [
  { name: 'an iovec list behind the memory', want: 'FAULT', play: (guest) => guest.call('fd_write', 1, END, 1, R) },
  { name: 'an iovec list across the end', want: 'FAULT', play: (guest) => guest.call('fd_write', 1, END - 4, 1, R) },
  { name: 'four billion iovecs', want: 'FAULT', play: (guest) => guest.call('fd_write', 1, 0, -1, R) },
  {
    name: 'a buffer across the end',
    want: 'FAULT',
    play: (guest) => guest.call('fd_write', 1, ...guest.iovecs([LAST, 2]), R),
  },
  {
    name: 'a buffer of four gigabytes',
    want: 'FAULT',
    play: (guest) => guest.call('fd_write', 1, ...guest.iovecs([1, U32]), R),
  },
  {
    name: 'a buffer at the last address there is',
    want: 'FAULT',
    play: (guest) => guest.call('fd_read', 0, ...guest.iovecs([U32, 1]), R),
  },
  {
    name: 'a bad buffer after a good one',
    want: 'FAULT',
    play: (guest) => guest.call('fd_write', 1, ...guest.iovecs(guest.put(D, 'secret'), [LAST, 9]), R),
  },
  {
    name: 'a result across the end',
    want: 'FAULT',
    play: (guest) => guest.call('fd_write', 1, ...guest.iovecs(guest.put(D, 'secret')), LAST),
  },
  {
    name: 'an opened descriptor that cannot be told',
    want: 'FAULT',
    play: (guest) => guest.call('path_open', 3, 0, ...guest.put(P, 'made'), CREAT, BOTH, 0n, 0, LAST),
  },
  { name: 'a path across the end', want: 'FAULT', play: (guest) => guest.call('path_unlink_file', 3, LAST, 2) },
  { name: 'a path of four gigabytes', want: 'FAULT', play: (guest) => guest.call('path_unlink_file', 3, 0, -1) },
  { name: 'random bytes across the end', want: 'FAULT', play: (guest) => guest.call('random_get', LAST, 2) },
  { name: 'random bytes without end', want: 'FAULT', play: (guest) => guest.call('random_get', 0, -1) },
  { name: 'a stat across the end', want: 'FAULT', play: (guest) => guest.call('fd_filestat_get', 3, END - 63) },
  { name: 'a listing across the end', want: 'FAULT', play: (guest) => guest.call('fd_readdir', 3, LAST, 2, 0n, R) },
  { name: 'the time at -1', want: 'FAULT', play: (guest) => guest.call('clock_time_get', 0, 0n, -1) },
  {
    name: 'subscriptions across the end',
    want: 'FAULT',
    play: (guest) => guest.call('poll_oneoff', END - 47, 0, 1, R),
  },
  { name: 'events across the end', want: 'FAULT', play: (guest) => guest.call('poll_oneoff', 0, END - 31, 1, R) },
  { name: 'four billion subscriptions', want: 'INVAL', play: (guest) => guest.call('poll_oneoff', 0, 0, -1, R) },
  {
    name: 'the name of a preopen across the end',
    want: 'FAULT',
    play: (guest) => guest.call('fd_prestat_dir_name', 3, LAST, 5),
  },
  {
    name: 'a seek whose answer cannot be told',
    want: 'FAULT',
    play: (guest) => guest.call('fd_seek', guest.open(3, 'hello.txt'), 0n, 0, END - 7),
  },
];

describe('hostile guest', () => {
  for (const { name, want, play } of [...PATH_TRICKS, ...DESCRIPTOR_TRICKS, ...POINTER_TRICKS]) {
    it(`X-14: ${name} is answered with ${want}`, () => {
      const files = dataFiles(true);
      const guest = openProbe({ directories: [{ guestPath: '/data', files }] });
      assert.equal(play(guest), ERRNO[want]);
      assert.deepEqual(files.changes(), []);
      assert.equal(guest.guest.stdout.collected().length, 0);
    });
  }

  it('X-14: overlapping buffers get what a copy would give', () => {
    const guest = openDataProbe(false);
    const fd = guest.open(3, 'hello.txt');
    assert.equal(guest.call('fd_read', fd, ...guest.iovecs([D, 5], [D + 2, 5]), R), 0);
    assert.equal(guest.text(D, 7), 'he, gue');
  });

  it('X-14: a read over its own iovec list follows the list as it was', () => {
    const guest = openDataProbe(false);
    const fd = guest.open(3, 'hello.txt');
    const [list] = guest.iovecs([AREA.iovecs, 8], [D, 4]);
    assert.equal(guest.call('fd_read', fd, list, 2, R), 0);
    assert.equal(guest.text(D, 4), 'uest');
  });

  it('X-14: the last byte of memory may be used, the one behind it not', () => {
    const guest = openProbe();
    assert.equal(guest.call('random_get', LAST, 1), 0);
    assert.equal(guest.call('random_get', END, 0), 0);
    assert.equal(guest.call('random_get', END, 1), ERRNO.FAULT);
  });

  it('X-10: an iovec bomb pays for every byte it moves', () => {
    const guest = openProbe({}, { fuel: 100_000n });
    const bomb = guest.iovecs(...Array.from({ length: 1_024 }, () => [0, END] as const));
    assert.throws(() => guest.call('fd_write', 1, ...bomb, R), FuelExhausted);
    assert.ok(guest.guest.stdout.collected().length <= 100_000 * 8);
  });

  it('X-10: a call fails or succeeds at the same price, and at least a hundred', () => {
    for (const [name, letters] of Object.entries(WASI_SIGNATURES)) {
      if (name === 'proc_exit') continue;
      const guest = openProbe();
      const before = guest.fuel();
      guest.call(name as WasiName, ...Array.from(letters, (letter) => (letter === 'I' ? 0n : 0)));
      assert.ok(before - guest.fuel() >= 100n, name);
    }
  });

  it('X-14: no arguments whatever make a call throw, or leave anything changed but the guest', () => {
    const number = fc.oneof(
      fc.constantFrom(0, 1, 3, 4, LAST, END, -1, 0x7fff_ffff, -0x8000_0000),
      fc.nat(END),
      fc.integer(),
    );
    const big = fc.oneof(
      fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    );
    const call = fc
      .constantFrom(...(Object.keys(WASI_SIGNATURES) as WasiName[]).filter((name) => name !== 'proc_exit'))
      .chain((name) =>
        fc.record({
          name: fc.constant(name),
          values: fc.tuple(...Array.from(WASI_SIGNATURES[name], (letter) => (letter === 'I' ? big : number))),
        }),
      );
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 30 }),
        fc.uint8Array({ minLength: 256, maxLength: 256 }),
        (calls, noise) => {
          const files = dataFiles(false);
          const guest = openProbe({ directories: [{ guestPath: '/data', files }] }, { fuel: 10_000_000n });
          guest.put(0, noise);
          guest.open(3, 'hello.txt');
          try {
            for (const { name, values } of calls)
              assert.ok(Object.values<number>(ERRNO).includes(guest.call(name, ...values)));
          } catch (error) {
            if (!(error instanceof FuelExhausted || error instanceof OutputExceeded)) throw error;
          }
          assert.deepEqual(files.changes(), []);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
