/** WASI as a C library sees it: one program that uses files, directories, time and the environment as programs do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { needs } from '@holdfast/testing';

import { admitModule } from '../src/admit.ts';
import { compileAdmitted, runModule } from '../src/engine/run-module.ts';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '../src/limits.ts';
import { OFFERED_IMPORTS } from '../src/wasi/imports.ts';
import { compileC } from './compile-c.ts';
import { dataFiles, NO_CAPABILITIES } from './wasi/guest-probe.ts';

const PROGRAM = `
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fails(int result, int wanted) { return result == -1 && errno == wanted; }

int main(int argc, char **argv) {
  assert(argc == 2 && strcmp(argv[1], "an argument") == 0);
  assert(strcmp(getenv("NAME"), "value") == 0 && getenv("HOME") == NULL);

  char text[64];
  FILE *in = fopen("/data/hello.txt", "r");
  assert(in && fgets(text, sizeof text, in) && strcmp(text, "hello, guest") == 0);
  assert(fseek(in, -5, SEEK_END) == 0 && fread(text, 1, 5, in) == 5 && memcmp(text, "guest", 5) == 0);
  fclose(in);

  struct stat st;
  assert(stat("/data/sub/inner.txt", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 5);
  assert(stat("/data/sub/../hello.txt", &st) == 0);
  assert(fails(open("/etc/passwd", O_RDONLY), ENOENT) || errno == ENOTCAPABLE);
  assert(fails(open("/data/../etc/passwd", O_RDONLY), ENOTCAPABLE));
  assert(fails(symlink("/etc", "/data/etc"), ENOTSUP));
  assert(fails(link("/data/hello.txt", "/data/again"), ENOTSUP));
  assert(fails(open("/data/sub", O_RDWR), EISDIR));
  assert(!isatty(1));

  assert(mkdir("/data/made", 0777) == 0 && fails(mkdir("/data/made", 0777), EEXIST));
  int fd = open("/data/made/log", O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0666);
  assert(fd > 2 && write(fd, "ab", 2) == 2 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "cd", 2) == 2);
  assert(lseek(fd, 0, SEEK_CUR) == 4 && pread(fd, text, 4, 0) == 4 && memcmp(text, "abcd", 4) == 0);
  assert(ftruncate(fd, 3) == 0 && fstat(fd, &st) == 0 && st.st_size == 3);
  assert(posix_fallocate(fd, 0, 10) == 0 && fstat(fd, &st) == 0 && st.st_size == 10);
  struct timespec times[2] = {{1, 0}, {1600000000, 5}};
  assert(futimens(fd, times) == 0 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec == 1600000000 && st.st_mtim.tv_nsec == 5);
  close(fd);
  assert(rename("/data/made/log", "/data/sub/log") == 0 && rmdir("/data/made") == 0);
  assert(fails(rmdir("/data/sub"), ENOTEMPTY) && fails(unlink("/data/sub"), EISDIR));

  DIR *dir = opendir("/data/sub");
  int seen = 0;
  for (struct dirent *entry; (entry = readdir(dir)); seen++) {
    if (entry->d_name[0] == '.') continue;
    assert(fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_ino == entry->d_ino);
  }
  assert(seen == 4);
  closedir(dir);

  struct timespec before, after, nap = {3600, 0};
  clock_gettime(CLOCK_MONOTONIC, &before);
  assert(nanosleep(&nap, NULL) == 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  assert(after.tv_sec - before.tv_sec == 3600);

  assert(fgets(text, sizeof text, stdin) && strcmp(text, "a line\\n") == 0 && fgets(text, sizeof text, stdin) == NULL);
  unsigned char random[8];
  assert(getentropy(random, sizeof random) == 0);
  printf("done\\n");
  return 3;
}`;

describe('WASI through wasi-libc', () => {
  it('X-09: a C program that clang built runs unmodified', needs('clang'), (t) => {
    const compiled = compileAdmitted(admitModule(compileC(t, PROGRAM), OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS));
    const files = dataFiles(true);
    const result = runModule(compiled, {
      capabilities: {
        ...NO_CAPABILITIES,
        args: ['program', 'an argument'],
        env: { NAME: 'value' },
        stdin: Buffer.from('a line\n'),
        directories: [{ guestPath: '/data', files }],
      },
      limits: DEFAULT_RUN_LIMITS,
    });
    assert.equal(Buffer.from(result.stderr).toString(), '');
    assert.deepEqual([Buffer.from(result.stdout).toString(), result.exitCode, result.error], ['done\n', 3, null]);
    assert.deepEqual(
      files.changes().map(({ change, path, bytes }) => [change, path.join('/'), bytes?.length]),
      [['created', 'sub/log', 10]],
    );
  });
});
