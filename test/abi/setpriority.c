/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: errors. Method: the working form is in getpriority.c.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

int
main(void)
{
	show("which", setpriority(7, 0, 1));
	show("nobody", setpriority(PRIO_PROCESS, 0x3fffff, 1));
	show("group", setpriority(PRIO_PGRP, 0, 3));
	show("get", syscall(SYS_getpriority, PRIO_PROCESS, 0));
	return 0;
}
