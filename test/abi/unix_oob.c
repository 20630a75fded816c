/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Urgent data of AF_UNIX streams: what reads end at and pass over, MSG_OOB
 * with and without MSG_PEEK, a second urgent byte before the first was read
 * and after, SO_OOBINLINE, SIOCATMARK, poll, SIGURG, descriptors beside it, the
 * end of the stream, and who has none.
 * CALLS: sendmsg, recvmsg
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static int a, b;
static volatile sig_atomic_t urgent;

static void
on_urgent(int sig)
{
	(void)sig;
	urgent++;
}

static void
make(const char *what, int type)
{
	int s[2];

	printf("-- %s\n", what);
	if (a) {
		close(a);
		close(b);
	}
	socketpair(AF_UNIX, type, 0, s);
	a = s[0];
	b = s[1];
}

static void
state(const char *what)
{
	struct pollfd p = {
		.fd = b, .events = POLLIN | POLLPRI | POLLRDBAND | POLLRDNORM
	};
	int at = -1;

	poll(&p, 1, 0);
	ioctl(b, SIOCATMARK, &at);
	printf("  %s: poll %x, at mark %d\n", what, p.revents, at);
}

static void
put(const char *text, int flags)
{
	ssize_t n = send(a, text, strlen(text), flags | MSG_NOSIGNAL);

	printf("send '%s'%s: %zd %s\n", text, flags ? " urgent" : "", n,
	       n < 0 ? strerrorname_np(errno) : "");
}

static void
get(size_t len, int flags)
{
	char buf[64] = { 0 };
	struct iovec v = { buf, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = recvmsg(b, &m, flags | MSG_DONTWAIT);

	printf("recv %zu%s%s%s: %zd '%s' %s, flags %x\n", len,
	       flags & MSG_OOB ? " urgent" : "",
	       flags & MSG_PEEK ? " peek" : "",
	       flags & MSG_WAITALL ? " all" : "", n, n > 0 ? buf : "",
	       n < 0 ? strerrorname_np(errno) : "", n < 0 ? 0 : m.msg_flags);
	state("then");
}

static void
set_inline(int on)
{
	setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static void
alone(void)
{
	make("alone", SOCK_STREAM);
	state("empty");
	get(1, MSG_OOB);
	put("x", MSG_OOB);
	state("sent");
	get(1, MSG_OOB | MSG_PEEK);
	get(1, MSG_OOB);
	get(1, MSG_OOB);
	get(10, MSG_PEEK);
	get(10, 0);
	make("the last of three", SOCK_STREAM);
	put("abc", MSG_OOB);
	state("sent");
	get(10, 0);
	get(10, 0);
	get(1, MSG_OOB);
	get(10, 0);
	make("no room for it", SOCK_STREAM);
	put("x", MSG_OOB);
	get(0, MSG_OOB);
	get(5, MSG_OOB);
}

static void
among_others(void)
{
	make("among others", SOCK_STREAM);
	put("hello", 0);
	put("x", MSG_OOB);
	put("world", 0);
	state("sent");
	get(20, MSG_PEEK);
	get(20, 0);
	get(20, 0);
	get(1, MSG_OOB);
	get(20, 0);
	make("taken before", SOCK_STREAM);
	put("hello", 0);
	put("x", MSG_OOB);
	put("world", 0);
	get(1, MSG_OOB);
	get(20, 0);
	get(20, 0);
	get(20, 0);
	make("looked at", SOCK_STREAM);
	put("abc", 0);
	put("x", MSG_OOB);
	put("def", 0);
	get(2, 0);
	get(10, MSG_PEEK);
	get(1, 0);
	get(10, MSG_PEEK);
	get(1, MSG_OOB | MSG_PEEK);
	get(10, 0);
	get(1, MSG_OOB);
	make("all", SOCK_STREAM);
	put("abc", 0);
	put("x", MSG_OOB);
	put("def", 0);
	get(6, MSG_WAITALL);
	get(6, MSG_WAITALL);
}

static void
two(void)
{
	make("two", SOCK_STREAM);
	put("a", MSG_OOB);
	put("b", MSG_OOB);
	state("sent");
	get(1, MSG_OOB);
	get(10, 0);
	get(10, 0);
	make("two among others", SOCK_STREAM);
	put("12a", MSG_OOB);
	put("34b", MSG_OOB);
	put("56", 0);
	get(10, 0);
	get(10, 0);
	get(10, 0);
	get(1, MSG_OOB);
	make("the first taken", SOCK_STREAM);
	put("abc", MSG_OOB);
	get(1, MSG_OOB);
	put("de", MSG_OOB);
	state("sent");
	get(10, 0);
	get(10, 0);
	get(10, 0);
	make("the first taken, nothing else", SOCK_STREAM);
	put("a", MSG_OOB);
	get(1, MSG_OOB);
	put("b", MSG_OOB);
	state("sent");
	get(10, 0);
	get(1, MSG_OOB);
}

static void
in_line(void)
{
	make("in line", SOCK_STREAM);
	set_inline(1);
	put("hello", 0);
	put("x", MSG_OOB);
	put("world", 0);
	state("sent");
	get(1, MSG_OOB);
	get(20, 0);
	get(20, 0);
	get(20, 0);
	put("x", MSG_OOB);
	state("sent");
	get(20, MSG_PEEK);
	get(20, 0);
	get(20, 0);
	set_inline(0);
	put("ab", MSG_OOB);
	set_inline(1);
	get(1, 0);
	get(1, 0);
	set_inline(0);
	get(3, 0);
}

static void
ends(void)
{
	make("closed", SOCK_STREAM);
	put("ab", MSG_OOB);
	close(a);
	a = dup(b);
	state("closed");
	get(10, 0);
	get(10, 0);
	get(1, MSG_OOB);
	make("shut down", SOCK_STREAM);
	put("ab", 0);
	put("x", MSG_OOB);
	shutdown(a, SHUT_WR);
	get(10, 0);
	get(10, 0);
	get(1, MSG_OOB);
	make("nobody reads", SOCK_STREAM);
	shutdown(b, SHUT_RD);
	put("x", MSG_OOB);
	get(1, MSG_OOB);
	make("datagrams", SOCK_DGRAM);
	put("x", MSG_OOB);
	get(1, MSG_OOB);
	make("packets", SOCK_SEQPACKET);
	put("x", MSG_OOB);
	get(1, MSG_OOB);
	make("not connected", SOCK_STREAM);
	close(a);
	close(b);
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	b = socket(AF_UNIX, SOCK_STREAM, 0);
	put("x", MSG_OOB);
	get(1, MSG_OOB);
	make("nothing", SOCK_STREAM);
	put("", MSG_OOB);
}

/* They come with the byte in front of the urgent one. */
static void
descriptors(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, buf[10];
	struct iovec v = { (char[]){ 'p', 'q' }, 2 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd = 1;

	make("descriptors", SOCK_STREAM);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	printf("sendmsg: %zd\n", sendmsg(a, &m, MSG_OOB));
	for (int i = 0; i < 3; i++) {
		struct iovec w = { buf, sizeof(buf) };
		struct msghdr r = { .msg_iov = &w,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n =
			recvmsg(b, &r, MSG_DONTWAIT | (i == 1 ? MSG_OOB : 0));

		printf("recvmsg: %zd, control %d, flags %x\n", n,
		       n >= 0 && r.msg_controllen, n < 0 ? 0 : r.msg_flags);
	}
}

static void
told(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLPRI | EPOLLET };
	int ep = epoll_create1(0), n;

	make("told", SOCK_STREAM);
	signal(SIGURG, on_urgent);
	fcntl(b, F_SETOWN, getpid());
	put("x", MSG_OOB);
	printf("signals: %d\n", urgent);
	put("y", 0);
	printf("signals: %d\n", urgent);
	make("epoll", SOCK_STREAM);
	epoll_ctl(ep, EPOLL_CTL_ADD, b, &e);
	put("x", MSG_OOB);
	n = epoll_wait(ep, &e, 1, 0);
	printf("epoll_wait: %d %x\n", n, e.events);
	printf("epoll_wait: %d\n", epoll_wait(ep, &e, 1, 0));
	close(ep);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	alone();
	among_others();
	two();
	in_line();
	ends();
	descriptors();
	told();
	return 0;
}
