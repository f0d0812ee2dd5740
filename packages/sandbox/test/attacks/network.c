/* Attempts on the network: each reaches a listener that the runner has on the host. */
#include "attack.h"
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#define IPPROTO_MPTCP_NUMBER 262

static int try_socket(int family, int type, int protocol) {
  int fd = socket(family, type | SOCK_CLOEXEC, protocol);
  if (fd == -1) return errno;
  close(fd);
  return 0;
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int connect_to(int protocol, int port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, protocol);
  return fd == -1 ? errno : outcome(connect(fd, (struct sockaddr *)&address, sizeof address));
}

static int tcp_connect(int port) { return connect_to(0, port); }
static int mptcp_connect(int port) { return connect_to(IPPROTO_MPTCP_NUMBER, port); }

static int tcp_listen(int unused) {
  (void)unused;
  struct sockaddr_in address = loopback(0);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof address) == -1) return errno;
  return outcome(listen(fd, 1));
}

static int udp_send(int port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  return fd == -1 ? errno : outcome(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address));
}

static int tcp_inet6(int unused) { return (void)unused, try_socket(AF_INET6, SOCK_STREAM, 0); }
static int raw_socket(int unused) { return (void)unused, try_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static int packet_socket(int unused) { return (void)unused, try_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)); }
static int netlink_socket(int unused) { return (void)unused, try_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }
static int vsock_socket(int unused) { return (void)unused, try_socket(AF_VSOCK, SOCK_STREAM, 0); }

static struct sockaddr_un unix_address(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

static int unix_path(int unused) {
  (void)unused;
  struct sockaddr_un address = unix_address(TARGETS "/socket");
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return fd == -1 ? errno : outcome(connect(fd, (struct sockaddr *)&address, sizeof address));
}

static int unix_abstract(int unused) {
  (void)unused;
  static const char name[] = "\0holdfast-attack";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, name, sizeof name - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + sizeof name - 1;
  return fd == -1 ? errno : outcome(connect(fd, (struct sockaddr *)&address, length));
}

static int unix_listen(int unused) {
  (void)unused;
  struct sockaddr_un address = unix_address("/tmp/socket");
  unlink(address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return fd == -1 ? errno : outcome(bind(fd, (struct sockaddr *)&address, sizeof address));
}

/* A pair of datagram sockets can send to any other by name, with no socket(2) and no connect(2). */
static int unix_pair_sends_to_name(int unused) {
  (void)unused;
  struct sockaddr_un address = unix_address("/run/systemd/journal/dev-log");
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1) return errno;
  return outcome(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&address, sizeof address));
}

const struct attempt NETWORK_ATTEMPTS[] = {
    {"tcp-connect", tcp_connect},
    {"tcp-listen", tcp_listen},
    {"tcp-inet6", tcp_inet6},
    {"mptcp-connect", mptcp_connect},
    {"udp-send", udp_send},
    {"raw-socket", raw_socket},
    {"packet-socket", packet_socket},
    {"netlink-socket", netlink_socket},
    {"vsock-socket", vsock_socket},
    {"unix-path", unix_path},
    {"unix-abstract", unix_abstract},
    {"unix-listen", unix_listen},
    {"unix-pair-sends-to-name", unix_pair_sends_to_name},
    {NULL, NULL},
};
