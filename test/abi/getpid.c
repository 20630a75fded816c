/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the numbers of a process agree with each other. Method: relations
 * only, the numbers differ.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	pid_t pid = getpid();

	printf("positive %d, thread %d\n", pid > 0, syscall(SYS_gettid) == pid);
	printf("stable %d\n", getpid() == pid);
	return 0;
}
