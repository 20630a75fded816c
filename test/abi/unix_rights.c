/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: control data of local sockets: descriptors, credentials, truncation,
 * malformed lists; cycles of sockets in flight are collected.
 * CALLS: sendmsg recvmsg
 */
#define _GNU_SOURCE
#include "own_network.h"
#include "unix_common.h"
#include <sys/resource.h>

static union {
	char b[2048];
	struct cmsghdr h;
} ctl;

static long
send_ctl(int fd, const char *data, size_t len, size_t ctl_len, int flags)
{
	struct iovec v = { (void *)data, len };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = ctl_len ? &ctl : NULL,
			    .msg_controllen = ctl_len };

	return sendmsg(fd, &m, flags);
}

static struct cmsghdr *
put(size_t at, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *h = (void *)(ctl.b + at);

	h->cmsg_level = level;
	h->cmsg_type = type;
	h->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(h), data, len);
	return h;
}

static long
send_fds(int fd, const int *fds, int n)
{
	put(0, SOL_SOCKET, SCM_RIGHTS, fds, (size_t)n * sizeof(int));
	return send_ctl(fd, "f", 1, CMSG_SPACE((size_t)n * sizeof(int)), 0);
}

/* Prints what came; gives the first descriptor, closes others. */
static int
recv_ctl(const char *what, int fd, size_t room, int flags)
{
	char b[16];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = room ? &ctl : NULL,
			    .msg_controllen = room };
	struct cmsghdr *h;
	int first = -1;
	ssize_t n;

	memset(&ctl, 0xee, sizeof(ctl));
	n = recvmsg(fd, &m, flags);
	if (n < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return -1;
	}
	printf("%s: %zd \"%.*s\" flags %x control %zu", what, n, (int)n, b,
	       m.msg_flags, m.msg_controllen);
	for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		int *fds = (int *)CMSG_DATA(h);
		size_t k = (h->cmsg_len - sizeof(*h)) / sizeof(int);

		printf(" [%d %d %zu", h->cmsg_level, h->cmsg_type, h->cmsg_len);
		if (h->cmsg_type == SCM_RIGHTS) {
			printf(" cloexec %x", fcntl(fds[0], F_GETFD));
			for (size_t i = 0; i < k; i++) {
				if (first < 0)
					first = fds[i];
				else
					close(fds[i]);
			}
		} else if (h->cmsg_type == SCM_CREDENTIALS && k == 3) {
			printf(" pid %s uid %d gid %d",
			       !fds[0]		  ? "0" :
			       fds[0] == getpid() ? "mine" :
						    "other",
			       fds[1], fds[2]);
		}
		printf("]");
	}
	printf("\n");
	return first;
}

static int
works(int fd)
{
	struct stat st;
	int r = fd >= 0 && !fstat(fd, &st) && S_ISFIFO(st.st_mode);

	if (fd >= 0)
		close(fd);
	return r;
}

static void
descriptors(void)
{
	int fd[2], p[2], many[260], i;

	pair(SOCK_STREAM, fd);
	if (pipe(p))
		exit(1);
	show("send", send_fds(fd[0], p, 1));
	printf("works %d\n", works(recv_ctl("one", fd[1], 100, 0)));
	send_fds(fd[0], p, 2);
	printf("works %d\n",
	       works(recv_ctl("two", fd[1], 100, MSG_CMSG_CLOEXEC)));
	send_fds(fd[0], p, 2);
	printf("works %d\n", works(recv_ctl("peek", fd[1], 100, MSG_PEEK)));
	printf("works %d\n", works(recv_ctl("after", fd[1], 100, 0)));
	send_fds(fd[0], p, 2);
	printf("works %d\n",
	       works(recv_ctl("room for 1", fd[1], CMSG_LEN(4), 0)));
	send_fds(fd[0], p, 2);
	recv_ctl("no room", fd[1], 0, 0);
	send_fds(fd[0], p, 2);
	recv_ctl("15 bytes", fd[1], 15, 0);
	send_fds(fd[0], p, 2);
	recv_ctl("16 bytes", fd[1], 16, 0);
	send_fds(fd[0], p, 2);
	show("read", read(fd[1], ctl.b, 9));
	/* Descriptors part the stream. */
	write(fd[0], "abc", 3);
	send_fds(fd[0], p, 1);
	write(fd[0], "def", 3);
	close(recv_ctl("first", fd[1], 100, 0));
	close(recv_ctl("second", fd[1], 100, 0));
	close(recv_ctl("third", fd[1], 100, MSG_DONTWAIT));
	for (i = 0; i < 260; i++)
		many[i] = p[0];
	show("253", send_fds(fd[0], many, 253));
	i = recv_ctl("253", fd[1], 2000, 0);
	printf("works %d\n", works(i));
	show("254", send_fds(fd[0], many, 254));
	many[1] = -1;
	show("bad one", send_fds(fd[0], many, 2));
	many[1] = 99999;
	show("bad one", send_fds(fd[0], many, 2));
	show("none", send_fds(fd[0], many, 0));
	recv_ctl("none", fd[1], 100, 0);
	put(0, SOL_SOCKET, SCM_RIGHTS, p, 4);
	put(CMSG_SPACE(4), SOL_SOCKET, SCM_RIGHTS, p + 1, 4);
	show("two lists", send_ctl(fd[0], "2", 1, 2 * CMSG_SPACE(4), 0));
	close(recv_ctl("two lists", fd[1], 100, 0));
	put(0, SOL_SOCKET, SCM_RIGHTS, p, 4);
	show("without data", send_ctl(fd[0], "", 0, CMSG_SPACE(4), 0));
	recv_ctl("nothing", fd[1], 100, MSG_DONTWAIT);
	close(fd[0]);
	close(fd[1]);
	pair(SOCK_DGRAM, fd);
	put(0, SOL_SOCKET, SCM_RIGHTS, p, 4);
	show("without data", send_ctl(fd[0], "", 0, CMSG_SPACE(4), 0));
	printf("works %d\n", works(recv_ctl("dgram", fd[1], 100, 0)));
	close(fd[0]);
	close(fd[1]);
	close(p[0]);
	close(p[1]);
}

static void
credentials(void)
{
	int fd[2], on = 1, zero = 0, n;
	struct ucred c = { getpid(), getuid(), getgid() }, got;
	socklen_t len = sizeof(got);

	pair(SOCK_STREAM, fd);
	getsockopt(fd[0], SOL_SOCKET, SO_PEERCRED, &got, &len);
	printf("peer %d %u %u, %u\n", got.pid == getpid(), got.uid, got.gid,
	       len);
	write(fd[0], "early", 5);
	setsockopt(fd[1], SOL_SOCKET, SO_PASSCRED, &on, 4);
	recv_ctl("early", fd[1], 100, 0);
	write(fd[0], "late", 4);
	recv_ctl("late", fd[1], 100, 0);
	write(fd[0], "cut", 3);
	recv_ctl("cut", fd[1], 20, 0);
	put(0, SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof(c));
	show("mine", send_ctl(fd[0], "m", 1, CMSG_SPACE(sizeof(c)), 0));
	recv_ctl("mine", fd[1], 100, 0);
	put(0, SOL_SOCKET, SCM_CREDENTIALS, &c, 8);
	show("short", send_ctl(fd[0], "m", 1, CMSG_SPACE(8), 0));
	c.uid = 12345;
	put(0, SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof(c));
	n = (int)send_ctl(fd[0], "m", 1, CMSG_SPACE(sizeof(c)), 0);
	if (!getuid()) {
		show("other uid", n);
		recv_ctl("other", fd[1], 100, 0);
	}
	/* Different senders are not glued together. */
	c.uid = getuid();
	write(fd[0], "abc", 3);
	write(fd[0], "def", 3);
	recv_ctl("same", fd[1], 100, 0);
	setsockopt(fd[1], SOL_SOCKET, SO_PASSCRED, &zero, 4);
	close(fd[0]);
	close(fd[1]);
	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	len = sizeof(got);
	getsockopt(fd[0], SOL_SOCKET, SO_PEERCRED, &got, &len);
	printf("fresh %d %d %d\n", got.pid, (int)got.uid, (int)got.gid);
	len = 5;
	show("short", getsockopt(fd[0], SOL_SOCKET, SO_PEERCRED, &got, &len));
	printf("%u\n", len);
	close(fd[0]);
	pair(SOCK_DGRAM, fd);
	setsockopt(fd[0], SOL_SOCKET, SO_PASSCRED, &on, 4);
	write(fd[0], "x", 1);
	{
		struct sockaddr_un a;

		len = sizeof(a);
		getsockname(fd[0], (struct sockaddr *)&a, &len);
		printf("bound by itself: %u\n", len);
	}
	recv_ctl("not asked", fd[1], 100, 0);
	close(fd[0]);
	close(fd[1]);
}

static void
malformed(void)
{
	struct iovec v[1] = { { ctl.b, 1 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 1 };
	int fd[2], one = 1;
	struct cmsghdr *h;

	pair(SOCK_STREAM, fd);
	h = put(0, SOL_SOCKET, SCM_RIGHTS, &one, 4);
	h->cmsg_len = 15;
	show("length 15", send_ctl(fd[0], "x", 1, 24, 0));
	h->cmsg_len = 0;
	show("length 0", send_ctl(fd[0], "x", 1, 24, 0));
	h->cmsg_len = 25;
	show("length 25", send_ctl(fd[0], "x", 1, 24, 0));
	h->cmsg_len = (size_t)-1;
	show("length -1", send_ctl(fd[0], "x", 1, 24, 0));
	h->cmsg_len = 20;
	h->cmsg_type = 77;
	show("type 77", send_ctl(fd[0], "x", 1, 24, 0));
	h->cmsg_level = 77;
	show("level 77", send_ctl(fd[0], "x", 1, 24, 0));
	show("15 bytes", send_ctl(fd[0], "x", 1, 15, 0));
	show("NULL message", sendmsg(fd[0], NULL, 0));
	show("bad message", sendmsg(fd[0], BAD, 0));
	m.msg_control = BAD;
	m.msg_controllen = 24;
	show("bad control", sendmsg(fd[0], &m, 0));
	m.msg_controllen = 1 << 30;
	show("large control", sendmsg(fd[0], &m, 0));
	m.msg_control = NULL;
	m.msg_controllen = 0;
	m.msg_iovlen = 1025;
	show("1025 pieces", sendmsg(fd[0], &m, 0));
	show("1025 pieces", recvmsg(fd[0], &m, MSG_DONTWAIT));
	m.msg_iovlen = 1;
	m.msg_name = BAD;
	m.msg_namelen = 5;
	show("bad name", sendmsg(fd[0], &m, 0));
	m.msg_namelen = (socklen_t)-1;
	show("name -1", sendmsg(fd[0], &m, 0));
	m.msg_name = NULL;
	m.msg_iov = BAD;
	show("bad vector", sendmsg(fd[0], &m, 0));
	v[0].iov_len = (size_t)-1;
	m.msg_iov = v;
	show("long piece", sendmsg(fd[0], &m, 0));
	show("compat", sendmsg(fd[0], &m, (int)0x80000000));
	show("recv NULL", recvmsg(fd[0], NULL, MSG_DONTWAIT));
	close(fd[0]);
	close(fd[1]);
}

/* Collecting is begun by the close of any local socket. */
static int
hung_up(int fd)
{
	struct pollfd p = { fd, 0, 0 };

	for (int i = 0; i < 1000; i++) {
		close(socket(AF_UNIX, SOCK_STREAM, 0));
		if (poll(&p, 1, 10))
			return 1;
	}
	return 0;
}

/* Both ends of the pair in the other's queue, and a pipe's end with them. */
static void
cycles(void)
{
	struct pollfd pf;
	int fd[2], p[2], i, l, c;

	if (pipe(p))
		exit(1);
	pf.fd = p[0];
	pf.events = 0;
	pair(SOCK_STREAM, fd);
	send_fds(fd[0], fd, 1);
	send_fds(fd[1], (int[]){ fd[1], p[1] }, 2);
	close(p[1]);
	printf("held: %d\n", poll(&pf, 1, 0));
	close(fd[0]);
	close(fd[1]);
	printf("collected: %d\n", hung_up(p[0]));
	close(p[0]);

	/* A socket that waits to be accepted, with its listener in flight. */
	if (pipe(p))
		exit(1);
	pf.fd = p[0];
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	un_bind(l, "@pith-cycle");
	listen(l, 5);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	un_connect(c, "@pith-cycle");
	send_fds(c, (int[]){ l, c, p[1] }, 3);
	close(l);
	close(p[1]);
	printf("held: %d\n", poll(&pf, 1, 0));
	close(c);
	printf("collected: %d\n", hung_up(p[0]));
	close(p[0]);

	/* A long chain, each in the next one's queue, then its end closed. */
	if (pipe(p))
		exit(1);
	pf.fd = p[0];
	c = p[1];
	for (i = 0; i < 3000; i++) {
		pair(SOCK_DGRAM, fd);
		if (send_fds(fd[0], &c, 1) != 1) {
			printf("link %d: %s\n", i, strerrorname_np(errno));
			break;
		}
		close(c);
		close(fd[0]);
		c = fd[1];
	}
	printf("held: %d\n", poll(&pf, 1, 0));
	close(c);
	printf("freed: %d\n", hung_up(p[0]));
	close(p[0]);

	/* Reachable ones stay. */
	pair(SOCK_STREAM, fd);
	send_fds(fd[0], fd, 1);
	close(fd[0]);
	for (i = 0; i < 5; i++) {
		pair(SOCK_STREAM, p);
		close(p[0]);
		close(p[1]);
	}
	c = recv_ctl("still there", fd[1], 100, 0);
	show("write", write(c, "hello", 5));
	recv_ctl("arrived", fd[1], 100, 0);
	close(c);
	close(fd[1]);
}

int
main(void)
{
	own_network(); /* abstract names are a network's */
	descriptors();
	credentials();
	malformed();
	cycles();
	return 0;
}
