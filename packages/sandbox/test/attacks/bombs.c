/* Attempts to use more than one was given. Each has an end of its own, some way above the limits of
 * the default profile, so that without a sandbox it does no harm. */
#include "attack.h"
#include <pthread.h>
#include <sys/resource.h>

#define MIB (1024 * 1024)
/* Default profile: 64 processes, 256 MiB, 256 descriptors, files of 64 MiB and 64 MiB of /tmp, 1 MiB of output. */
#define PROCESSES 160
#define MEMORY (384 * MIB)
#define DESCRIPTORS 700
#define FILE_BYTES (96 * MIB)
#define OUTPUT_BYTES (4 * MIB)
/* Of the profile for this one attempt, and more than that. */
#define CPU_SECONDS 3

static int fork_bomb(int unused) {
  (void)unused;
  pid_t children[PROCESSES];
  int count = 0, refusal = 0;
  for (; count < PROCESSES && refusal == 0; count++) {
    children[count] = fork();
    if (children[count] == 0) {
      pause();
      _exit(0);
    }
    if (children[count] == -1) refusal = errno, count--;
  }
  while (count-- > 0) kill(children[count], SIGKILL), waitpid(children[count], NULL, 0);
  return refusal;
}

static void *wait_for_ever(void *unused) {
  for (;;) pause();
  return unused;
}
static int thread_bomb(int unused) {
  (void)unused;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (int count = 0; count < PROCESSES; count++) {
    pthread_t thread;
    int refusal = pthread_create(&thread, &small, wait_for_ever, NULL);
    if (refusal != 0) return refusal;
  }
  return 0;
}

static int memory_bomb(int unused) {
  (void)unused;
  for (int taken = 0; taken < MEMORY; taken += 16 * MIB) {
    char *at = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return errno;
    for (int page = 0; page < 16 * MIB; page += 4096) at[page] = 1;
  }
  return 0;
}

/* Many small processes instead of a large one. */
static int take_share(int unused) {
  (void)unused;
  char *at = mmap(NULL, MEMORY / 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return errno;
  for (int page = 0; page < MEMORY / 8; page += 4096) at[page] = 1;
  pause();
  return 0;
}
static int shared_memory_bomb(int unused) {
  (void)unused;
  pid_t children[8];
  int refusal = 0;
  for (int index = 0; index < 8; index++) {
    children[index] = fork();
    if (children[index] == 0) _exit(take_share(0));
  }
  /* Each takes its share within this time; one that was killed or refused is no longer there. */
  usleep(700000);
  for (int index = 0; index < 8; index++) {
    if (waitpid(children[index], NULL, WNOHANG) != 0) refusal = ENOMEM;
    kill(children[index], SIGKILL);
  }
  return refusal;
}

static int cpu_bomb(int unused) {
  (void)unused;
  struct rusage usage;
  do {
    for (volatile int spin = 0; spin < 10000000; spin++);
    getrusage(RUSAGE_SELF, &usage);
  } while (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec < CPU_SECONDS);
  return 0;
}

static int fill(const char *path, long bytes) {
  static char block[MIB];
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd == -1) return errno;
  for (long written = 0; written < bytes; written += sizeof block)
    if (write(fd, block, sizeof block) != sizeof block) return errno == 0 ? ENOSPC : errno;
  return close(fd) == -1 ? errno : 0;
}
static int file_bomb(int unused) {
  (void)unused;
  signal(SIGXFSZ, SIG_IGN);
  int refusal = fill("/tmp/large", FILE_BYTES);
  unlink("/tmp/large");
  return refusal;
}
/* No file above its limit, but too many of them. */
static int disk_bomb(int unused) {
  (void)unused;
  char path[32];
  int refusal = 0;
  for (int index = 0; index < 6 && refusal == 0; index++) {
    snprintf(path, sizeof path, "/tmp/part%d", index);
    refusal = fill(path, FILE_BYTES / 6);
  }
  for (int index = 0; index < 6; index++) {
    snprintf(path, sizeof path, "/tmp/part%d", index);
    unlink(path);
  }
  return refusal;
}

/* Whether all of it arrived is for the runner to say. */
static int output_bomb(int unused) {
  (void)unused;
  static char line[4096];
  memset(line, 'x', sizeof line);
  line[sizeof line - 1] = '\n';
  for (int written = 0; written < OUTPUT_BYTES; written += sizeof line)
    if (write(1, line, sizeof line) == -1) return errno;
  return 0;
}

static int descriptor_bomb(int unused) {
  (void)unused;
  for (int count = 0; count < DESCRIPTORS; count++)
    if (dup(1) == -1) return errno;
  return 0;
}

const struct attempt BOMB_ATTEMPTS[] = {
    {"fork-bomb", fork_bomb},
    {"thread-bomb", thread_bomb},
    {"memory-bomb", memory_bomb},
    {"shared-memory-bomb", shared_memory_bomb},
    {"cpu-bomb", cpu_bomb},
    {"file-bomb", file_bomb},
    {"disk-bomb", disk_bomb},
    {"output-bomb", output_bomb},
    {"descriptor-bomb", descriptor_bomb},
    {NULL, NULL},
};
