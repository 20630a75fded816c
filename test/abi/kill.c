/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: signals to oneself arrive with SI_USER, bad numbers are refused.
 * Method: a handler, and kill with 0.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	handle(SIGUSR1, 0);
	show("kill", kill(getpid(), SIGUSR1));
	printf("got %d code %d\n", got_signal == SIGUSR1, got_code);
	show("zero", kill(getpid(), 0));
	show("65", kill(getpid(), 65));
	show("negative", kill(getpid(), -1));
	show("nobody", kill(0x3fffff, 0));
	got_signal = 0;
	signal(SIGUSR2, SIG_IGN);
	show("ignored", kill(getpid(), SIGUSR2));
	signal(SIGCHLD, SIG_DFL);
	show("default ignore", kill(getpid(), SIGCHLD));
	return 0;
}
