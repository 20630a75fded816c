/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state is waited for, never assumed after a while: what a thread does "by
 * now" is chance on a busy machine.  Each wait has an end, minutes away, so
 * that a wrong kernel gives a wrong line and not a test that hangs.  Include
 * it with _GNU_SOURCE.
 */
#pragma once

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 240000

/* Until it is true. */
#define UNTIL(condition)                                             \
	do {                                                         \
		for (int u_ = 0; u_ < WAIT_MS && !(condition); u_++) \
			wait_ms();                                   \
	} while (0)

static inline void
wait_ms(void)
{
	nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

/* Whether a thread sleeps in a call that a signal ends: state S. */
static inline int
is_asleep(pid_t tid)
{
	char path[64], line[256] = "";
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	p = strrchr(line, ')');
	return p && p[2] == 'S';
}

/* The thread must not sleep before, nor wait for a lock of the library. */
static inline void
until_asleep(pid_t tid)
{
	UNTIL(is_asleep(tid));
}

static inline int
others_asleep(int n)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int asleep = 0;

	while (d && (e = readdir(d))) {
		pid_t tid = (pid_t)atoi(e->d_name);

		asleep += tid > 0 && tid != gettid() && is_asleep(tid);
	}
	if (d)
		closedir(d);
	return asleep >= n;
}

/* Until so many threads beside the caller sleep. */
static inline void
until_others_asleep(int n)
{
	UNTIL(others_asleep(n));
}

/* Until a thread that was joined is no more: the kernel may still end it. */
static inline void
until_gone(pid_t tid)
{
	UNTIL(tgkill(getpid(), tid, 0));
}
