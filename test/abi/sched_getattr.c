/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: scheduling parameters of an ordinary thread, and what is refused.
 * CALLS: sched_setattr sched_getattr sched_setparam sched_rr_get_interval
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

int
main(void)
{
	struct attr a = { 0 };
	struct sched_param p = { 0 };
	struct timespec ts = { -1, -1 };
	char big[256] = { 0 };

	setpriority(PRIO_PROCESS, 0, 0);
	show("getattr 48", syscall(SYS_sched_getattr, 0, &a, 48, 0));
	printf("policy %u nice %d priority %u flags %lu\n", a.policy, a.nice,
	       a.priority, (long)a.flags);
	show("getattr 47", syscall(SYS_sched_getattr, 0, &a, 47, 0));
	show("getattr 5000", syscall(SYS_sched_getattr, 0, big, 5000, 0));
	show("getattr flags", syscall(SYS_sched_getattr, 0, &a, 48, 1));
	show("getattr bad", syscall(SYS_sched_getattr, 0, BAD, 48, 0));
	show("getattr null", syscall(SYS_sched_getattr, 0, NULL, 48, 0));
	show("getattr none", syscall(SYS_sched_getattr, 0x3fffffff, &a, 48, 0));
	show("getattr -1", syscall(SYS_sched_getattr, -1, &a, 48, 0));
	a.size = 48;
	a.nice = 5;
	show("setattr nice 5", syscall(SYS_sched_setattr, 0, &a, 0));
	show("getpriority", getpriority(PRIO_PROCESS, 0));
	a.policy = 99;
	show("setattr policy 99", syscall(SYS_sched_setattr, 0, &a, 0));
	a.policy = 0, a.priority = 5;
	show("setattr priority 5", syscall(SYS_sched_setattr, 0, &a, 0));
	a.priority = 0, a.size = 10;
	show("setattr size 10", syscall(SYS_sched_setattr, 0, &a, 0));
	a.size = 48;
	show("setattr flags", syscall(SYS_sched_setattr, 0, &a, 1));
	a.flags = 1ull << 40;
	show("setattr attr flags", syscall(SYS_sched_setattr, 0, &a, 0));
	a.flags = 0;
	show("setattr none", syscall(SYS_sched_setattr, 0x3fffffff, &a, 0));
	show("setattr -1", syscall(SYS_sched_setattr, -1, &a, 0));
	show("setattr bad", syscall(SYS_sched_setattr, 0, BAD, 0));
	show("setattr null", syscall(SYS_sched_setattr, 0, NULL, 0));
	memcpy(big, &a, 48);
	((struct attr *)big)->size = 200;
	show("setattr longer", syscall(SYS_sched_setattr, 0, big, 0));
	big[150] = 1;
	show("setattr too long", syscall(SYS_sched_setattr, 0, big, 0));
	printf("size %u\n", ((struct attr *)big)->size > 47);

	show("setparam", syscall(SYS_sched_setparam, 0, &p));
	p.sched_priority = 1;
	show("setparam 1", syscall(SYS_sched_setparam, 0, &p));
	show("setparam null", syscall(SYS_sched_setparam, 0, NULL));
	show("setparam bad", syscall(SYS_sched_setparam, 0, BAD));
	show("setparam -1", syscall(SYS_sched_setparam, -1, &p));
	show("setparam none", syscall(SYS_sched_setparam, 0x3fffffff, &p));
	show("rr", syscall(SYS_sched_rr_get_interval, 0, &ts));
	printf("rr sane %d\n", ts.tv_sec == 0 && ts.tv_nsec >= 0);
	show("rr bad", syscall(SYS_sched_rr_get_interval, 0, BAD));
	show("rr -1", syscall(SYS_sched_rr_get_interval, -1, &ts));
	show("rr none", syscall(SYS_sched_rr_get_interval, 0x3fffffff, &ts));
	return 0;
}
