/* What the attempts share: each is a function that returns 0 when it got what it wanted, or the
 * error number of the refusal. The tables are put together in attack.c. */
#ifndef HOLDFAST_ATTACK_H
#define HOLDFAST_ATTACK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Made by the runner before every attempt, outside of anything that a sandbox shows. */
#define TARGETS "/srv/holdfast-attack"
#define SECRET "the runner wrote this"
/* Where the program stands, in a directory from which the default profile executes. */
#define HERE "/usr/local/lib/holdfast-attack"

struct attempt {
  const char *name;
  int (*run)(int argument);
};

extern const struct attempt FILE_ATTEMPTS[], NETWORK_ATTEMPTS[], PROCESS_ATTEMPTS[], KERNEL_ATTEMPTS[], CODE_ATTEMPTS[],
    BOMB_ATTEMPTS[], MACHINERY_ATTEMPTS[];

/* 0 for anything but -1. */
int outcome(long result);
/* Runs it in a child; its status, or that of the signal that ended it as EINTR. */
int in_child(int (*run)(int), int argument);
/* Opens, closes. */
int try_open(const char *path, int flags);
/* Copies this program there, executable. */
int copy_self(const char *path);

#endif
