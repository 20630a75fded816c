/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what root gives up is gone, what is saved comes back. Method: as
 * root: to another user and back by the saved one, then for good.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static void
who(void)
{
	uid_t r, e, s;

	getresuid(&r, &e, &s);
	printf("%u %u %u\n", r, e, s);
}

int
main(void)
{
	if (geteuid() != 0) {
		printf("needs root\n");
		return 0;
	}
	show("down", syscall(SYS_setresuid, -1, 1000, -1));
	who();
	show("to 5", syscall(SYS_setresuid, -1, 5, -1));
	show("up", syscall(SYS_setresuid, -1, 0, -1));
	who();
	show("for good", syscall(SYS_setresuid, 1000, 1000, 1000));
	who();
	show("up", syscall(SYS_setresuid, 0, 0, 0));
	show("setuid", syscall(SYS_setuid, 0));
	show("same", syscall(SYS_setuid, 1000));
	show("setreuid", syscall(SYS_setreuid, 0, -1));
	return 0;
}
