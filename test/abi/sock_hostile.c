/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every call on sockets with pointers, lengths and descriptors that
 * make no sense, on a socket of each family: the same refusals as Linux, and
 * the kernel goes on.  NEEDS: root
 */
#define _GNU_SOURCE
#include "unix_common.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/uio.h>

static char *edge; /* the last byte of a page, with none behind it */
static char *ro;   /* a page that can only be read */

static const char *name;
static int fd;

static void
result(const char *what, long r)
{
	printf("%s %s: ", name, what);
	if (r < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", r);
}

#define TRY(call) result(#call, call)

static void
addresses(void)
{
	struct sockaddr *a = (void *)edge;
	socklen_t len;

	TRY(bind(fd, NULL, 16));
	TRY(bind(fd, BAD, 16));
	TRY(bind(fd, a, 16));
	TRY(bind(fd, a, 0));
	TRY(bind(fd, (void *)ro, 1));
	TRY(bind(fd, (void *)ro, 129));
	TRY(bind(fd, (void *)ro, (socklen_t)-1));
	TRY(connect(fd, NULL, 16));
	TRY(connect(fd, BAD, 16));
	TRY(connect(fd, a, 16));
	TRY(connect(fd, (void *)ro, 129));
	TRY(connect(fd, (void *)ro, (socklen_t)-1));
	TRY(getsockname(fd, NULL, NULL));
	len = 16;
	TRY(getsockname(fd, NULL, &len));
	len = 16;
	TRY(getsockname(fd, a, &len));
	len = (socklen_t)-1;
	TRY(getsockname(fd, (void *)ro, &len));
	len = 2;
	TRY(getsockname(fd, (void *)ro, &len));
	TRY(getsockname(fd, (void *)edge, BAD));
	TRY(accept(fd, BAD, BAD));
	TRY(accept4(fd, NULL, NULL, 0x123));
	TRY(shutdown(fd, -1));
	TRY(shutdown(fd, 3));
}

static void
data(void)
{
	struct sockaddr *a = (void *)edge;
	struct iovec v[3] = { { edge, 1 }, { edge, 5 }, { NULL, 0 } };
	struct msghdr m;
	socklen_t len = 16;

	/* Unconnected datagrams: Linux 6.1 says ENOTCONN, 6.18 EFAULT. */
	if (strcmp(name, "unix dgram")) {
		TRY(send(fd, NULL, 10, MSG_DONTWAIT | MSG_NOSIGNAL));
		TRY(send(fd, BAD, 10, MSG_DONTWAIT | MSG_NOSIGNAL));
		TRY(send(fd, edge, 2, MSG_DONTWAIT | MSG_NOSIGNAL));
	}
	TRY(send(fd, (void *)-4096, 10, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(sendto(fd, edge, 1, MSG_DONTWAIT | MSG_NOSIGNAL, BAD, 16));
	TRY(sendto(fd, edge, 1, MSG_DONTWAIT | MSG_NOSIGNAL, a, 16));
	TRY(sendto(fd, edge, 1, MSG_DONTWAIT | MSG_NOSIGNAL, a, 200));
	TRY(sendto(fd, edge, 1, MSG_DONTWAIT | MSG_NOSIGNAL, a, (socklen_t)-1));
	TRY(recv(fd, (void *)-4096, 10, MSG_DONTWAIT));
	TRY(recvfrom(fd, edge, 1, MSG_DONTWAIT, BAD, BAD));
	TRY(recvfrom(fd, edge, 1, MSG_DONTWAIT, a, &len));
	TRY(sendmsg(fd, NULL, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(sendmsg(fd, (void *)edge, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(recvmsg(fd, NULL, MSG_DONTWAIT));
	TRY(recvmsg(fd, (void *)edge, MSG_DONTWAIT));
	memset(&m, 0, sizeof(m));
	m.msg_iov = v;
	m.msg_iovlen = 2;
	if (strcmp(name, "unix dgram"))
		TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	m.msg_iovlen = (size_t)-1;
	TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(recvmsg(fd, &m, MSG_DONTWAIT));
	m.msg_iov = (void *)edge;
	m.msg_iovlen = 1;
	TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(recvmsg(fd, &m, MSG_DONTWAIT));
	v[0].iov_len = (size_t)1 << 63;
	m.msg_iov = v;
	TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(recvmsg(fd, &m, MSG_DONTWAIT));
	v[0].iov_len = 1;
	m.msg_name = BAD;
	m.msg_namelen = 16;
	TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	m.msg_namelen = (socklen_t)-1;
	TRY(recvmsg(fd, &m, MSG_DONTWAIT));
	m.msg_name = NULL;
	m.msg_control = BAD;
	m.msg_controllen = 64;
	TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	m.msg_control = (void *)edge;
	TRY(sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(sendmmsg(fd, BAD, 3, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(sendmmsg(fd, (void *)edge, 3, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(recvmmsg(fd, BAD, 3, MSG_DONTWAIT, NULL));
	TRY(recvmmsg(fd, (void *)edge, 3, MSG_DONTWAIT, NULL));
	TRY(recvmmsg(fd, NULL, 3, MSG_DONTWAIT, BAD));
}

static void
options(void)
{
	static const int levels[] = { SOL_SOCKET, 0, 6, 17, 41, 263, 270, 999 };
	socklen_t len;
	int v = 1;

	for (unsigned i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		int level = levels[i];

		printf("level %d: ", level);
		TRY(setsockopt(fd, level, 12345, &v, sizeof(v)));
		len = 4;
		TRY(getsockopt(fd, level, 12345, &v, &len));
	}
	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, edge, 4));
	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, ro, 0));
	TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, ro, 7));
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, ro, 12));
	TRY(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nothing0", 9));
	TRY(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, BAD, 9));
	TRY(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, BAD, 16));
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, NULL, NULL));
	len = 4;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, NULL, &len));
	len = 4;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, edge, &len));
	len = 4;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, ro, &len));
	len = 0;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, NULL, &len));
	len = (socklen_t)-5;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len));
}

static void
controls(void)
{
	TRY(ioctl(fd, FIONREAD, NULL));
	TRY(ioctl(fd, FIONREAD, ro));
	TRY(ioctl(fd, SIOCGIFFLAGS, BAD));
	TRY(ioctl(fd, SIOCGIFCONF, BAD));
	TRY(ioctl(fd, 0x8999, BAD));
	TRY(ioctl(fd, 0xdeadbeef, BAD));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(pread(fd, edge, 1, 0));
	TRY(pwrite(fd, edge, 1, 0));
	TRY(ftruncate(fd, 0));
	TRY(fsync(fd));
	TRY(fallocate(fd, 0, 0, 1));
	if (!strncmp(name, "tcp", 3))
		return; /* Linux's can be mapped, to receive */
	printf("%s mmap: %s\n", name,
	       mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ?
		       strerrorname_np(errno) :
		       "ok");
}

int
main(void)
{
	static const struct {
		int family, type;
		const char *name;
	} kinds[] = {
		{ AF_UNIX, SOCK_STREAM, "unix stream" },
		{ AF_UNIX, SOCK_DGRAM, "unix dgram" },
		{ AF_UNIX, SOCK_SEQPACKET, "unix seqpacket" },
		{ AF_NETLINK, SOCK_RAW, "netlink" },
		{ AF_INET, SOCK_STREAM, "tcp" },
		{ AF_INET, SOCK_DGRAM, "udp" },
		{ AF_INET6, SOCK_STREAM, "tcp6" },
		{ AF_INET6, SOCK_DGRAM, "udp6" },
		{ AF_PACKET, SOCK_DGRAM, "packet" },
	};
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p + 4096, 4096);
	edge = p + 4095;
	ro = p + 2 * 4096;
	mprotect(ro, 4096, PROT_READ);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		name = kinds[i].name;
		fd = socket(kinds[i].family, kinds[i].type, 0);
		if (fd < 0) {
			printf("%s: %s\n", name, strerrorname_np(errno));
			continue;
		}
		addresses();
		data();
		options();
		controls();
		close(fd);
	}
	return 0;
}
