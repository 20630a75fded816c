/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls on signals: decode, check in Linux's order, call proc.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <arch/context.h>
#include <arch/sigframe.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/usertime.h>
#include <proc/process.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define SIGSET_SIZE sizeof(uint64_t)

static bool
valid(int sig)
{
	return sig >= 1 && sig <= NSIG;
}

long
sys_rt_sigaction(struct thread *t, int sig, const void __user *act,
		 void __user *oldact, size_t size)
{
	struct ksigaction a, old;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (act && copy_from_user(&a, act, sizeof(a)))
		return -EFAULT;
	if (!valid(sig) || (act && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	/* Programs probe for flags: an unknown bit does not come back. */
	if (act)
		a.flags &= ~SA_UNSUPPORTED;
	signal_set_action(t->proc, sig, act ? &a : NULL, &old);
	if (oldact && copy_to_user(oldact, &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

long
sys_rt_sigprocmask(struct thread *t, int how, const void __user *set,
		   void __user *oldset, size_t size)
{
	uint64_t s, old = t->sig->mask;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		if (copy_from_user(&s, set, sizeof(s)))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			s |= old;
			break;
		case SIG_UNBLOCK:
			s = old & ~s;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		if (s != old)
			signal_set_mask(t, s);
	}
	if (oldset && copy_to_user(oldset, &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

long
sys_rt_sigpending(struct thread *t, void __user *set, size_t size)
{
	uint64_t s;

	if (size > SIGSET_SIZE)
		return -EINVAL;
	s = signal_pending_set(t) & t->sig->mask;
	return copy_to_user(set, &s, size);
}

long
sys_rt_sigsuspend(struct thread *t, const void __user *set, size_t size)
{
	uint64_t s;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&s, set, sizeof(s)))
		return -EFAULT;
	signal_set_temp_mask(t, s);
	do
		thread_prepare_sleep(true);
	while (thread_sleep(TIME_NEVER) != -EINTR);
	return -ERESTARTNOHAND;
}

long
sys_pause(struct thread *t)
{
	(void)t;
	do
		thread_prepare_sleep(true);
	while (thread_sleep(TIME_NEVER) != -EINTR);
	return -ERESTARTNOHAND;
}

long
sys_rt_sigtimedwait(struct thread *t, const void __user *set, void __user *info,
		    const void __user *timeout, size_t size)
{
	uint64_t s, deadline;
	struct siginfo si;
	int sig, err;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&s, set, sizeof(s)))
		return -EFAULT;
	err = get_user_timeout(timeout, &deadline);
	if (err)
		return err;
	sig = signal_wait(t, s, &si, deadline);
	if (sig > 0 && info && copy_to_user(info, &si, sizeof(si)))
		return -EFAULT;
	return sig;
}

/* ---- sending ---- */

static void
user_info(struct thread *t, struct siginfo *info, int code)
{
	memset(info, 0, sizeof(*info));
	info->si_code = code;
	info->u.rt.pid = t->proc->pid;
	info->u.rt.uid = t->cred->uid;
}

long
sys_kill(struct thread *t, int pid, int sig)
{
	struct process *p = t->proc;
	struct siginfo info;

	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	/* -1: all but the caller, and there is nobody else. */
	if (pid != p->pid && pid != 0 && pid != -p->pgid)
		return -ESRCH;
	if (!sig)
		return 0;
	user_info(t, &info, SI_USER);
	return signal_send_process(p, sig, &info);
}

static long
send_thread(struct thread *t, int tgid, int tid, int sig,
	    const struct siginfo *info)
{
	struct thread *o;
	long err = 0;

	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	if (tid == t->tid) {
		o = t;
		thread_get(o);
	} else {
		o = thread_find(tid);
	}
	if (!o)
		return -ESRCH;
	if (o->proc != t->proc || (tgid > 0 && tgid != t->proc->pid) ||
	    atomic_load_relaxed(&o->state) == THREAD_DEAD)
		err = -ESRCH;
	else if (sig)
		err = signal_send_thread(o, sig, info);
	thread_put(o);
	return err;
}

long
sys_tgkill(struct thread *t, int tgid, int tid, int sig)
{
	struct siginfo info;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	user_info(t, &info, SI_TKILL);
	return send_thread(t, tgid, tid, sig, &info);
}

long
sys_tkill(struct thread *t, int tid, int sig)
{
	struct siginfo info;

	if (tid <= 0)
		return -EINVAL;
	user_info(t, &info, SI_TKILL);
	return send_thread(t, 0, tid, sig, &info);
}

/* To oneself any code is allowed; there is nobody else. */
static int
get_info(const void __user *uinfo, int sig, struct siginfo *info)
{
	if (copy_from_user(info, uinfo, sizeof(*info)))
		return -EFAULT;
	info->si_signo = sig;
	return 0;
}

long
sys_rt_sigqueueinfo(struct thread *t, int pid, int sig,
		    const void __user *uinfo)
{
	struct siginfo info;
	int err = get_info(uinfo, sig, &info);

	if (err)
		return err;
	if (pid != t->proc->pid)
		return -ESRCH;
	if (!sig)
		return 0;
	return signal_send_process(t->proc, sig, &info);
}

long
sys_rt_tgsigqueueinfo(struct thread *t, int tgid, int tid, int sig,
		      const void __user *uinfo)
{
	struct siginfo info;
	int err;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	err = get_info(uinfo, sig, &info);
	if (err)
		return err;
	return send_thread(t, tgid, tid, sig, &info);
}

/* ---- alternate stacks, return from handlers ---- */

static bool
on_altstack(const struct thread *t)
{
	const struct sigaltstack *a = &t->sig->alt;
	vaddr_t sp = regs_sp(arch_user_regs(&t->arch));

	if (a->flags & (int32_t)(SS_AUTODISARM | SS_DISABLE))
		return false;
	return sp > a->sp && sp - a->sp <= a->size;
}

/* From the program, by the call or in a frame: the same checks. */
static int
set_altstack(struct thread *t, struct sigaltstack n)
{
	uint32_t mode = (uint32_t)n.flags & ~SS_AUTODISARM;

	if (on_altstack(t))
		return -EPERM;
	if (mode && mode != SS_DISABLE && mode != SS_ONSTACK)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		n.sp = n.size = 0;
	} else {
		if (n.size < MINSIGSTKSZ)
			return -ENOMEM;
		n.flags &= (int32_t)SS_AUTODISARM;
	}
	n.pad = 0;
	t->sig->alt = n;
	return 0;
}

long
sys_sigaltstack(struct thread *t, const void __user *ss, void __user *old)
{
	struct sigaltstack n, o = t->sig->alt;
	int err = 0;

	if (ss && copy_from_user(&n, ss, sizeof(n)))
		return -EFAULT;
	if (on_altstack(t))
		o.flags |= SS_ONSTACK;
	if (ss)
		err = set_altstack(t, n);
	if (!err && old && copy_to_user(old, &o, sizeof(o)))
		err = -EFAULT;
	return err;
}

long
sys_rt_sigreturn(struct thread *t)
{
	struct regs *r = arch_user_regs(&t->arch);
	struct sigaltstack alt = t->sig->alt;
	struct siginfo info;
	uint64_t mask = t->sig->mask;
	int err = arch_sigframe_pop(&t->arch, r, &mask, &alt);

	mask &= ~SIG_UNBLOCKABLE;
	if (mask != t->sig->mask)
		signal_set_mask(t, mask);
	if (err) {
		memset(&info, 0, sizeof(info));
		info.si_code = SI_KERNEL;
		signal_force(t, SIGSEGV, &info);
		return 0;
	}
	/* A frame that the program has spoilt keeps the stack it had, as does
	 * one of a handler that has left its stack within another. */
	ignore(set_altstack(t, alt));
	/* The restored value is no result of this call: no restart. */
	regs_leave_syscall(r);
	return regs_ret(r);
}

long
sys_restart_syscall(struct thread *t)
{
	if (!t->sig->restart)
		return -EINTR;
	return t->sig->restart(t, t->sig->restart_args);
}

/* ---- signalfd ---- */

static long
do_signalfd(struct thread *t, int fd, const void __user *mask, size_t size,
	    int flags)
{
	struct file *f;
	uint64_t set;
	int err;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, mask, sizeof(set)))
		return -EFAULT;
	if (flags & ~(SFD_NONBLOCK | SFD_CLOEXEC))
		return -EINVAL;
	if (fd != -1) {
		err = fd_get(t->fds, fd, &f);
		if (err)
			return err;
		err = signalfd_set(f, set);
		file_put(f);
		return err ? err : fd;
	}
	err = signalfd_create(set, (unsigned)flags & SFD_NONBLOCK, &f);
	if (err)
		return err;
	fd = fd_add(t->fds, f, flags & SFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long
sys_signalfd4(struct thread *t, int fd, const void __user *mask, size_t size,
	      int flags)
{
	return do_signalfd(t, fd, mask, size, flags);
}

long
sys_signalfd(struct thread *t, int fd, const void __user *mask, size_t size)
{
	return do_signalfd(t, fd, mask, size, 0);
}
