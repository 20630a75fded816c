/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of processes, threads, signals and time: results by name, so
 * that the output is the same wherever numbers differ.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* One line: what was asked, and the answer or the error's name. */
static inline void
show(const char *what, long result)
{
	if (result == -1)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, result);
}

static inline uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* An address that no program has. */
#define BAD ((void *)8)

static volatile sig_atomic_t got_signal, got_code;

static inline void
note_signal(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	got_signal = sig;
	got_code = info->si_code;
}

static inline void
handle(int sig, int flags)
{
	struct sigaction a;

	memset(&a, 0, sizeof(a));
	a.sa_sigaction = note_signal;
	a.sa_flags = SA_SIGINFO | flags;
	sigaction(sig, &a, NULL);
}

static inline void
start_thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
	if (pthread_create(t, NULL, fn, arg)) {
		printf("no thread\n");
		exit(1);
	}
}
