/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: capabilities can be given up and do not come back. Method: all down,
 * one up.
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

	memset(d, 0, sizeof(d));
	show("none", syscall(SYS_capset, &h, d));
	syscall(SYS_capget, &h, d);
	printf("%x %x\n", d[0].e, d[0].p);
	d[0].e = d[0].p = 1;
	show("back", syscall(SYS_capset, &h, d));
	d[0].e = 1;
	d[0].p = 0;
	show("effective alone", syscall(SYS_capset, &h, d));
	h.pid = 0x3fffff;
	show("other", syscall(SYS_capset, &h, d));
	return 0;
}
