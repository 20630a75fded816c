/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: threads by the raw call: numbers stored, cleared and woken at the
 * end, TLS, stack; bad flags. Method: libc's clone with a thread's flags.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <linux/futex.h>

static char stack[65536] __attribute__((aligned(64)));
static volatile pid_t parent_tid, child_tid = 1, seen;
static volatile int result;

static int
child(void *arg)
{
	seen = (pid_t)syscall(SYS_gettid);
	result = *(int *)arg + 1;
	return 0;
}

int
main(void)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			  CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
			  CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
	int arg = 41;
	pid_t tid, v;

	tid = clone(child, stack + sizeof(stack), flags, &arg,
		    (pid_t *)&parent_tid, NULL, (pid_t *)&child_tid);
	printf("positive %d, not ours %d\n", tid > 0, tid != gettid());
	while ((v = child_tid) != 0)
		syscall(SYS_futex, &child_tid, FUTEX_WAIT, v, NULL, NULL, 0);
	printf("result %d, parent's %d, its own %d\n", result,
	       parent_tid == tid, seen == tid);
	show("sighand alone", syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
	show("thread alone", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
	return 0;
}
