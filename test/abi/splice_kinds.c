/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: which open files splice and sendfile take: descriptors of events
 * never, sockets to a pipe, with an offset no stream; and a large write to a
 * pipe that breaks after a part.
 * CALLS: splice sendfile write writev
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static char buf[1 << 20];
static int p[2];
static volatile int nsignals;

static void
on_signal(int sig)
{
	(void)sig;
	nsignals++;
}

static void
kind(const char *what, int fd)
{
	int q[2];
	loff_t off = 0;

	if (pipe2(p, O_NONBLOCK) || pipe2(q, O_NONBLOCK) ||
	    write(q[1], "12345678", 8) != 8)
		return;
	printf("%s\n", what);
	SHOW(splice(fd, NULL, p[1], NULL, 8, 0));
	SHOW(splice(fd, &off, p[1], NULL, 8, 0));
	SHOW(sendfile(p[1], fd, NULL, 8));
	SHOW(sendfile(p[1], fd, &off, 8));
	SHOW(splice(q[0], NULL, fd, NULL, 8, 0));
	close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

static void
kinds(void)
{
	sigset_t set;
	int sv[2];

	kind("eventfd", eventfd(5, EFD_NONBLOCK));
	kind("timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	kind("inotify", inotify_init1(IN_NONBLOCK));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	kind("signalfd", signalfd(-1, &set, SFD_NONBLOCK));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) ||
	    write(sv[1], buf, 100) != 100)
		return;
	kind("socket", sv[0]);
}

/* Takes that much and closes. */
static void *
reader(void *arg)
{
	static char to[1 << 16];
	long left = (long)arg;

	while (left > 0) {
		ssize_t n = read(p[0], to, (size_t)left);

		if (n <= 0)
			break;
		left -= n;
	}
	close(p[0]);
	return NULL;
}

static void
broken(int vector)
{
	struct iovec v[2] = { { buf, 400000 }, { buf, 400000 } };
	pthread_t t;
	ssize_t n;

	if (pipe(p))
		return;
	nsignals = 0;
	pthread_create(&t, NULL, reader, (void *)65536l);
	n = vector ? writev(p[1], v, 2) : write(p[1], buf, sizeof(buf));
	pthread_join(t, NULL);
	/* How much went in is a matter of who was first. */
	printf("part %d signals %d\n", n >= 65536 && n < 800000, nsignals);
	close(p[1]);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, on_signal);
	kinds();
	broken(0);
	broken(1);
	return 0;
}
