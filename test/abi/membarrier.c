/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: commands that need registration say so; barriers return. Method:
 * each.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <linux/membarrier.h>

static void
cmd(const char *name, int c)
{
	show(name, syscall(SYS_membarrier, c, 0, 0));
}

int
main(void)
{
	long q = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	printf("has %d\n", (q & (MEMBARRIER_CMD_GLOBAL |
				 MEMBARRIER_CMD_PRIVATE_EXPEDITED)) ==
				   (MEMBARRIER_CMD_GLOBAL |
				    MEMBARRIER_CMD_PRIVATE_EXPEDITED));
	cmd("unregistered", MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	cmd("register", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	cmd("private", MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	cmd("core", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
	cmd("register", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
	cmd("core", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
	show("flags", syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 8, 0));
	cmd("unknown", 1 << 30);
	return 0;
}
