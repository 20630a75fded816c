/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restartable sequences (rseq(2)): after a switch, a migration or before a
 * signal frame, the program's area gets the CPU number, and a critical
 * section that was interrupted is sent to its abort handler.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/sched.h>
#include <abi/signal.h>
#include <arch/mmu.h>
#include <arch/trap.h>
#include <base/string.h>
#include <vm/uaccess.h>

/* The section that the program is in, if any: 0, -EFAULT, -EINVAL. */
static int
abort_section(struct thread *t, struct regs *r, uint64_t cs_addr)
{
	struct rseq_cs_abi cs;
	uint64_t zero = 0;
	uint32_t sig;

	if (copy_from_user(&cs, (void __user *)cs_addr, sizeof(cs)))
		return -EFAULT;
	if (cs.version || cs.abort_ip >= USER_END || cs.abort_ip < USER_MIN ||
	    cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	/* The signature keeps an attacker from any address as a target. */
	if (user_load32((void __user *)(cs.abort_ip - 4), &sig) ||
	    sig != t->rseq_sig)
		return -EINVAL;
	if (copy_to_user((void __user *)(t->rseq_addr +
					 offsetof(struct rseq_abi, rseq_cs)),
			 &zero, sizeof(zero)))
		return -EFAULT;
	if (regs_pc(r) - cs.start_ip < cs.post_commit_offset)
		regs_set_pc(r, cs.abort_ip);
	return 0;
}

void
rseq_update(struct thread *t, struct regs *r)
{
	const uint32_t __user *w = (void __user *)t->rseq_addr;
	struct rseq_abi a;
	struct siginfo info;
	uint32_t cpu, cs_low, cs_high;

	if (!t->rseq_addr)
		return;
	/* The common case: still here, and in no section. */
	if (!user_load32(&w[1], &cpu) && !user_load32(&w[2], &cs_low) &&
	    !user_load32(&w[3], &cs_high) && cpu == this_cpu()->id && !cs_low &&
	    !cs_high)
		return;
	if (copy_from_user(&a, (void __user *)t->rseq_addr, sizeof(a)))
		goto bad;
	if (a.rseq_cs && abort_section(t, r, a.rseq_cs))
		goto bad;
	/* Read last: this thread does not move before it is in user mode. */
	a.cpu_id = a.cpu_id_start = this_cpu()->id;
	if (copy_to_user((void __user *)t->rseq_addr, &a,
			 offsetof(struct rseq_abi, rseq_cs)))
		goto bad;
	return;
bad:
	memset(&info, 0, sizeof(info));
	info.si_code = SI_KERNEL;
	t->rseq_addr = 0;
	signal_force(t, SIGSEGV, &info);
}
