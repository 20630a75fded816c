/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: without children it answers ECHILD; bad options EINVAL. Method: the
 * raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/wait.h>

int
main(void)
{
	int st;

	show("any", waitpid(-1, &st, 0));
	show("nohang", waitpid(-1, &st, WNOHANG));
	show("one", waitpid(0x3fffff, &st, 0));
	show("options", waitpid(-1, &st, 0x4000));
	return 0;
}
