/* Attempts on what a sandbox is made of: the spawner at the other end of the streams, process 1, the
 * control groups, other sandboxes of the same user. */
#include "attack.h"
#include <sys/resource.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* asm-generic/socket.h, Linux 6.5 */
#endif

/* Closing what it gets may take the receiver as long as the sender likes: a TCP socket that lingers. */
static int pass_descriptor(int unused) {
  (void)unused;
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  int sent = open("/usr", O_PATH);
  if (sent == -1) return errno;
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof sent);
  memcpy(CMSG_DATA(header), &sent, sizeof sent);
  return outcome(sendmsg(STDERR_FILENO, &message, 0));
}

/* A descriptor for whoever made the stream, across namespaces. */
static int signal_peer(int unused) {
  (void)unused;
  int fd;
  socklen_t length = sizeof fd;
  if (getsockopt(STDERR_FILENO, SOL_SOCKET, SO_PEERPIDFD, &fd, &length) == -1) return errno;
  return outcome(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

/* The launcher's are 3 and 4. */
static int use_inherited(int unused) {
  (void)unused;
  for (int fd = 3; fd < 64; fd++)
    if (fcntl(fd, F_GETFD) != -1) return 0;
  return EBADF;
}

static int list_descriptors_of_init(int unused) { return (void)unused, try_open("/proc/1/fd", O_RDONLY | O_DIRECTORY); }
static int open_status_channel_of_init(int unused) { return (void)unused, try_open("/proc/1/fd/3", O_PATH); }

static int try_of_process(int pid, const char *name, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return try_open(path, flags);
}
static int open_root_of_victim(int pid) { return try_of_process(pid, "root", O_RDONLY | O_DIRECTORY); }
static int list_descriptors_of_victim(int pid) { return try_of_process(pid, "fd", O_RDONLY | O_DIRECTORY); }
static int open_memory_of_victim(int pid) { return try_of_process(pid, "mem", O_RDWR); }
static int read_environment_of_victim(int pid) { return try_of_process(pid, "environ", O_RDONLY); }

/* The kernel would send it a signal of our choice whenever there is something to read. */
static int signal_victim_by_io(int pid) {
  int ends[2];
  return pipe(ends) == -1 ? errno : outcome(fcntl(ends[0], F_SETOWN, pid));
}

static int read_through_own_root(int unused) { return (void)unused, try_open("/proc/self/root" TARGETS "/secret", O_RDONLY); }
static int read_through_own_cwd(int unused) {
  (void)unused;
  return try_open("/proc/self/cwd/../../../.." TARGETS "/secret", O_RDONLY);
}

static int leave_group(int unused) {
  (void)unused;
  int fd = open("/sys/fs/cgroup/pids/cgroup.procs", O_WRONLY | O_CLOEXEC);
  return fd == -1 ? errno : outcome(write(fd, "0", 1));
}
static int make_group(int unused) {
  (void)unused;
  if (mkdir("/sys/fs/cgroup/pids/holdfast-attack", 0755) == -1) return errno;
  return outcome(rmdir("/sys/fs/cgroup/pids/holdfast-attack"));
}

static int open_terminal(int unused) { return (void)unused, try_open("/dev/ptmx", O_RDWR | O_NOCTTY); }
static int read_kernel_symbols(int unused) { return (void)unused, try_open("/proc/kallsyms", O_RDONLY); }
static int read_keys(int unused) { return (void)unused, try_open("/proc/keys", O_RDONLY); }

static int raise_core_limit(int unused) {
  (void)unused;
  struct rlimit some = {4096, 4096};
  return outcome(setrlimit(RLIMIT_CORE, &some));
}

const struct attempt MACHINERY_ATTEMPTS[] = {
    {"pass-descriptor", pass_descriptor},
    {"signal-peer", signal_peer},
    {"use-inherited", use_inherited},
    {"list-descriptors-of-init", list_descriptors_of_init},
    {"open-status-channel-of-init", open_status_channel_of_init},
    {"open-root-of-victim", open_root_of_victim},
    {"list-descriptors-of-victim", list_descriptors_of_victim},
    {"open-memory-of-victim", open_memory_of_victim},
    {"read-environment-of-victim", read_environment_of_victim},
    {"signal-victim-by-io", signal_victim_by_io},
    {"read-through-own-root", read_through_own_root},
    {"read-through-own-cwd", read_through_own_cwd},
    {"leave-group", leave_group},
    {"make-group", make_group},
    {"open-terminal", open_terminal},
    {"read-kernel-symbols", read_kernel_symbols},
    {"read-keys", read_keys},
    {"raise-core-limit", raise_core_limit},
    {NULL, NULL},
};
