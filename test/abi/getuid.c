/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the four numbers of users and groups agree with getresuid and
 * getresgid. Method: comparison.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	uid_t r, e, s;
	gid_t g, eg, sg;

	show("getresuid", getresuid(&r, &e, &s));
	show("getresgid", getresgid(&g, &eg, &sg));
	printf("%d %d %d %d\n", getuid() == r, geteuid() == e, getgid() == g,
	       getegid() == eg);
	return 0;
}
