/* Attempts on files: what is outside of the view, what is read-only, what names lead away. */
#include "attack.h"
#include <pthread.h>
#include <sys/xattr.h>

static int read_secret(const char *path) {
  char bytes[64] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd == -1) return errno;
  ssize_t count = read(fd, bytes, sizeof bytes - 1);
  close(fd);
  return count > 0 && strncmp(bytes, SECRET, strlen(SECRET)) == 0 ? 0 : EBADMSG;
}

static int read_outside(int unused) { return (void)unused, read_secret(TARGETS "/secret"); }
static int read_shadow(int unused) { return (void)unused, try_open("/etc/shadow", O_RDONLY); }
static int list_root_home(int unused) { return (void)unused, try_open("/root", O_RDONLY | O_DIRECTORY); }
static int write_etc(int unused) { return (void)unused, try_open("/etc/holdfast-attack", O_WRONLY | O_CREAT); }
static int write_usr(int unused) { return (void)unused, try_open(HERE "/written", O_WRONLY | O_CREAT); }
static int write_root(int unused) { return (void)unused, try_open("/holdfast-attack", O_WRONLY | O_CREAT); }
static int write_outside(int unused) { return (void)unused, try_open(TARGETS "/open/new", O_WRONLY | O_CREAT); }
static int truncate_outside(int unused) { return (void)unused, outcome(truncate(TARGETS "/open/file", 0)); }
static int unlink_outside(int unused) { return (void)unused, outcome(unlink(TARGETS "/open/file")); }
static int rename_outside(int unused) {
  return (void)unused, outcome(rename(TARGETS "/open/file", TARGETS "/open/renamed"));
}
static int chmod_outside(int unused) { return (void)unused, outcome(chmod(TARGETS "/open/file", 0600)); }
static int write_program(int unused) { return (void)unused, try_open("/usr/bin/true", O_WRONLY); }
static int write_sysctl(int unused) { return (void)unused, try_open("/proc/sys/kernel/hostname", O_WRONLY); }
static int write_core_pattern(int unused) { return (void)unused, try_open("/proc/sys/kernel/core_pattern", O_WRONLY); }
static int write_memory_sysctl(int unused) { return (void)unused, try_open("/proc/sys/vm/drop_caches", O_WRONLY); }
static int open_memory_of_init(int unused) { return (void)unused, try_open("/proc/1/mem", O_RDWR); }
static int open_root_of_init(int unused) { return (void)unused, try_open("/proc/1/root/etc/shadow", O_RDONLY); }
static int open_maps_of_init(int unused) { return (void)unused, try_open("/proc/1/maps", O_RDONLY); }

static int read_environment_of_init(int unused) {
  (void)unused;
  char byte;
  int fd = open("/proc/1/environ", O_RDONLY | O_CLOEXEC);
  if (fd == -1) return errno;
  ssize_t count = read(fd, &byte, 1);
  return count == 1 ? 0 : count == 0 ? ENODATA : errno;
}

static int leave_by_dots(int unused) {
  (void)unused;
  return chdir("/tmp") == -1 ? errno : read_secret("../../../../../.." TARGETS "/secret");
}

static int leave_by_link(int unused) {
  (void)unused;
  unlink("/tmp/link");
  if (symlink(TARGETS "/secret", "/tmp/link") == -1) return errno;
  int refusal = read_secret("/tmp/link");
  unlink("/tmp/link");
  return refusal;
}

static volatile int racing;

static void *swap_links(void *unused) {
  while (racing) {
    unlink("/tmp/race/at");
    if (symlink("/tmp/race/inside", "/tmp/race/at") == -1) continue;
    unlink("/tmp/race/at");
    if (symlink(TARGETS "/secret", "/tmp/race/at") == -1) continue;
  }
  return unused;
}

static void *swap_directories(void *unused) {
  while (racing) {
    rename("/tmp/race/other", "/tmp/race/moved");
    rename("/tmp/race/dir", "/tmp/race/other");
    rename("/tmp/race/moved", "/tmp/race/dir");
  }
  return unused;
}

/* Opens a name some ten thousand times while another thread changes where it leads. */
static int race(void *(*swap)(void *), const char *name) {
  pthread_t thread;
  int refusal = EBADMSG;
  racing = 1;
  if ((errno = pthread_create(&thread, NULL, swap, NULL)) != 0) return errno;
  for (int round = 0; round < 20000 && refusal != 0; round++) refusal = read_secret(name);
  racing = 0;
  pthread_join(thread, NULL);
  return refusal;
}

static int symlink_race(int unused) {
  (void)unused;
  mkdir("/tmp/race", 0700);
  if (try_open("/tmp/race/inside", O_WRONLY | O_CREAT) != 0) return errno;
  return race(swap_links, "/tmp/race/at");
}

static int rename_race(int unused) {
  (void)unused;
  mkdir("/tmp/race", 0700);
  mkdir("/tmp/race/dir", 0700);
  if (symlink(TARGETS, "/tmp/race/other") == -1 && errno != EEXIST) return errno;
  return race(swap_directories, "/tmp/race/dir/secret");
}

static int open_by_handle(int unused) {
  (void)unused;
  struct {
    struct file_handle head;
    unsigned char bytes[128];
  } handle;
  int refusal = ENOENT, mount_id;
  const char *const directories[] = {"/run", "/tmp", "/"};
  for (size_t index = 0; index < 3 && refusal != 0; index++) {
    handle.head.handle_bytes = sizeof handle.bytes;
    int directory = open(directories[index], O_RDONLY | O_DIRECTORY);
    if (directory == -1) continue;
    refusal = outcome(name_to_handle_at(AT_FDCWD, directories[index], &handle.head, &mount_id, 0));
    if (refusal == 0) refusal = outcome(open_by_handle_at(directory, &handle.head, O_RDONLY));
    close(directory);
  }
  return refusal;
}

static int make_device(mode_t kind) {
  unlink("/tmp/device");
  int refusal = outcome(mknod("/tmp/device", kind | 0600, 0x103)); /* 1:3, that of /dev/null */
  unlink("/tmp/device");
  return refusal;
}
static int mknod_character(int unused) { return (void)unused, make_device(S_IFCHR); }
static int mknod_block(int unused) { return (void)unused, make_device(S_IFBLK); }

static int chmod_setuid(int unused) {
  (void)unused;
  return try_open("/tmp/own", O_WRONLY | O_CREAT) != 0 ? errno : outcome(chmod("/tmp/own", 04755));
}

static int create_setuid(int unused) {
  (void)unused;
  unlink("/tmp/own");
  int fd = open("/tmp/own", O_WRONLY | O_CREAT | O_EXCL, 06755);
  struct stat status;
  return fd == -1 ? errno : fstat(fd, &status) == -1 ? errno : status.st_mode & S_ISUID ? 0 : EPERM;
}

static int chown_to_root(int unused) {
  (void)unused;
  return try_open("/tmp/own", O_WRONLY | O_CREAT) != 0 ? errno : outcome(chown("/tmp/own", 0, 0));
}

static int set_file_capability(int unused) {
  (void)unused;
  /* linux/capability.h: struct vfs_cap_data, revision 2, CAP_SYS_ADMIN permitted and effective. */
  static const uint32_t data[5] = {0x02000001, 1u << 21, 0, 0, 0};
  if (try_open("/tmp/own", O_WRONLY | O_CREAT) != 0) return errno;
  return outcome(setxattr("/tmp/own", "security.capability", data, sizeof data, 0));
}

static int watch_mount(int unused) { return (void)unused, outcome(syscall(SYS_fanotify_init, 0, O_RDONLY)); }

const struct attempt FILE_ATTEMPTS[] = {
    {"read-outside", read_outside},
    {"read-shadow", read_shadow},
    {"list-root-home", list_root_home},
    {"write-etc", write_etc},
    {"write-usr", write_usr},
    {"write-root", write_root},
    {"write-outside", write_outside},
    {"truncate-outside", truncate_outside},
    {"unlink-outside", unlink_outside},
    {"rename-outside", rename_outside},
    {"chmod-outside", chmod_outside},
    {"write-program", write_program},
    {"write-sysctl", write_sysctl},
    {"write-core-pattern", write_core_pattern},
    {"write-memory-sysctl", write_memory_sysctl},
    {"open-memory-of-init", open_memory_of_init},
    {"open-root-of-init", open_root_of_init},
    {"open-maps-of-init", open_maps_of_init},
    {"read-environment-of-init", read_environment_of_init},
    {"leave-by-dots", leave_by_dots},
    {"leave-by-link", leave_by_link},
    {"symlink-race", symlink_race},
    {"rename-race", rename_race},
    {"open-by-handle", open_by_handle},
    {"mknod-character", mknod_character},
    {"mknod-block", mknod_block},
    {"chmod-setuid", chmod_setuid},
    {"create-setuid", create_setuid},
    {"chown-to-root", chown_to_root},
    {"set-file-capability", set_file_capability},
    {"watch-mount", watch_mount},
    {NULL, NULL},
};
