/* Attempts on parts of the kernel that a command has no business with. Where a call would do harm if
 * it worked, it is made with an argument that the kernel looks at only after it let the call through. */
#include "attack.h"
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/timex.h>
#include <time.h>

/* Allowed, when the answer is that of a kernel that went on to look at the nonsense, or of one that
 * was built without this: both were reached. The filter's own answer to these calls is EPERM. */
static int reached(int refusal, int nonsense) { return refusal == nonsense || refusal == ENOSYS ? 0 : refusal; }

static int add_key(int unused) {
  return (void)unused, outcome(syscall(SYS_add_key, "user", "holdfast", "x", 1, -3 /* KEY_SPEC_SESSION_KEYRING */));
}
static int request_key(int unused) {
  return (void)unused, reached(outcome(syscall(SYS_request_key, "user", "no such key", NULL, 0)), ENOKEY);
}
static int keyctl(int unused) { return (void)unused, outcome(syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 1)); }

static int user_fault(int unused) { return (void)unused, outcome(syscall(SYS_userfaultfd, O_CLOEXEC)); }

static int bpf_map(int unused) {
  (void)unused;
  union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

static int perf_event(int unused) {
  (void)unused;
  struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes};
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  return outcome(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int io_uring(int unused) {
  (void)unused;
  struct io_uring_params parameters = {0};
  return outcome(syscall(SYS_io_uring_setup, 1, &parameters));
}

static int kexec(int unused) { return (void)unused, reached(outcome(syscall(SYS_kexec_load, 0, 1000, NULL, 0)), EINVAL); }
static int kexec_file(int unused) { return (void)unused, reached(outcome(syscall(SYS_kexec_file_load, -1, -1, 0, "", ~0)), EINVAL); }
static int load_module(int unused) { return (void)unused, reached(outcome(syscall(SYS_init_module, NULL, 0, "")), ENOEXEC); }
static int load_module_file(int unused) { return (void)unused, reached(outcome(syscall(SYS_finit_module, -1, "", 0)), EBADF); }
static int reboot_machine(int unused) { return (void)unused, reached(outcome(syscall(SYS_reboot, 1, 2, 3, NULL)), EINVAL); }
static int swap_on(int unused) { return (void)unused, reached(outcome(swapon("/no/such/file", 0)), ENOENT); }
static int account(int unused) { return (void)unused, reached(outcome(acct("/no/such/file")), ENOENT); }
static int kernel_log(int unused) { return (void)unused, klogctl(10 /* SIZE_BUFFER */, NULL, 0) > 0 ? 0 : errno; }
static int quota(int unused) { return (void)unused, reached(outcome(syscall(SYS_quotactl, 0x800002 << 8, "/no", 0, NULL)), ENOENT); }

static int read_clock_adjustment(int unused) {
  (void)unused;
  struct timex nothing = {.modes = 0};
  return outcome(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &nothing));
}

static int typed(int unused) {
  (void)unused;
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal == -1 || setsid() == -1) return outcome(ioctl(0, TIOCSTI, "x"));
  grantpt(terminal);
  unlockpt(terminal);
  int line = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  ioctl(line, TIOCSCTTY, 0);
  return outcome(ioctl(line, TIOCSTI, "x"));
}
static int type_at_terminal(int unused) { return in_child(typed, unused); }
/* The kernel takes 32 bits of the request, whoever else takes 64. */
static int typed_with_high_bits(int unused) {
  (void)unused;
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal == -1 || setsid() == -1) return outcome(syscall(SYS_ioctl, 0, 0x100000000 | TIOCSTI, "x"));
  grantpt(terminal);
  unlockpt(terminal);
  int line = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  ioctl(line, TIOCSCTTY, 0);
  return outcome(syscall(SYS_ioctl, line, 0x100000000 | TIOCSTI, "x"));
}
static int type_with_high_bits(int unused) { return in_child(typed_with_high_bits, unused); }

static int no_randomisation(int unused) { return (void)unused, outcome(personality(ADDR_NO_RANDOMIZE)); }
static int read_implies_exec(int unused) { return (void)unused, outcome(personality(READ_IMPLIES_EXEC)); }

/* A filter with a listener answers system calls of others that inherit it. */
static int filter_with_listener(int unused) {
  (void)unused;
  struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  struct sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}
static int filter_by_prctl(int unused) {
  (void)unused;
  struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  struct sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return outcome(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

static int release_memory_of(int unused) { return (void)unused, reached(outcome(syscall(SYS_process_mrelease, -1, 0)), EBADF); }

#ifdef __x86_64__
#include <asm/ldt.h>
static int input_output_ports(int unused) { return (void)unused, reached(outcome(syscall(SYS_ioperm, 0x80, 1, 1)), 0); }
static int segment_descriptors(int unused) {
  (void)unused;
  char table[16];
  return syscall(SYS_modify_ldt, 0, table, sizeof table) >= 0 ? 0 : errno;
}
/* getpid(2) of 32-bit x86, which has other numbers than the machine's own. */
static int call_i386(int unused) {
  (void)unused;
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
  return result == getpid() ? 0 : ENOSYS;
}
/* Whether the kernel knows x32 or not: to be answered at all is what is refused. */
static int call_x32(int unused) {
  (void)unused;
  syscall(0x40000000 | SYS_getpid);
  return 0;
}
#endif

const struct attempt KERNEL_ATTEMPTS[] = {
    {"add-key", add_key},
    {"request-key", request_key},
    {"keyctl", keyctl},
    {"userfaultfd", user_fault},
    {"bpf", bpf_map},
    {"perf-event", perf_event},
    {"io-uring", io_uring},
    {"kexec", kexec},
    {"kexec-file", kexec_file},
    {"load-module", load_module},
    {"load-module-file", load_module_file},
    {"reboot", reboot_machine},
    {"swapon", swap_on},
    {"accounting", account},
    {"kernel-log", kernel_log},
    {"quota", quota},
    {"clock-adjust", read_clock_adjustment},
    {"type-at-terminal", type_at_terminal},
    {"type-with-high-bits", type_with_high_bits},
    {"no-randomisation", no_randomisation},
    {"read-implies-exec", read_implies_exec},
    {"filter-with-listener", filter_with_listener},
    {"filter-by-prctl", filter_by_prctl},
    {"process-mrelease", release_memory_of},
#ifdef __x86_64__
    {"io-ports", input_output_ports},
    {"modify-ldt", segment_descriptors},
    {"call-i386", call_i386},
    {"call-x32", call_x32},
#endif
    {NULL, NULL},
};
