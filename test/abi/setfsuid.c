/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it tells the old value and changes nothing without right. Method: as
 * root.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/fsuid.h>

int
main(void)
{
	if (geteuid() != 0) {
		printf("needs root\n");
		return 0;
	}
	show("user", setfsuid(1000));
	show("ask", setfsuid(-1));
	show("back", setfsuid(0));
	show("group", setfsgid(1000));
	show("ask", setfsgid(-1));
	show("back", setfsgid(0));
	show("ask", setfsgid(-1));
	return 0;
}
