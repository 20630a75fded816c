/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: registered once, filled in, taken back. Method: a thread without
 * libc's own registration is not to be had, so the errors of a second one and
 * libc's area.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/rseq.h>

int
main(void)
{
	struct rseq *r = (struct rseq *)((char *)__builtin_thread_pointer() +
					 __rseq_offset);
	static char area[32] __attribute__((aligned(32)));
	cpu_set_t one;
	unsigned cpu;

	/* On one CPU: no number changes between two looks. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	printf("registered %d\n", __rseq_size > 0);
	syscall(SYS_getcpu, &cpu, NULL, NULL);
	printf("cpu %d, start %d\n", cpu == r->cpu_id,
	       r->cpu_id_start == r->cpu_id);
	show("another", syscall(SYS_rseq, area, 32, 0, 1));
	show("flags", syscall(SYS_rseq, r, 32, 8, RSEQ_SIG));
	show("again", syscall(SYS_rseq, r, 32, 0, RSEQ_SIG));
	show("signature", syscall(SYS_rseq, r, 32, 0, 1));
	show("off", syscall(SYS_rseq, r, 32, 1, RSEQ_SIG));
	show("odd", syscall(SYS_rseq, area + 1, 32, 0, 1));
	show("size", syscall(SYS_rseq, area, 8, 0, 1));
	show("on", syscall(SYS_rseq, area, 32, 0, RSEQ_SIG));
	printf("filled in %d\n", ((struct rseq *)area)->cpu_id < 1024);
	return 0;
}
