/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the list is kept, told, bounded. Method: as root, then without.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <grp.h>

int
main(void)
{
	gid_t g[3] = { 7, 5, 9 }, o[8];

	if (geteuid() != 0) {
		printf("needs root\n");
		return 0;
	}
	show("set", syscall(SYS_setgroups, 3, g));
	show("count", getgroups(0, NULL));
	show("small", getgroups(2, o));
	show("get", getgroups(8, o));
	show("too many", syscall(SYS_setgroups, 65537, g));
	show("bad", syscall(SYS_setgroups, 3, BAD));
	show("none", syscall(SYS_setgroups, 0, NULL));
	show("count", getgroups(0, NULL));
	syscall(SYS_setresuid, 1000, 1000, 1000);
	show("without", syscall(SYS_setgroups, 3, g));
	return 0;
}
