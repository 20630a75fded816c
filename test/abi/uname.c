/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the fields that programs look at. Method: those that are the same
 * everywhere.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/utsname.h>

int
main(void)
{
	struct utsname u;

	show("uname", uname(&u));
	printf("%s %s %d\n", u.sysname, u.machine, u.release[0] >= '3');
	show("bad", syscall(SYS_uname, BAD));
	return 0;
}
