/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: segment bases are set and told. Method: GS, as FS is libc's.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <asm/prctl.h>

int
main(void)
{
	static unsigned long area[4] = { 11, 22, 33, 44 };
	unsigned long v = 0, fs = 0;

	show("set", syscall(SYS_arch_prctl, ARCH_SET_GS, area));
	__asm__ volatile("movq %%gs:8, %0" : "=r"(v));
	printf("%lu\n", v);
	sched_yield();
	usleep(1000);
	__asm__ volatile("movq %%gs:16, %0" : "=r"(v));
	printf("%lu\n", v);
	show("get", syscall(SYS_arch_prctl, ARCH_GET_GS, &v));
	printf("same %d\n", v == (unsigned long)area);
	show("fs", syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	printf("same %d\n", fs == (unsigned long)pthread_self());
	show("kernel", syscall(SYS_arch_prctl, ARCH_SET_GS, 1ul << 63));
	show("op", syscall(SYS_arch_prctl, 0x7777, 0));
	return 0;
}
