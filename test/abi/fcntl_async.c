/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal-driven I/O, fcntl(2): O_ASYNC, F_SETOWN, F_SETOWN_EX, F_SETSIG on
 * pipes, sockets and terminals; what has none takes the flag for nothing.
 *
 * The signals are blocked and waited for: when they come is not compared.
 *
 * CALLS: fcntl
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "wait_common.h"

#define RT (SIGRTMIN + 3)

static void
show(const char *what, long r)
{
	if (r < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, r);
}

#define DO(x) (errno = 0, show(#x, (long)(x)))

/* One signal of ours, or none within ms. */
static void
signalled(const char *what, int ms, int want)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	siginfo_t si;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, RT);
	sig = sigtimedwait(&set, NULL, &ts);
	if (sig < 0) {
		printf("%s: none\n", what);
		return;
	}
	memset(&si, 0, sizeof(si));
	printf("%s: %s\n", what, sig == SIGIO ? "SIGIO" : "RT");
	(void)want;
	/* The rest of what this event made. */
	while (sigtimedwait(&set, &si, &(struct timespec){ 0, 20000000 }) > 0)
		;
}

static void
info(const char *what, int fd)
{
	struct timespec ts = { 5, 0 };
	siginfo_t si;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, RT);
	memset(&si, 0, sizeof(si));
	if (sigtimedwait(&set, &si, &ts) < 0)
		printf("%s: none\n", what);
	else
		printf("%s: %s code %d band %#lx, the descriptor %d\n", what,
		       si.si_signo == RT ? "RT" : "SIGIO", si.si_code,
		       si.si_signo == RT ? si.si_band : 0L,
		       si.si_signo == RT ? si.si_fd == fd : -1);
	while (sigtimedwait(&set, &si, &(struct timespec){ 0, 20000000 }) > 0)
		;
}

static void
owners(void)
{
	struct f_owner_ex o = { 0, 0 };
	int p[2];

	if (pipe(p))
		return;
	DO(fcntl(p[0], F_GETOWN));
	DO(fcntl(p[0], F_GETSIG));
	DO(fcntl(p[0], F_GETOWN_EX, &o));
	printf("%d %d\n", o.type, o.pid);
	DO(fcntl(p[0], F_SETSIG, 65));
	DO(fcntl(p[0], F_SETSIG, -1));
	DO(fcntl(p[0], F_SETSIG, RT));
	printf("%d\n", fcntl(p[0], F_GETSIG) == RT);
	DO(fcntl(p[0], F_SETSIG, 0));
	DO(fcntl(p[0], F_GETSIG));
	DO(fcntl(p[0], F_SETOWN, 3999999));
	DO(fcntl(p[0], F_SETOWN, getpid()));
	printf("%d\n", fcntl(p[0], F_GETOWN) == getpid());
	DO(fcntl(p[0], F_GETOWN_EX, &o));
	printf("%d %d\n", o.type, o.pid == getpid());
	DO(fcntl(p[0], F_SETOWN, -getpgrp()));
	DO(fcntl(p[0], F_GETOWN_EX, &o));
	printf("%d %d\n", o.type, o.pid == getpgrp());
	o.type = F_OWNER_TID;
	o.pid = gettid();
	DO(fcntl(p[0], F_SETOWN_EX, &o));
	memset(&o, 9, sizeof(o));
	DO(fcntl(p[0], F_GETOWN_EX, &o));
	printf("%d %d\n", o.type, o.pid == gettid());
	o.pid = 3999999;
	DO(fcntl(p[0], F_SETOWN_EX, &o));
	o.type = 7;
	DO(fcntl(p[0], F_SETOWN_EX, &o));
	DO(fcntl(p[0], F_SETOWN_EX, NULL));
	DO(fcntl(p[0], F_SETOWN, 0));
	DO(fcntl(p[0], F_GETOWN));
	close(p[0]);
	close(p[1]);
}

static void
pipes(void)
{
	char b[70000];
	int p[2], on = 1, off = 0;

	if (pipe2(p, O_NONBLOCK))
		return;
	memset(b, 'x', sizeof(b));
	DO(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	printf("%#x\n", fcntl(p[0], F_GETFL));
	DO(write(p[1], "a", 1));
	signalled("nobody owns it", 50, 0);
	DO(fcntl(p[0], F_SETOWN, getpid()));
	DO(read(p[0], b, 1));
	DO(write(p[1], "b", 1));
	info("pipe", p[0]);
	DO(fcntl(p[0], F_SETSIG, RT));
	DO(read(p[0], b, 1));
	DO(write(p[1], "b", 1));
	info("pipe", p[0]);
	DO(ioctl(p[0], FIOASYNC, &off));
	printf("%#x\n", fcntl(p[0], F_GETFL));
	DO(read(p[0], b, 1));
	DO(write(p[1], "b", 1));
	signalled("off", 50, 0);
	DO(ioctl(p[0], FIOASYNC, &on));
	printf("%#x\n", fcntl(p[0], F_GETFL));
	DO(read(p[0], b, 1));
	DO(write(p[1], "b", 1));
	info("on", p[0]);
	/* The other end: room. */
	DO(fcntl(p[1], F_SETOWN, getpid()));
	DO(fcntl(p[1], F_SETSIG, RT));
	DO(ioctl(p[0], FIOASYNC, &off));
	DO(fcntl(p[1], F_SETFL, O_ASYNC | O_NONBLOCK));
	while (write(p[1], b, 4096) > 0)
		;
	DO(read(p[0], b, sizeof(b)) > 4096);
	info("room", p[1]);
	close(p[0]);
	signalled("the reader goes", 5000, 1);
	close(p[1]);
}

static void *
other(void *arg)
{
	sigset_t set;

	(void)arg;
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return (void *)(long)gettid();
}

static void
sockets(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct f_owner_ex o = { F_OWNER_TID, gettid() };
	socklen_t len = sizeof(sin);
	int s[2], l, c, a, u;
	char b[8];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s))
		return;
	DO(fcntl(s[0], F_SETOWN_EX, &o));
	DO(fcntl(s[0], F_SETSIG, RT));
	DO(fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	DO(write(s[1], "u", 1));
	info("unix", s[0]);
	DO(read(s[0], b, 1));
	close(s[1]);
	signalled("its peer closes", 5000, 1);
	close(s[0]);

	u = socket(AF_INET, SOCK_DGRAM, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	DO(bind(u, (struct sockaddr *)&sin, sizeof(sin)));
	getsockname(u, (struct sockaddr *)&sin, &len);
	DO(fcntl(u, F_SETOWN, getpid()));
	DO(fcntl(u, F_SETSIG, RT));
	DO(fcntl(u, F_SETFL, O_ASYNC));
	DO(sendto(u, "d", 1, 0, (struct sockaddr *)&sin, sizeof(sin)));
	signalled("udp", 5000, 1);
	close(u);

	l = socket(AF_INET, SOCK_STREAM, 0);
	sin.sin_port = 0;
	DO(bind(l, (struct sockaddr *)&sin, sizeof(sin)));
	DO(listen(l, 5));
	getsockname(l, (struct sockaddr *)&sin, &len);
	DO(fcntl(l, F_SETOWN, getpid()));
	DO(fcntl(l, F_SETFL, O_ASYNC));
	c = socket(AF_INET, SOCK_STREAM, 0);
	DO(connect(c, (struct sockaddr *)&sin, sizeof(sin)));
	signalled("a connection", 5000, 1);
	a = accept4(l, NULL, NULL, 0);
	printf("inherited: %d\n", fcntl(a, F_GETFL) & O_ASYNC);
	DO(fcntl(a, F_SETOWN, getpid()));
	DO(fcntl(a, F_SETFL, O_ASYNC));
	signalled("at once", 50, 0);
	DO(write(c, "t", 1));
	signalled("tcp data", 5000, 1);
	close(c);
	signalled("tcp end", 5000, 1);
	close(a);
	close(l);
}

static void
terminals(void)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, s;

	DO(ioctl(m, TIOCSPTLCK, &zero));
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	/* A terminal is its opener's where nobody is named. */
	DO(fcntl(s, F_SETFL, O_ASYNC));
	printf("%d\n", fcntl(s, F_GETOWN) == getpid());
	DO(write(m, "line\n", 5));
	signalled("slave", 5000, 1);
	DO(fcntl(s, F_SETFL, 0));
	DO(fcntl(m, F_SETFL, O_ASYNC));
	DO(write(s, "out", 3));
	signalled("master", 5000, 1);
	close(s);
	close(m);
}

static void
without(void)
{
	int fd = open("/proc/self/exe", O_RDONLY), e = eventfd(0, 0);
	pthread_t th;
	void *tid;
	struct f_owner_ex o = { F_OWNER_TID, 0 };

	DO(fcntl(fd, F_SETFL, O_ASYNC));
	printf("%d\n", fcntl(fd, F_GETFL) & O_ASYNC);
	DO(fcntl(e, F_SETFL, O_ASYNC));
	printf("%d\n", fcntl(e, F_GETFL) & O_ASYNC);
	/* FIOASYNC says so. */
	DO(ioctl(e, FIOASYNC, &(int){ 1 }));
	DO(ioctl(fd, FIOASYNC, &(int){ 0 }));
	pthread_create(&th, NULL, other, NULL);
	pthread_join(th, &tid);
	o.pid = (int)(long)tid;
	until_gone(o.pid);
	DO(fcntl(e, F_SETOWN_EX, &o));
	close(fd);
	close(e);
}

int
main(void)
{
	sigset_t set;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setsid();
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, RT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	owners();
	pipes();
	sockets();
	terminals();
	without();
	return 0;
}
