/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a wake is not spent on who does not wait.  Method: an exclusive
 * epoll item of an instance that nobody waits at comes first; two threads
 * wait for the same two signals; select() with descriptors beyond FD_SETSIZE.
 * CALLS: epoll_wait select rt_sigtimedwait
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>

static int ep[2];
static volatile int taken;

static void *
wait_epoll(void *arg)
{
	struct epoll_event ev;

	*(int *)arg = epoll_wait(ep[1], &ev, 1, 200000);
	return NULL;
}

static void
exclusive(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;
	int woken;
	pthread_t t;

	for (int i = 0; i < 2; i++) {
		ep[i] = epoll_create1(0);
		epoll_ctl(ep[i], EPOLL_CTL_ADD, fd, &ev);
	}
	start_thread(&t, wait_epoll, &woken);
	until_others_asleep(1);
	show("write", write(fd, &one, sizeof(one)));
	pthread_join(t, NULL);
	printf("woken: %d\n", woken);
	show("the other", epoll_wait(ep[0], &ev, 1, 0));
}

/* Takes one signal, and does not end before the other was taken, too. */
static void *
take_one(void *arg)
{
	sigset_t *s = arg;
	int sig;

	sigwait(s, &sig);
	__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
	UNTIL(taken == 2);
	return NULL;
}

static void
two_signals(void)
{
	pthread_t t[2];
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	for (int i = 0; i < 2; i++)
		start_thread(&t[i], take_one, &s);
	until_others_asleep(2);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	UNTIL(taken == 2);
	printf("taken %d\n", taken);
}

static void
many_descriptors(void)
{
	static unsigned long set[4096 / 64];
	struct rlimit rl = { 4096, 4096 };
	struct timeval tv = { 0, 1000 };
	int p[2], fd;

	setrlimit(RLIMIT_NOFILE, &rl);
	show("pipe", pipe(p));
	fd = fcntl(p[0], F_DUPFD, 2000);
	set[fd / 64] = 1ul << fd % 64;
	show("nothing", syscall(SYS_select, fd + 1, set, NULL, NULL, &tv));
	set[fd / 64] = 1ul << fd % 64;
	show("write", write(p[1], "x", 1));
	show("ready", syscall(SYS_select, fd + 1, set, NULL, NULL, NULL));
	printf("bit %lu\n", set[fd / 64] >> fd % 64 & 1);
	set[1500 / 64] |= 1ul << 1500 % 64;
	show("not open", syscall(SYS_select, fd + 1, set, NULL, NULL, NULL));
	memset(set, 0, sizeof(set));
	tv.tv_usec = 1000;
	show("far", syscall(SYS_select, 1 << 30, set, NULL, NULL, &tv));
}

int
main(void)
{
	exclusive();
	two_signals();
	many_descriptors();
	return 0;
}
