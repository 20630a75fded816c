/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: threads that come and go are whole or not there for those that look
 * at them meanwhile from another CPU.  Method: while threads are made and
 * end, others send signals to the numbers that come next, read their status,
 * compare their files, delete timers whose signals they have pending.  Nothing
 * depends on who comes first.
 * CALLS: clone tgkill timer_delete kcmp
 */
#define _GNU_SOURCE
#include "proc_common.h"

#include <fcntl.h>
#include <semaphore.h>

#define ROUNDS 150

static volatile int over;
static volatile pid_t latest;

static void *
note_and_end(void *arg)
{
	latest = gettid();
	return arg;
}

/* Numbers that are about to be a thread's; what they answer is chance. */
static void *
look_ahead(void *arg)
{
	char path[64], buf[4096];
	ssize_t bad = 0;

	while (!over) {
		for (pid_t tid = latest + 1; tid < latest + 4; tid++) {
			syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
			syscall(SYS_kcmp, tid, getpid(), 0, 0L, 0L);
			snprintf(path, sizeof(path),
				 "/proc/self/task/%d/status", tid);
			int fd = open(path, O_RDONLY);
			if (fd < 0)
				continue;
			bad += read(fd, buf, sizeof(buf)) == 0;
			close(fd);
		}
	}
	*(ssize_t *)arg = bad;
	return NULL;
}

static void
nothing(int sig)
{
	(void)sig;
}

static void
come_and_go(void)
{
	ssize_t bad = 0;
	pthread_t look, p;
	int failed = 0;

	signal(SIGUSR1, nothing);
	latest = gettid();
	over = 0;
	start_thread(&look, look_ahead, &bad);
	for (int i = 0; i < ROUNDS; i++) {
		failed += pthread_create(&p, NULL, note_and_end, NULL) != 0;
		failed += pthread_join(p, NULL) != 0;
	}
	over = 1;
	pthread_join(look, NULL);
	show("threads that came and went", failed);
	show("empty statuses", bad);
}

static sem_t ready, made;
static volatile pid_t target;

/* Blocks the timer's signal, which stays pending until its end. */
static void *
with_pending(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	target = gettid();
	sem_post(&ready);
	sem_wait(&made);
	while (sigpending(&set) || !sigismember(&set, SIGUSR2))
		sched_yield();
	sem_post(&ready);
	return arg;
}

static void
pending_timers(void)
{
	struct itimerspec it = { .it_value.tv_nsec = 1,
				 .it_interval.tv_nsec = 1000 };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = SIGUSR2 };
	int failed = 0;
	pthread_t p;
	timer_t t;

	sem_init(&ready, 0, 0);
	sem_init(&made, 0, 0);
	for (int i = 0; i < ROUNDS; i++) {
		start_thread(&p, with_pending, NULL);
		sem_wait(&ready);
		ev._sigev_un._tid = target;
		failed += timer_create(CLOCK_MONOTONIC, &ev, &t) != 0;
		failed += timer_settime(t, 0, &it, NULL) != 0;
		sem_post(&made);
		sem_wait(&ready);
		/* It is at its end now. */
		failed += timer_delete(t) != 0;
		pthread_join(p, NULL);
	}
	show("timers", failed);
}

/* The number goes nowhere, and the thread runs all the same. */
static int
sets(void *arg)
{
	*(volatile int *)arg = 1;
	syscall(SYS_exit, 0);
	return 0;
}

static void
bad_parent_tid(void)
{
	static volatile int ran;
	static char stack[65536];
	int r = clone(sets, stack + sizeof(stack),
		      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			      CLONE_THREAD | CLONE_SYSVSEM |
			      CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
		      (void *)&ran, (pid_t *)8, NULL, (pid_t *)16);

	show("a parent's number at a bad address", r > 0 ? 0 : r);
	if (r > 0)
		while (!ran)
			sched_yield();
}

int
main(void)
{
	come_and_go();
	pending_timers();
	bad_parent_tid();
	return 0;
}
