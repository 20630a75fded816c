/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: nice values of a thread. Method: up only, so that it needs no rights,
 * and from where the tests run at, which may be nice.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

int
main(void)
{
	long was = syscall(SYS_getpriority, PRIO_PROCESS, 0);

	show("a value", was >= 1 && was <= 40);
	/* The call answers 20 less the nice value. */
	show("set", setpriority(PRIO_PROCESS, 0, 20 - (int)was + 2));
	show("less", was - syscall(SYS_getpriority, PRIO_PROCESS, 0));
	show("clamp", setpriority(PRIO_PROCESS, 0, 100));
	show("get", syscall(SYS_getpriority, PRIO_PROCESS, gettid()));
	show("which", syscall(SYS_getpriority, 7, 0));
	show("nobody", syscall(SYS_getpriority, PRIO_PROCESS, 0x3fffff));
	return 0;
}
