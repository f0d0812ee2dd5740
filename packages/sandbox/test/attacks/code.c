/* Attempts to run code that did not come from a directory of programs. */
#include "attack.h"
#include <sys/shm.h>

static int map_writable_code(int unused) {
  (void)unused;
  void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? errno : 0;
}
static int make_data_executable(int unused) {
  (void)unused;
  void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? errno : outcome(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}
static int make_code_writable(int unused) {
  (void)unused;
  return outcome(mprotect((void *)((uintptr_t)make_code_writable & ~4095ul), 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
}
static int share_executable_memory(int unused) {
  (void)unused;
  int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);
  if (id == -1) return errno;
  void *at = shmat(id, NULL, SHM_EXEC);
  int refusal = at == (void *)-1 ? errno : 0;
  shmctl(id, IPC_RMID, NULL);
  return refusal;
}

static int dropped(int unused) {
  (void)unused;
  int refusal = copy_self("/tmp/dropped");
  if (refusal != 0) return refusal;
  execl("/tmp/dropped", "dropped", "hello", (char *)NULL);
  return errno;
}
static int exec_dropped(int unused) { return in_child(dropped, unused); }

static int dropped_script(int unused) {
  (void)unused;
  int fd = open("/tmp/script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (fd == -1 || write(fd, "#!" HERE "/attack hello\n", strlen("#!" HERE "/attack hello\n")) == -1) return errno;
  close(fd);
  execl("/tmp/script", "script", (char *)NULL);
  return errno;
}
static int exec_dropped_script(int unused) { return in_child(dropped_script, unused); }

/* The dynamic loader is a program from /usr, and maps what it is told to run. */
static int loaded(int unused) {
  (void)unused;
  int refusal = copy_self("/tmp/dropped");
  if (refusal != 0) return refusal;
#ifdef __x86_64__
  execl("/lib64/ld-linux-x86-64.so.2", "ld.so", "/tmp/dropped", "hello", (char *)NULL);
#else
  execl("/lib/ld-linux-aarch64.so.1", "ld.so", "/tmp/dropped", "hello", (char *)NULL);
#endif
  return errno;
}
/* 127 is the loader's own way to say that it could not map the program. */
static int load_dropped(int unused) {
  int refusal = in_child(loaded, unused);
  return refusal == 127 ? EPERM : refusal;
}

static int map_dropped(int unused) {
  (void)unused;
  int refusal = copy_self("/tmp/dropped");
  if (refusal != 0) return refusal;
  int fd = open("/tmp/dropped", O_RDONLY);
  void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  return at == MAP_FAILED ? errno : 0;
}

static int memfd(int unused) {
  (void)unused;
  int fd = syscall(SYS_memfd_create, "attack", 0), from = open(HERE "/attack", O_RDONLY);
  char bytes[65536];
  ssize_t count;
  if (fd == -1 || from == -1) return errno;
  while ((count = read(from, bytes, sizeof bytes)) > 0)
    if (write(fd, bytes, count) != count) return errno;
  char *const arguments[] = {"memfd", "hello", NULL};
  syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  execve(path, arguments, environ);
  return errno;
}
static int exec_memfd(int unused) { return in_child(memfd, unused); }

const struct attempt CODE_ATTEMPTS[] = {
    {"map-writable-code", map_writable_code},
    {"make-data-executable", make_data_executable},
    {"make-code-writable", make_code_writable},
    {"share-executable-memory", share_executable_memory},
    {"exec-dropped", exec_dropped},
    {"exec-dropped-script", exec_dropped_script},
    {"load-dropped", load_dropped},
    {"map-dropped", map_dropped},
    {"exec-memfd", exec_memfd},
    {NULL, NULL},
};
