/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: as setresuid, for groups. Method: as root, then without.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static void
who(void)
{
	gid_t r, e, s;

	getresgid(&r, &e, &s);
	printf("%u %u %u\n", r, e, s);
}

int
main(void)
{
	if (geteuid() != 0) {
		printf("needs root\n");
		return 0;
	}
	show("set", syscall(SYS_setresgid, 10, 20, 30));
	who();
	show("setregid", syscall(SYS_setregid, 20, 10));
	who();
	show("setgid", syscall(SYS_setgid, 40));
	who();
	syscall(SYS_setresuid, 1000, 1000, 1000);
	show("without", syscall(SYS_setresgid, 0, 0, 0));
	show("setgid", syscall(SYS_setgid, 0));
	show("own", syscall(SYS_setgid, 40));
	return 0;
}
