/* The attack program: `attack NAME [NUMBER]` makes one attempt and prints `NAME: allowed` or
 * `NAME: refused(ERRNO)`; `attack list` prints all names. It runs in a disposable lab host only, and
 * refuses to run in the machine's own pid namespace. Every attempt is bounded, and what it would
 * destroy was made for it by the runner (run-attacks.ts). */
#include "attack.h"

/* linux/proc_ns.h: PROC_PID_INIT_INO, the pid namespace of a machine that is no container. */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

static const struct attempt *const TABLES[] = {FILE_ATTEMPTS,   NETWORK_ATTEMPTS, PROCESS_ATTEMPTS,
                                               KERNEL_ATTEMPTS, CODE_ATTEMPTS,    BOMB_ATTEMPTS,
                                               MACHINERY_ATTEMPTS};

int outcome(long result) { return result == -1 ? errno : 0; }

int in_child(int (*run)(int), int argument) {
  pid_t pid = fork();
  if (pid == -1) return errno;
  if (pid == 0) _exit(run(argument));
  int status;
  if (waitpid(pid, &status, 0) == -1) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int try_open(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC, 0644);
  if (fd == -1) return errno;
  close(fd);
  return 0;
}

int copy_self(const char *path) {
  int from = open(HERE "/attack", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  char bytes[65536];
  ssize_t count;
  if (from == -1 || to == -1) return errno;
  while ((count = read(from, bytes, sizeof bytes)) > 0)
    if (write(to, bytes, count) != count) return errno;
  close(from);
  close(to);
  return 0;
}

static int on_the_machine(void) {
  char name[64] = "";
  /* Not to be read is how it is in a sandbox, never on the machine. */
  return readlink("/proc/self/ns/pid", name, sizeof name - 1) > 0 && strcmp(name, INITIAL_PID_NAMESPACE) == 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  /* What attempts that execute something execute. */
  if (strcmp(argv[1], "hello") == 0) return 0;
  if (strcmp(argv[1], "is-root") == 0) return geteuid() == 0 ? 0 : EPERM;
  if (on_the_machine()) {
    fputs("attack: not in a lab host\n", stderr);
    return 65;
  }
  int all = strcmp(argv[1], "list") == 0;
  for (size_t table = 0; table < sizeof TABLES / sizeof *TABLES; table++) {
    for (const struct attempt *one = TABLES[table]; one->name != NULL; one++) {
      if (all) puts(one->name);
      if (strcmp(argv[1], one->name) != 0) continue;
      int refusal = one->run(argc > 2 ? atoi(argv[2]) : 0);
      if (refusal == 0) printf("%s: allowed\n", one->name);
      else printf("%s: refused(%s)\n", one->name, strerrorname_np(refusal));
      return 0;
    }
  }
  return all ? 0 : 64;
}
