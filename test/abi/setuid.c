/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the rules of the user and group ids: who may become whom, and what
 * becomes of the saved and file system ids.
 * CALLS: setuid setgid setreuid setregid setfsgid getgroups geteuid getgid
 * CALLS: getegid getresuid getresgid
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

/* The bare calls: libc's are of the whole process, and set all threads'. */
#define U(x) ((unsigned)(x))

static void
ids(void)
{
	unsigned r, e, s, gr, ge, gs;
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	syscall(SYS_getresuid, &r, &e, &s);
	syscall(SYS_getresgid, &gr, &ge, &gs);
	syscall(SYS_capget, &h, d);
	printf("  uid %d %d %d fs %d  gid %d %d %d fs %d  caps %s %s\n", r, e,
	       s, (int)syscall(SYS_setfsuid, -1), gr, ge, gs,
	       (int)syscall(SYS_setfsgid, -1),
	       d[0].effective ? "effective" : "-",
	       d[0].permitted ? "permitted" : "-");
	if (syscall(SYS_getuid) != r || syscall(SYS_geteuid) != e ||
	    syscall(SYS_getgid) != gr || syscall(SYS_getegid) != ge)
		printf("  the calls do not agree\n");
}

#define DO(call)                     \
	do {                         \
		errno = 0;           \
		show(#call, (call)); \
		ids();               \
	} while (0)

int
main(void)
{
	gid_t three[3] = { 7, 5, 6 }, got[8] = { 0 };

	show("setgroups", syscall(SYS_setgroups, 3, three));
	show("getgroups", syscall(SYS_getgroups, 8, got));
	/* Sorted, or as given: Linux sorts. */
	printf("%d %d %d\n", got[0], got[1], got[2]);
	show("getgroups 0", syscall(SYS_getgroups, 0, NULL));
	show("getgroups 2", syscall(SYS_getgroups, 2, got));
	show("getgroups -1", syscall(SYS_getgroups, -1, got));
	show("getgroups bad", syscall(SYS_getgroups, 8, BAD));
	show("setgroups bad", syscall(SYS_setgroups, 3, BAD));
	show("setgroups 65537", syscall(SYS_setgroups, 65537, got));
	show("getresuid bad", syscall(SYS_getresuid, BAD, BAD, BAD));
	show("getresgid bad", syscall(SYS_getresgid, got, BAD, got));
	ids();
	DO(syscall(SYS_setregid, -1, -1));
	DO(syscall(SYS_setregid, 10, 20));
	DO(syscall(SYS_setregid, -1, 10));
	DO(syscall(SYS_setfsgid, 30));
	DO(syscall(SYS_setresgid, -1, 11, -1));
	DO(syscall(SYS_setgid, 40));
	DO(syscall(SYS_setgid, -1));
	DO(syscall(SYS_setuid, -1));
	DO(syscall(SYS_setreuid, -1, -1));
	DO(syscall(SYS_setreuid, -1, 1000));
	/* Without the capabilities, with root still saved. */
	DO(syscall(SYS_setgid, 50));
	DO(syscall(SYS_setregid, 50, -1));
	DO(syscall(SYS_setresgid, 40, 40, 40));
	DO(syscall(SYS_setfsgid, 60));
	DO(syscall(SYS_setfsuid, 0));
	DO(syscall(SYS_setfsuid, 2000));
	DO(syscall(SYS_setgroups, 0, NULL));
	DO(syscall(SYS_setuid, 2000));
	DO(syscall(SYS_setreuid, 1000, 2000));
	DO(syscall(SYS_setuid, 0));
	DO(syscall(SYS_setreuid, 1000, -1));
	DO(syscall(SYS_setreuid, 0, 1000));
	DO(syscall(SYS_setreuid, -1, 0));
	DO(syscall(SYS_setresuid, 1, 2, 3));
	DO(syscall(SYS_setresuid, 3, 3, 3));
	DO(syscall(SYS_setuid, 1));
	DO(syscall(SYS_setreuid, 3, 2));
	return 0;
}
