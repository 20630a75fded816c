/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it answers the caller's number. Method: the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	int word = 7;

	printf("tid %d\n", syscall(SYS_set_tid_address, &word) == gettid());
	printf("word %d\n", word);
	return 0;
}
