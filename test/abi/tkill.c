/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: as tgkill, without the process's number. Method: the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	handle(SIGUSR1, 0);
	show("self", syscall(SYS_tkill, gettid(), SIGUSR1));
	printf("got %d code %d\n", got_signal == SIGUSR1, got_code == SI_TKILL);
	show("nobody", syscall(SYS_tkill, 0x3fffff, 0));
	show("zero", syscall(SYS_tkill, 0, SIGUSR1));
	return 0;
}
