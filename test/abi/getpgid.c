/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: process groups and sessions of the only process: its errors, and
 * that the three ways to ask agree.
 * CALLS: getpgid getpgrp getsid setpgid setsid
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	pid_t me = getpid();

	show("getpgid 0 is getpgrp",
	     syscall(SYS_getpgid, 0) == syscall(SYS_getpgrp));
	show("getpgid of self",
	     syscall(SYS_getpgid, me) == syscall(SYS_getpgrp));
	show("getsid of self",
	     syscall(SYS_getsid, me) == syscall(SYS_getsid, 0));
	show("getpgid -1", syscall(SYS_getpgid, -1));
	show("getpgid none", syscall(SYS_getpgid, 0x3fffffff));
	show("getsid -1", syscall(SYS_getsid, -1));
	show("getsid none", syscall(SYS_getsid, 0x3fffffff));
	show("setpgid -1", syscall(SYS_setpgid, -1, 0));
	show("setpgid to -1", syscall(SYS_setpgid, 0, -1));
	show("setpgid none", syscall(SYS_setpgid, 0x3fffffff, 0));
	return 0;
}
