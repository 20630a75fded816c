/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it tells what was set. Method: set, get; no such thread.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	char head[24];
	void *h = NULL;
	size_t len = 0;

	memset(head, 0, sizeof(head));
	*(void **)head = head;
	show("set", syscall(SYS_set_robust_list, head, sizeof(head)));
	show("get", syscall(SYS_get_robust_list, 0, &h, &len));
	printf("same %d len %zu\n", h == head, len);
	show("nobody", syscall(SYS_get_robust_list, 0x3fffff, &h, &len));
	return 0;
}
