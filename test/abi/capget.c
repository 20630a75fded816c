/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: versions and sizes; what one has agrees with itself. Method: the raw
 * call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct {
		uint32_t version;
		int pid;
	} h = { 0x20080522, 0 };
	struct {
		uint32_t e, p, i;
	} d[2];

	show("get", syscall(SYS_capget, &h, d));
	printf("effective in permitted %d\n",
	       !(d[0].e & ~d[0].p) && !(d[1].e & ~d[1].p));
	h.version = 0;
	show("probe", syscall(SYS_capget, &h, NULL));
	printf("version %x\n", h.version);
	h.version = 1;
	show("version", syscall(SYS_capget, &h, d));
	h.version = 0x20080522;
	h.pid = 0x3fffff;
	show("nobody", syscall(SYS_capget, &h, d));
	show("bad", syscall(SYS_capget, BAD, d));
	return 0;
}
