/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: as wait4. Method: the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/wait.h>

int
main(void)
{
	siginfo_t i;

	show("any", waitid(P_ALL, 0, &i, WEXITED));
	show("one", waitid(P_PID, 0x3fffff, &i, WEXITED | WNOHANG));
	show("no options", waitid(P_ALL, 0, &i, 0));
	show("options", waitid(P_ALL, 0, &i, WEXITED | 0x40));
	show("which", waitid(9, 0, &i, WEXITED));
	show("zero", waitid(P_PID, 0, &i, WEXITED));
	return 0;
}
