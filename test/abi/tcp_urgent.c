/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Urgent data over loopback: MSG_OOB, the mark that reads stop at, what they
 * pass over, SO_OOBINLINE, SIOCATMARK, FIONREAD, poll and epoll, SIGURG to the
 * owner, a second urgent byte before the first was read, the end of the
 * stream.
 * CALLS: sendto, recvfrom
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wait_common.h"

static volatile sig_atomic_t urgent;

static void
on_urgent(int sig, siginfo_t *i, void *u)
{
	(void)sig, (void)u;
	urgent = 1000 + (i->si_code == SI_KERNEL);
}

/* b is the accepted end. */
static void
pair(int *a, int *b)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t l = sizeof(sa);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(s, (struct sockaddr *)&sa, sizeof(sa));
	listen(s, 1);
	getsockname(s, (struct sockaddr *)&sa, &l);
	*a = socket(AF_INET, SOCK_STREAM, 0);
	connect(*a, (struct sockaddr *)&sa, sizeof(sa));
	*b = accept(s, NULL, NULL);
	close(s);
}

static void
put(int fd, const char *text, int flags)
{
	ssize_t n = send(fd, text, strlen(text), flags);

	if (n != (ssize_t)strlen(text))
		printf("send: %zd %s\n", n, strerrorname_np(errno));
}

static void
state(const char *what, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLPRI | POLLRDBAND | POLLRDHUP, 0 };
	int mark = -1, n = -1;

	poll(&p, 1, 0);
	ioctl(fd, SIOCATMARK, &mark);
	ioctl(fd, FIONREAD, &n);
	printf("%s: poll %x mark %d bytes %d\n", what, p.revents, mark, n);
}

static void
get(const char *what, int fd, size_t room, int flags)
{
	char b[200] = "";
	struct iovec v = { b, room };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd, &m, flags | MSG_DONTWAIT);

	if (n < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %zd \"%.*s\" flags %x\n", what, n, (int)n, b,
		       m.msg_flags);
}

static void
set_inline(int fd, int on)
{
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static void
apart(void)
{
	int a, b;

	pair(&a, &b);
	state("fresh", b);
	get("nothing urgent", b, 10, MSG_OOB);
	put(a, "abc", 0);
	put(a, "deF", MSG_OOB);
	put(a, "ghi", 0);
	state("sent", b);
	get("peek urgent", b, 10, MSG_OOB | MSG_PEEK);
	get("urgent, no room", b, 0, MSG_OOB | MSG_PEEK);
	get("urgent", b, 10, MSG_OOB);
	get("again", b, 10, MSG_OOB);
	state("urgent read", b);
	get("peek", b, 100, MSG_PEEK);
	get("to the mark", b, 100, 0);
	state("at the mark", b);
	get("peek past", b, 100, MSG_PEEK);
	get("past", b, 100, 0);
	state("past", b);
	get("over", b, 10, MSG_OOB);
	close(a);
	close(b);
}

/* The urgent byte is the next one and nothing follows. */
static void
alone(void)
{
	int a, b;

	pair(&a, &b);
	put(a, "U", MSG_OOB);
	state("alone", b);
	get("ordinary", b, 10, 0);
	state("after ordinary", b);
	get("urgent", b, 10, MSG_OOB);
	put(a, "V", MSG_OOB);
	get("urgent", b, 10, MSG_OOB);
	state("read", b);
	get("ordinary", b, 10, 0);
	put(a, "w", 0);
	state("more", b);
	get("ordinary", b, 10, 0);
	put(a, "", MSG_OOB);
	state("empty", b);
	close(a);
	close(b);
}

static void
in_line(void)
{
	int a, b;

	pair(&a, &b);
	set_inline(b, 1);
	put(a, "abC", MSG_OOB);
	put(a, "de", 0);
	state("inline", b);
	get("urgent", b, 10, MSG_OOB);
	get("to the mark", b, 100, 0);
	state("at the mark", b);
	get("one", b, 1, 0);
	state("past", b);
	get("rest", b, 100, 0);
	put(a, "X", MSG_OOB);
	state("alone", b);
	set_inline(b, 0);
	state("turned off", b);
	get("urgent", b, 10, MSG_OOB);
	put(a, "y", 0);
	set_inline(b, 1);
	state("turned on", b);
	get("all", b, 100, 0);
	close(a);
	close(b);
}

static void
two(void)
{
	int a, b;

	pair(&a, &b);
	put(a, "a1", MSG_OOB);
	put(a, "b2", MSG_OOB);
	state("two", b);
	get("urgent", b, 10, MSG_OOB);
	get("to the mark", b, 100, 0);
	get("past", b, 100, 0);
	/* The first is the next to be read: it goes. */
	put(a, "3", MSG_OOB);
	state("third", b);
	put(a, "4", MSG_OOB);
	state("fourth", b);
	get("urgent", b, 10, MSG_OOB);
	get("rest", b, 100, 0);
	put(a, "c5d", 0);
	put(a, "6", MSG_OOB);
	get("one", b, 1, 0);
	get("to the mark", b, 100, 0);
	state("mark", b);
	put(a, "7", MSG_OOB);
	state("at a mark, another", b);
	get("rest", b, 100, 0);
	get("urgent", b, 10, MSG_OOB);
	close(a);
	close(b);
}

static void
the_end(void)
{
	int a, b;

	pair(&a, &b);
	put(a, "xY", MSG_OOB);
	shutdown(a, SHUT_WR);
	state("end", b);
	get("urgent", b, 10, MSG_OOB);
	get("again", b, 10, MSG_OOB);
	get("data", b, 10, 0);
	get("end", b, 10, 0);
	get("urgent at the end", b, 10, MSG_OOB);
	put(b, "Z", MSG_OOB);
	get("the other way", a, 10, MSG_OOB);
	close(b);
	get("closed", a, 10, MSG_OOB);
	close(a);
}

static void
told(void)
{
	struct sigaction sa = { .sa_sigaction = on_urgent,
				.sa_flags = SA_SIGINFO };
	struct epoll_event e = { .events = EPOLLPRI | EPOLLET };
	int a, b, n, ep = epoll_create1(0), pid = getpid(), got = 0;

	sigaction(SIGURG, &sa, NULL);
	pair(&a, &b);
	epoll_ctl(ep, EPOLL_CTL_ADD, b, &e);
	put(a, "n", 0);
	n = epoll_wait(ep, &e, 1, 0);
	printf("epoll, ordinary: %d\n", n);
	put(a, "U", MSG_OOB);
	n = epoll_wait(ep, &e, 1, 200000);
	printf("epoll: %d %x, no owner, signal %d\n", n, e.events, urgent);
	printf("FIOSETOWN %d\n", ioctl(b, FIOSETOWN, &pid));
	ioctl(b, FIOGETOWN, &got);
	printf("owner: %d %d\n", got == pid, fcntl(b, F_GETOWN) == pid);
	put(a, "V", MSG_OOB);
	UNTIL(urgent);
	n = epoll_wait(ep, &e, 1, 0);
	printf("signal %d, epoll %d\n", urgent, n);
	urgent = 0;
	fcntl(b, F_SETOWN, 0);
	put(a, "W", MSG_OOB);
	get("urgent", b, 10, MSG_OOB);
	printf("no owner: signal %d\n", urgent);
	close(ep);
	close(a);
	close(b);
}

/* A peek passes over the marked byte: if it is alone there is nothing. */
static void
peeked(void)
{
	int a, b;

	pair(&a, &b);
	put(a, "X", MSG_OOB);
	get("peek, urgent alone", b, 10, MSG_PEEK);
	get("urgent", b, 10, MSG_OOB);
	get("peek, its place alone", b, 10, MSG_PEEK);
	put(a, "yz", 0);
	get("peek behind", b, 10, MSG_PEEK);
	get("read", b, 10, 0);
	put(a, "X", MSG_OOB);
	shutdown(a, SHUT_WR);
	get("peek at the end", b, 10, MSG_PEEK);
	close(a);
	close(b);
}

/* What lay in the queue of a socket that disconnects, and its other end. */
static void
disconnected(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int a, b;

	pair(&a, &b);
	put(a, "abc", 0);
	connect(b, &none, sizeof(none));
	get("the other end", a, 10, 0);
	close(a);
	get("disconnected", b, 10, 0);
	close(b);
}

static void
refused(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	int u = socket(AF_INET, SOCK_DGRAM, 0);

	signal(SIGPIPE, SIG_IGN);
	get("not connected", s, 10, MSG_OOB);
	put(s, "x", MSG_OOB);
	listen(s, 1);
	get("listening", s, 10, MSG_OOB);
	get("udp", u, 10, MSG_OOB);
	put(u, "x", MSG_OOB);
	close(s);
	close(u);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	apart();
	alone();
	in_line();
	two();
	the_end();
	told();
	peeked();
	disconnected();
	refused();
	return 0;
}
