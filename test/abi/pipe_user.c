/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a user without rights may have of pipes: their size, and small
 * ones when there are many.
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <sys/resource.h>

int
main(void)
{
	struct rlimit lim;
	int p[2], first = -1;

	fs_setup();
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	fs_clean();
	setresgid(54321, 54321, 54321);
	setresuid(54321, 54321, 54321);
	for (int i = 0; i < 1030 && first < 0; i++) {
		if (pipe(p))
			printf("%d: %s\n", i, strerrorname_np(errno));
		close(p[0]);
		if (fcntl(p[1], F_GETPIPE_SZ) != 65536)
			first = i;
	}
	printf("the first small one: %d\n", first);
	SHOW(fcntl(p[1], F_GETPIPE_SZ));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 65536));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 4096));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 8192));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 2097152));
	SHOW(access("/proc/sys/fs/pipe-max-size", R_OK));
	SHOW(access("/proc/sys/fs/pipe-user-pages-soft", R_OK));
	SHOW(access("/proc/sys/fs/pipe-user-pages-hard", R_OK));
	return 0;
}
