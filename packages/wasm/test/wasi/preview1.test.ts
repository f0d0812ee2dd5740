/** Each function of WASI preview 1: its answers, its bytes, its errno. Numbers and offsets as in the witx. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ERRNO } from '../../src/wasi/errno.ts';
import { OFFERED_IMPORTS } from '../../src/wasi/imports.ts';
import { AREA, dataFiles, openDataProbe, openProbe, RIGHT_READ, RIGHT_WRITE } from './guest-probe.ts';

const { result: R, path: P, data: D } = AREA;
const BOTH = RIGHT_READ | RIGHT_WRITE;
const CREAT = 1;
const TRUNC = 8;

const draw = (guest: ReturnType<typeof openProbe>, ...lengths: number[]): string => {
  let at: number = D;
  for (const length of lengths) {
    assert.equal(guest.call('random_get', at, length), 0);
    at += length;
  }
  return Buffer.from(new Uint8Array(guest.memory.buffer, D, at - D)).toString('hex');
};

const subscribe = (guest: ReturnType<typeof openProbe>, index: number, userdata: bigint, tag: number): number => {
  const at = D + 48 * index;
  guest.memory.setBigUint64(at, userdata, true);
  guest.memory.setUint8(at + 8, tag);
  return at + 16;
};

const clock = (
  guest: ReturnType<typeof openProbe>,
  index: number,
  userdata: bigint,
  timeout: bigint,
  id = 1,
  flags = 0,
): void => {
  const at = subscribe(guest, index, userdata, 0);
  guest.memory.setUint32(at, id, true);
  guest.memory.setBigUint64(at + 8, timeout, true);
  guest.memory.setUint16(at + 24, flags, true);
};

const events = (guest: ReturnType<typeof openProbe>, count: number): string[] => {
  assert.equal(guest.call('poll_oneoff', D, P, count, R), 0);
  return Array.from({ length: guest.memory.getUint32(R, true) }, (_, index) => {
    const at = P + 32 * index;
    return `${guest.memory.getBigUint64(at, true)}:${guest.memory.getUint16(at + 8, true)}:${guest.memory.getUint8(at + 10)}:${guest.memory.getBigUint64(at + 16, true)}:${guest.memory.getUint16(at + 24, true)}`;
  });
};

describe('WASI: nothing by default', () => {
  it('X-14: a guest without capabilities has no arguments, no environment, no directory and an empty stdin', () => {
    const guest = openProbe();
    assert.equal(guest.call('args_sizes_get', R, R + 4), 0);
    assert.equal(guest.call('environ_sizes_get', R + 8, R + 12), 0);
    assert.deepEqual(
      [0, 4, 8, 12].map((at) => guest.memory.getUint32(R + at, true)),
      [0, 0, 0, 0],
    );
    assert.equal(guest.call('fd_prestat_get', 3, R), ERRNO.BADF);
    assert.equal(guest.open(3, 'x'), -ERRNO.BADF);
    assert.equal(guest.read(0, 10), '');
  });

  it('X-14: standard streams are neither files nor terminals nor directories', () => {
    const guest = openProbe();
    for (const fd of [0, 1, 2]) {
      assert.equal(guest.call('fd_fdstat_get', fd, R), 0);
      assert.equal(guest.memory.getUint8(R), 0);
      assert.equal(guest.call('fd_seek', fd, 0n, 0, R), ERRNO.SPIPE);
      assert.equal(guest.call('fd_tell', fd, R), ERRNO.SPIPE);
      assert.equal(guest.call('fd_prestat_get', fd, R), ERRNO.BADF);
      assert.equal(guest.open(fd, 'x'), -ERRNO.NOTDIR);
      assert.equal(guest.call('fd_readdir', fd, D, 10, 0n, R), ERRNO.NOTDIR);
      assert.equal(guest.call('fd_filestat_get', fd, R), 0);
    }
    assert.equal(guest.write(0, 'x'), ERRNO.BADF);
    assert.equal(guest.read(1, 1), -ERRNO.BADF);
  });

  it('X-17: there are no sockets and no processes', () => {
    const guest = openProbe();
    assert.equal(guest.call('sock_accept', 0, 0, R), ERRNO.NOTSOCK);
    assert.equal(guest.call('sock_recv', 9, D, 1, 0, R, R), ERRNO.BADF);
    assert.equal(guest.call('sock_send', 1, D, 1, 0, R), ERRNO.NOTSOCK);
    assert.equal(guest.call('sock_shutdown', 77, 0), ERRNO.BADF);
    assert.equal(guest.call('proc_raise', 9), ERRNO.NOSYS);
  });

  it('X-09: offers preview 1 and nothing else', () => {
    assert.deepEqual([...OFFERED_IMPORTS.keys()], ['wasi_snapshot_preview1']);
    assert.equal(OFFERED_IMPORTS.get('wasi_snapshot_preview1')?.size, 46);
  });
});

describe('WASI: arguments, time, randomness', () => {
  it('args_get and environ_get lay out pointers and NUL-terminated text', () => {
    const guest = openProbe({ args: ['prog', 'ä b'], env: { LANG: 'C', EMPTY: '' } });
    guest.call('args_sizes_get', R, R + 4);
    assert.deepEqual([guest.memory.getUint32(R, true), guest.memory.getUint32(R + 4, true)], [2, 10]);
    assert.equal(guest.call('args_get', R, D), 0);
    assert.deepEqual([guest.memory.getUint32(R, true), guest.memory.getUint32(R + 4, true)], [D, D + 5]);
    assert.equal(guest.text(D, 10), 'prog\0ä b\0');
    assert.equal(guest.call('environ_get', R, D), 0);
    assert.equal(guest.text(D, 14), 'LANG=C\0EMPTY=\0');
  });

  for (const args of [['a\0b'], ['x'.repeat(1_048_576)]]) {
    it(`refuses to be given ${args[0]!.length} characters that it could not hand on`, () => {
      assert.throws(() => openProbe({ args }), TypeError);
    });
  }

  it('X-16: the fuel clock shows work done, and sleeping moves it without waiting', () => {
    const guest = openProbe();
    const read = (id: number): bigint => {
      assert.equal(guest.call('clock_time_get', id, 0n, R), 0);
      return guest.memory.getBigUint64(R, true);
    };
    assert.equal(read(0), 1_000_000_100n);
    assert.equal(read(1), 200n);
    assert.equal(read(2), 300n);
    guest.guest.time.sleep(5_000n);
    assert.equal(read(1), 5_400n);
    assert.equal(read(3), 500n);
    assert.equal(guest.call('clock_time_get', 4, 0n, R), ERRNO.INVAL);
    assert.equal(guest.call('clock_res_get', 0, R), 0);
    assert.equal(guest.memory.getBigUint64(R, true), 1n);
    assert.equal(guest.call('clock_res_get', 99, R), ERRNO.INVAL);
  });

  it('X-14: the coarse clock shows whole steps only', () => {
    const guest = openProbe({ clock: { kind: 'coarse', resolutionMs: 10 } });
    guest.call('clock_time_get', 0, 0n, R);
    assert.equal(guest.memory.getBigUint64(R, true), 1_700_000_000_120_000_000n);
    guest.call('clock_res_get', 1, R);
    assert.equal(guest.memory.getBigUint64(R, true), 10_000_000n);
    assert.throws(() => openProbe({ clock: { kind: 'coarse', resolutionMs: 0.5 } }), TypeError);
  });

  it('X-14: seeded randomness is the same in every run, whatever the pieces; the system one is not', () => {
    assert.equal(draw(openProbe(), 64), draw(openProbe(), 1, 31, 0, 32));
    assert.notEqual(
      draw(openProbe(), 64),
      draw(openProbe({ randomness: { kind: 'seeded', seed: Buffer.from('x') } }), 64),
    );
    const system = (): string => draw(openProbe({ randomness: { kind: 'system' } }), 32);
    assert.notEqual(system(), system());
  });
});

describe('WASI: descriptors', () => {
  it('names its preopened directories', () => {
    const guest = openDataProbe(false);
    assert.equal(guest.call('fd_prestat_get', 3, R), 0);
    assert.deepEqual([guest.memory.getUint32(R, true), guest.memory.getUint32(R + 4, true)], [0, 5]);
    assert.equal(guest.call('fd_prestat_dir_name', 3, D, 4), ERRNO.NAMETOOLONG);
    assert.equal(guest.call('fd_prestat_dir_name', 3, D, 5), 0);
    assert.equal(guest.text(D, 5), '/data');
  });

  it('reads, seeks and tells', () => {
    const guest = openDataProbe(false);
    const fd = guest.open(3, 'hello.txt');
    assert.equal(fd, 4);
    assert.equal(guest.read(fd, 5), 'hello');
    assert.equal(guest.call('fd_tell', fd, R), 0);
    assert.equal(guest.memory.getBigUint64(R, true), 5n);
    assert.equal(guest.call('fd_seek', fd, -5n, 2, R), 0);
    assert.equal(guest.read(fd, 100), 'guest');
    assert.equal(guest.call('fd_seek', fd, -2n, 1, R), 0);
    assert.equal(guest.read(fd, 100), 'st');
    assert.equal(guest.call('fd_pread', fd, ...guest.iovecs([D, 2], [D + 2, 3]), 1n, R), 0);
    assert.equal(guest.text(D, guest.memory.getUint32(R, true)), 'ello,');
    assert.equal(guest.call('fd_close', fd), 0);
    assert.equal(guest.call('fd_close', fd), ERRNO.BADF);
  });

  it('writes, appends, allocates and truncates', () => {
    const guest = openDataProbe(true);
    const fd = guest.open(3, 'new', { oflags: CREAT, rights: BOTH });
    assert.equal(guest.write(fd, 'abcdef'), 0);
    assert.equal(guest.call('fd_pwrite', fd, ...guest.iovecs(guest.put(D, 'XY')), 1n, R), 0);
    assert.equal(guest.call('fd_filestat_set_size', fd, 4n), 0);
    assert.equal(guest.call('fd_allocate', fd, 2n, 4n), 0);
    assert.equal(guest.call('fd_allocate', fd, 0n, 1n), 0);
    assert.equal(guest.call('fd_allocate', fd, 0n, 0n), ERRNO.INVAL);
    assert.equal(guest.call('fd_fdstat_set_flags', fd, 1), 0);
    guest.call('fd_seek', fd, 0n, 0, R);
    assert.equal(guest.write(fd, 'end'), 0);
    guest.call('fd_seek', fd, 0n, 0, R);
    assert.equal(guest.read(fd, 100), 'aXYd\0\0end');
    assert.equal(guest.call('fd_fdstat_get', fd, R), 0);
    assert.equal(guest.memory.getUint8(R), 4);
    assert.equal(guest.memory.getUint16(R + 2, true), 1);
    assert.equal(guest.call('fd_fdstat_set_flags', fd, 1 << 5), ERRNO.INVAL);
    assert.equal(guest.call('fd_fdstat_set_rights', fd, 0n, 0n), ERRNO.NOTSUP);
    for (const name of ['fd_sync', 'fd_datasync'] as const) assert.equal(guest.call(name, fd), 0);
    assert.equal(guest.call('fd_advise', fd, 0n, 10n, 5), 0);
    assert.equal(guest.call('fd_advise', fd, 0n, 10n, 6), ERRNO.INVAL);
  });

  it('X-14: a descriptor does what it was opened for', () => {
    const guest = openDataProbe(true);
    const reading = guest.open(3, 'hello.txt', { rights: RIGHT_READ });
    assert.equal(guest.write(reading, 'x'), ERRNO.BADF);
    assert.equal(guest.call('fd_filestat_set_size', reading, 0n), ERRNO.BADF);
    assert.equal(guest.call('fd_allocate', reading, 0n, 100n), ERRNO.BADF);
    const writing = guest.open(3, 'hello.txt', { rights: RIGHT_WRITE });
    assert.equal(guest.read(writing, 1), -ERRNO.BADF);
    const neither = guest.open(3, 'hello.txt', { rights: 0n });
    assert.equal(guest.read(neither, 1), -ERRNO.BADF);
    assert.equal(guest.write(neither, 'x'), ERRNO.BADF);
  });

  it('X-14: a directory is no file', () => {
    const guest = openDataProbe(true);
    assert.equal(guest.read(3, 1), -ERRNO.ISDIR);
    assert.equal(guest.write(3, 'x'), ERRNO.ISDIR);
    assert.equal(guest.call('fd_seek', 3, 0n, 0, R), ERRNO.BADF);
    assert.equal(guest.call('fd_tell', 3, R), ERRNO.BADF);
    assert.equal(guest.call('fd_filestat_set_size', 3, 0n), ERRNO.BADF);
    assert.equal(guest.call('fd_allocate', 3, 0n, 1n), ERRNO.BADF);
    assert.equal(guest.open(3, 'sub', { rights: RIGHT_WRITE }), -ERRNO.ISDIR);
  });

  it('fd_filestat_get lays out 64 bytes', () => {
    const guest = openDataProbe(false);
    const fd = guest.open(3, 'hello.txt');
    assert.equal(guest.call('fd_filestat_get', fd, R), 0);
    const at = (offset: number): bigint => guest.memory.getBigUint64(R + offset, true);
    assert.deepEqual([at(0), at(24), at(32), at(40), at(48), at(56)], [1n, 1n, 12n, 5_000n, 5_000n, 5_000n]);
    assert.equal(guest.memory.getUint8(R + 16), 4);
    assert.notEqual(at(8), 0n);
  });

  it('fd_readdir: entries, cookies, and a last entry cut off by the end of the buffer', () => {
    const guest = openDataProbe(true);
    assert.equal(guest.call('fd_readdir', 3, D, 4_096, 0n, R), 0);
    const used = guest.memory.getUint32(R, true);
    const names: string[] = [];
    for (let at: number = D; at < D + used;) {
      const length = guest.memory.getUint32(at + 16, true);
      names.push(
        `${guest.text(at + 24, length)}:${guest.memory.getUint8(at + 20)}:${guest.memory.getBigUint64(at, true)}`,
      );
      at += 24 + length;
    }
    assert.deepEqual(names, ['.:3:1', '..:3:2', 'hello.txt:4:3', 'sub:3:4']);
    guest.open(3, 'aaa', { oflags: CREAT });
    assert.equal(guest.call('fd_readdir', 3, D, 30, 2n, R), 0);
    assert.equal(guest.memory.getUint32(R, true), 30);
    assert.equal(guest.text(D + 24, 6), 'hello.');
    for (const cookie of [4n, 5n, 2n ** 63n, -1n]) {
      assert.equal(guest.call('fd_readdir', 3, D, 4_096, cookie, R), 0);
      assert.equal(guest.memory.getUint32(R, true), 0);
    }
    guest.call('fd_readdir', 3, D, 4_096, 0n, R);
    assert.equal(guest.text(D + 24 + 1 + 24 + 2 + 24, 3), 'aaa');
  });

  it('X-14: fd_renumber moves a descriptor and makes no number that was not open', () => {
    const guest = openDataProbe(false);
    const fd = guest.open(3, 'hello.txt');
    assert.equal(guest.call('fd_renumber', fd, 4_000_000_000), ERRNO.BADF);
    assert.equal(guest.call('fd_renumber', fd, fd), 0);
    assert.equal(guest.call('fd_renumber', fd, 0), 0);
    assert.equal(guest.read(0, 5), 'hello');
    assert.equal(guest.read(fd, 5), -ERRNO.BADF);
    assert.equal(guest.open(3, 'hello.txt'), fd);
  });

  it('X-12: opens no more than it may, and closing makes room', () => {
    const guest = openDataProbe(false, { openFiles: 3 });
    assert.deepEqual(
      [1, 2, 3, 4].map(() => guest.open(3, 'hello.txt')),
      [4, 5, 6, -ERRNO.MFILE],
    );
    guest.call('fd_close', 5);
    assert.equal(guest.open(3, 'sub'), 5);
  });

  it('X-12: output beyond its cap is dropped and said to be, or ends the run', () => {
    const guest = openProbe({}, { outputBytes: 5 });
    assert.equal(guest.write(1, '12345'), 0);
    assert.equal(guest.guest.stdout.truncated, false);
    assert.equal(guest.write(1, '678'), 0);
    assert.equal(guest.memory.getUint32(R, true), 3);
    assert.equal(guest.guest.stdout.truncated, true);
    assert.equal(Buffer.from(guest.guest.stdout.collected()).toString(), '12345');
    const strict = openProbe({}, { outputBytes: 5, onOutputLimit: 'end' });
    assert.equal(strict.write(2, '12345'), 0);
    assert.throws(() => strict.write(2, '6'), { name: 'Error' });
    assert.equal(Buffer.from(strict.guest.stderr.collected()).toString(), '12345');
  });
});

describe('WASI: paths', () => {
  it('creates, opens, truncates, renames and removes', () => {
    const guest = openDataProbe(true);
    assert.equal(guest.call('path_create_directory', 3, ...guest.put(P, 'made')), 0);
    assert.equal(guest.call('path_create_directory', 3, ...guest.put(P, 'made')), ERRNO.EXIST);
    const fd = guest.open(3, 'made/f', { oflags: CREAT, rights: BOTH });
    assert.equal(guest.write(fd, 'text'), 0);
    assert.equal(guest.open(3, 'made/f', { oflags: CREAT | 4 }), -ERRNO.EXIST);
    assert.equal(guest.call('path_remove_directory', 3, ...guest.put(P, 'made')), ERRNO.NOTEMPTY);
    assert.equal(guest.call('path_rename', 3, ...guest.put(P, 'made/f'), 3, ...guest.put(AREA.otherPath, 'g')), 0);
    assert.equal(guest.call('path_remove_directory', 3, ...guest.put(P, 'made/')), 0);
    guest.open(3, 'g', { oflags: TRUNC, rights: 0n });
    assert.equal(guest.call('path_filestat_get', 3, 0, ...guest.put(P, 'g'), R), 0);
    assert.equal(guest.memory.getBigUint64(R + 32, true), 0n);
    assert.equal(guest.call('path_unlink_file', 3, ...guest.put(P, 'g')), 0);
    assert.equal(guest.open(3, 'g'), -ERRNO.NOENT);
  });

  it('opens a directory, and paths through it', () => {
    const guest = openDataProbe(false);
    const sub = guest.open(3, 'sub', { oflags: 2 });
    assert.equal(guest.read(guest.open(sub, 'inner.txt'), 10), 'inner');
    assert.equal(guest.open(3, 'hello.txt', { oflags: 2 }), -ERRNO.NOTDIR);
    assert.equal(guest.open(3, 'x', { oflags: CREAT | 2 }), -ERRNO.INVAL);
    assert.equal(guest.call('fd_prestat_get', sub, R), ERRNO.BADF);
  });

  it('stores the time of modification, given or of now', () => {
    const guest = openDataProbe(true);
    const modified = (): bigint => {
      guest.call('path_filestat_get', 3, 0, ...guest.put(P, 'hello.txt'), R);
      return guest.memory.getBigUint64(R + 48, true);
    };
    const set = (flags: number): number =>
      guest.call('path_filestat_set_times', 3, 0, ...guest.put(P, 'hello.txt'), 1n, 77n, flags);
    assert.equal(set(4), 0);
    assert.equal(modified(), 77n);
    assert.equal(set(4 | 8), ERRNO.INVAL);
    assert.equal(set(1 | 2), ERRNO.INVAL);
    assert.equal(set(16), ERRNO.INVAL);
    assert.equal(set(1), 0);
    assert.equal(modified(), 77n);
    assert.equal(set(8), 0);
    assert.ok(modified() > 1_000_000_000n);
    const fd = guest.open(3, 'hello.txt', { rights: BOTH });
    assert.equal(guest.call('fd_filestat_set_times', fd, 0n, 88n, 4), 0);
    assert.equal(modified(), 88n);
    guest.write(fd, 'x');
    assert.ok(modified() > 1_000_000_000n);
  });

  it('X-14: symbolic and hard links cannot be made', () => {
    const guest = openDataProbe(true);
    assert.equal(
      guest.call('path_symlink', ...guest.put(P, '/etc'), 3, ...guest.put(AREA.otherPath, 'l')),
      ERRNO.NOTSUP,
    );
    assert.equal(
      guest.call('path_link', 3, 0, ...guest.put(P, 'hello.txt'), 3, ...guest.put(AREA.otherPath, 'l')),
      ERRNO.NOTSUP,
    );
    assert.equal(guest.call('path_readlink', 3, ...guest.put(P, 'hello.txt'), D, 10, R), ERRNO.INVAL);
    assert.equal(guest.call('path_readlink', 3, ...guest.put(P, 'l'), D, 10, R), ERRNO.NOENT);
  });

  it('X-14: a read-only directory stays as it is', () => {
    const guest = openDataProbe(false);
    assert.equal(guest.open(3, 'new', { oflags: CREAT, rights: BOTH }), -ERRNO.ROFS);
    assert.equal(guest.open(3, 'hello.txt', { rights: BOTH }), -ERRNO.ROFS);
    assert.equal(guest.open(3, 'hello.txt', { oflags: TRUNC }), -ERRNO.ROFS);
    assert.equal(guest.call('path_create_directory', 3, ...guest.put(P, 'd')), ERRNO.ROFS);
    assert.equal(guest.call('path_unlink_file', 3, ...guest.put(P, 'hello.txt')), ERRNO.ROFS);
    assert.equal(
      guest.call('path_rename', 3, ...guest.put(P, 'hello.txt'), 3, ...guest.put(AREA.otherPath, 'x')),
      ERRNO.ROFS,
    );
    assert.equal(guest.call('path_filestat_set_times', 3, 0, ...guest.put(P, 'hello.txt'), 0n, 1n, 4), ERRNO.ROFS);
  });

  it('X-14: renaming from one directory to another file system is refused', () => {
    const guest = openProbe({
      directories: [
        { guestPath: '/a', files: dataFiles(true) },
        { guestPath: '/b', files: dataFiles(true) },
      ],
    });
    assert.equal(
      guest.call('path_rename', 3, ...guest.put(P, 'hello.txt'), 4, ...guest.put(AREA.otherPath, 'x')),
      ERRNO.XDEV,
    );
  });

  it('X-14: quotas answer with ENOSPC and EDQUOT', () => {
    const guest = openDataProbe(true);
    const fd = guest.open(3, 'big', { oflags: CREAT, rights: BOTH });
    assert.equal(guest.call('fd_filestat_set_size', fd, 10_001n), ERRNO.NOSPC);
    assert.equal(guest.call('fd_filestat_set_size', fd, 10_000n), 0);
    for (let index = 0; index < 19; index += 1) {
      assert.equal(guest.call('path_create_directory', 3, ...guest.put(P, `d${index}`)), 0);
    }
    assert.equal(guest.call('path_create_directory', 3, ...guest.put(P, 'last')), ERRNO.DQUOT);
  });
});

describe('WASI: poll_oneoff', () => {
  it('X-16: an hour of sleep takes no time and moves the clock by an hour', () => {
    const guest = openProbe();
    const hour = 3_600_000_000_000n;
    clock(guest, 0, 7n, hour);
    clock(guest, 1, 8n, 2n * hour);
    assert.deepEqual(events(guest, 2), ['7:0:0:0:0']);
    guest.call('clock_time_get', 1, 0n, R);
    assert.equal(guest.memory.getBigUint64(R, true), hour + 280n);
    clock(guest, 0, 9n, 5n, 1, 1);
    assert.deepEqual(events(guest, 1), ['9:0:0:0:0']);
    clock(guest, 0, 10n, 2n ** 64n - 1n);
    assert.deepEqual(events(guest, 1), ['10:0:0:0:0']);
    clock(guest, 0, 11n, 0n, 42);
    assert.deepEqual(events(guest, 1), ['11:28:0:0:0']);
  });

  it('streams and files are ready at once; a bad descriptor is an event', () => {
    const guest = openProbe({ stdin: Buffer.from('abc'), directories: [{ guestPath: '/d', files: dataFiles(false) }] });
    const fd = guest.open(3, 'hello.txt');
    clock(guest, 0, 1n, 1_000n);
    guest.memory.setUint32(subscribe(guest, 1, 2n, 1), 0, true);
    guest.memory.setUint32(subscribe(guest, 2, 3n, 2), 1, true);
    guest.memory.setUint32(subscribe(guest, 3, 4n, 1), fd, true);
    guest.memory.setUint32(subscribe(guest, 4, 5n, 1), 99, true);
    guest.memory.setUint32(subscribe(guest, 5, 6n, 2), 3, true);
    assert.deepEqual(events(guest, 6), ['2:0:1:3:0', '3:0:2:65536:0', '4:0:1:12:0', '5:8:1:0:0', '6:8:2:0:0']);
    guest.read(0, 3);
    guest.memory.setUint32(subscribe(guest, 0, 2n, 1), 0, true);
    assert.deepEqual(events(guest, 1), ['2:0:1:0:1']);
  });

  it('refuses no subscription, too many, and a kind that does not exist', () => {
    const guest = openProbe();
    assert.equal(guest.call('poll_oneoff', D, P, 0, R), ERRNO.INVAL);
    assert.equal(guest.call('poll_oneoff', 0, 0, 1_025, R), ERRNO.INVAL);
    assert.equal(guest.call('poll_oneoff', 0, 0, 1_024, R), 0);
    subscribe(guest, 0, 1n, 3);
    assert.equal(guest.call('poll_oneoff', D, P, 1, R), ERRNO.INVAL);
  });
});
