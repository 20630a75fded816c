/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it answers a number that is not the caller's. Method: relation only.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	printf("other %d\n", getppid() != getpid());
	return 0;
}
