/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: signals come as records, poll says when; flags and a second call.
 * Method: blocked signals, read.
 * CALLS: signalfd
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>

int
main(void)
{
	union sigval v = { .sival_int = 31 };
	struct signalfd_siginfo si[3];
	struct pollfd p;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	printf("fd %d\n", fd >= 0);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	show("poll", poll(&p, 1, 0));
	show("empty", read(fd, si, sizeof(si)));
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, v);
	show("poll", poll(&p, 1, 0));
	show("read", read(fd, si, sizeof(si)) / (long)sizeof(si[0]));
	printf("%d %d pid %d; %d %d value %d\n", si[0].ssi_signo == SIGUSR1,
	       si[0].ssi_code, si[0].ssi_pid == (uint32_t)getpid(),
	       si[1].ssi_signo == (uint32_t)SIGRTMIN, si[1].ssi_code,
	       si[1].ssi_int);
	show("small", read(fd, si, 16));
	sigemptyset(&set);
	show("change", signalfd(fd, &set, 0) == fd);
	kill(getpid(), SIGUSR1);
	show("not in set", read(fd, si, sizeof(si)));
	show("flags", signalfd(-1, &set, 1));
	show("not one", signalfd(1, &set, 0));
	show("no fd", signalfd(77, &set, 0));
	/* The first form of the call: no flags. */
	fd = (int)syscall(SYS_signalfd, -1, &set, 8);
	printf("old call %d flags %d %d\n", fd >= 0, fcntl(fd, F_GETFD),
	       fcntl(fd, F_GETFL) & O_NONBLOCK);
	show("old, change", syscall(SYS_signalfd, fd, &set, 8) == fd);
	show("old, size", syscall(SYS_signalfd, -1, &set, 4));
	show("old, bad", syscall(SYS_signalfd, -1, BAD, 8));
	show("new, size", syscall(SYS_signalfd4, -1, &set, 16, 0));
	return 0;
}
