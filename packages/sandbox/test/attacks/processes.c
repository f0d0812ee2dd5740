/* Attempts on other processes, on namespaces and mounts, and on the user that one is. */
#include "attack.h"
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

static int traced(int unused) { return (void)unused, outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int ptrace_child(int unused) { return in_child(traced, unused); }

static int ptrace_victim(int victim) {
  if (ptrace(PTRACE_SEIZE, victim, NULL, NULL) == -1) return errno;
  return 0; /* ends with us */
}

static int read_memory(int pid) {
  char bytes[16];
  struct iovec local = {bytes, sizeof bytes}, remote = {(void *)environ, sizeof bytes};
  return outcome(process_vm_readv(pid, &local, 1, &remote, 1, 0));
}
static int process_vm_read_self(int unused) { return (void)unused, read_memory(getpid()); }
static int process_vm_write_self(int unused) {
  (void)unused;
  char from[4] = "abc", to[4];
  struct iovec local = {from, sizeof from}, remote = {to, sizeof to};
  return outcome(process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
}
/* The stack of another process is elsewhere: EFAULT is the answer of a call that was let through. */
static int process_vm_read_victim(int victim) {
  int refusal = read_memory(victim);
  return refusal == EFAULT ? 0 : refusal;
}

static int signal_victim(int victim) { return outcome(kill(victim, 0)); }
static int signal_victim_by_pidfd(int victim) {
  int fd = syscall(SYS_pidfd_open, victim, 0);
  return fd == -1 ? errno : outcome(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}
static int signal_init(int unused) { return (void)unused, outcome(kill(1, 0)); }

static int pidfd_getfd_self(int unused) {
  (void)unused;
  int fd = syscall(SYS_pidfd_open, getpid(), 0);
  return fd == -1 ? errno : outcome(syscall(SYS_pidfd_getfd, fd, 1, 0));
}
static int kcmp_self(int unused) { return (void)unused, outcome(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 1)); }

static int unshare_user(int unused) { return (void)unused, outcome(unshare(CLONE_NEWUSER)); }
static int unshare_mount(int unused) { return (void)unused, outcome(unshare(CLONE_NEWNS)); }
static int unshare_network(int unused) { return (void)unused, outcome(unshare(CLONE_NEWNET)); }

static int clone_user(int unused) {
  (void)unused;
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return outcome(pid);
}
static int clone3_user(int unused) {
  (void)unused;
  struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  return outcome(pid);
}
/* The child would be its parent's sibling: a child of the launcher. */
static int clone_sibling(int unused) {
  (void)unused;
  long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return outcome(pid);
}
static int setns_own(int unused) {
  (void)unused;
  int fd = open("/proc/self/ns/uts", O_RDONLY);
  return outcome(setns(fd, CLONE_NEWUTS));
}

/* These have a mount namespace of their own where they are to succeed. */
static int mount_tmpfs(int unused) { return (void)unused, outcome(mount("none", "/tmp", "tmpfs", 0, NULL)); }
static int mount_bind(int unused) { return (void)unused, outcome(mount("/usr", "/tmp", NULL, MS_BIND, NULL)); }
static int mount_proc(int unused) { return (void)unused, outcome(mount("proc", "/tmp", "proc", 0, NULL)); }
static int remount_root(int unused) {
  return (void)unused, outcome(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
}
static int unmount(int unused) { return (void)unused, outcome(umount2("/proc", MNT_DETACH)); }
static int change_root(int unused) { return (void)unused, outcome(chroot("/usr")); }
static int pivot(int unused) {
  (void)unused;
  mount("none", "/tmp", "tmpfs", 0, NULL); /* refused with the rest where it is refused */
  if (chdir("/tmp") == -1) return errno;
  return outcome(syscall(SYS_pivot_root, ".", "."));
}
static int open_tree_clone(int unused) {
  return (void)unused, outcome(syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}
static int fsopen_tmpfs(int unused) {
  (void)unused;
  int fs = syscall(SYS_fsopen, "tmpfs", 0);
  if (fs == -1 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == -1) return errno;
  int tree = syscall(SYS_fsmount, fs, 0, 0);
  return tree == -1 ? errno : outcome(syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", 4 /* F_EMPTY_PATH */));
}
static int fspick_root(int unused) { return (void)unused, outcome(syscall(SYS_fspick, AT_FDCWD, "/", 0)); }
static int set_mount_attributes(int unused) {
  (void)unused;
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID};
  return outcome(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof attributes));
}
static int set_host_name(int unused) { return (void)unused, outcome(sethostname("attack", 6)); }

static int set_user(int unused) { return (void)unused, outcome(syscall(SYS_setresuid, 0, 0, 0)); }
static int set_group(int unused) { return (void)unused, outcome(syscall(SYS_setresgid, 0, 0, 0)); }
static int set_groups(int unused) {
  (void)unused;
  gid_t group = 0;
  return outcome(syscall(SYS_setgroups, 1, &group));
}
static int raise_capabilities(int unused) {
  (void)unused;
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0}};
  return outcome(syscall(SYS_capset, &head, data));
}
static int set_secure_bits(int unused) { return (void)unused, outcome(prctl(PR_SET_SECUREBITS, 0x20, 0, 0, 0)); }

static int become_root(int unused) {
  (void)unused;
  execl(HERE "/attack-setuid", "attack", "is-root", (char *)NULL);
  return errno;
}
static int exec_setuid(int unused) { return in_child(become_root, unused); }

/* Works for whom nobody gave a limit. */
static int raise_limit(int unused) {
  (void)unused;
  struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  return outcome(setrlimit(RLIMIT_CPU, &none));
}
static int real_time(int unused) {
  (void)unused;
  struct sched_param priority = {.sched_priority = 1};
  return outcome(sched_setscheduler(0, SCHED_FIFO, &priority));
}
static int nicer(int unused) { return (void)unused, outcome(setpriority(PRIO_PROCESS, 0, -5)); }

const struct attempt PROCESS_ATTEMPTS[] = {
    {"ptrace-child", ptrace_child},
    {"ptrace-victim", ptrace_victim},
    {"process-vm-read-self", process_vm_read_self},
    {"process-vm-write-self", process_vm_write_self},
    {"process-vm-read-victim", process_vm_read_victim},
    {"signal-victim", signal_victim},
    {"signal-victim-by-pidfd", signal_victim_by_pidfd},
    {"signal-init", signal_init},
    {"pidfd-getfd", pidfd_getfd_self},
    {"kcmp", kcmp_self},
    {"unshare-user", unshare_user},
    {"unshare-mount", unshare_mount},
    {"unshare-network", unshare_network},
    {"clone-user", clone_user},
    {"clone3-user", clone3_user},
    {"clone-sibling", clone_sibling},
    {"setns", setns_own},
    {"mount-tmpfs", mount_tmpfs},
    {"mount-bind", mount_bind},
    {"mount-proc", mount_proc},
    {"remount-root", remount_root},
    {"unmount", unmount},
    {"chroot", change_root},
    {"pivot-root", pivot},
    {"open-tree", open_tree_clone},
    {"fsopen-move-mount", fsopen_tmpfs},
    {"fspick", fspick_root},
    {"mount-setattr", set_mount_attributes},
    {"sethostname", set_host_name},
    {"setresuid", set_user},
    {"setresgid", set_group},
    {"setgroups", set_groups},
    {"capset", raise_capabilities},
    {"securebits", set_secure_bits},
    {"exec-setuid", exec_setuid},
    {"raise-limit", raise_limit},
    {"real-time", real_time},
    {"nice", nicer},
    {NULL, NULL},
};
