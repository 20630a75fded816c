/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: as clone, by a structure that may grow. Method: errors; the working
 * form is what pthread_create uses.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <linux/sched.h>

static void *
hello(void *arg)
{
	return arg;
}

int
main(void)
{
	struct clone_args a[2];
	pthread_t t;
	void *r;

	start_thread(&t, hello, &t);
	pthread_join(t, &r);
	printf("joined %d\n", r == &t);
	memset(a, 0, sizeof(a));
	show("small", syscall(SYS_clone3, a, 8));
	show("huge", syscall(SYS_clone3, a, 1 << 20));
	((char *)a)[sizeof(a[0])] = 1;
	show("unknown", syscall(SYS_clone3, a, sizeof(a[0]) + 8));
	a[0].flags = CLONE_THREAD;
	show("thread alone", syscall(SYS_clone3, a, sizeof(a[0])));
	a[0].flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
	a[0].stack = 4096;
	show("stack without size", syscall(SYS_clone3, a, sizeof(a[0])));
	a[0].stack = 0;
	a[0].exit_signal = SIGCHLD;
	show("thread's signal", syscall(SYS_clone3, a, sizeof(a[0])));
	show("bad", syscall(SYS_clone3, BAD, sizeof(a[0])));
	return 0;
}
