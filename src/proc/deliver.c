/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery: on the way to user mode, each pending signal that is not blocked
 * gets its handler's frame or its default action; then an interrupted call
 * is restarted or answers EINTR (signal(7), "Interruption of system calls").
 *
 * Job control: the program has no shell above it, its process group is
 * orphaned.  So SIGTSTP, SIGTTIN and SIGTTOU do nothing by default, as POSIX
 * has it; SIGSTOP stops, until the host sends SIGCONT.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/pith.h>
#include <arch/sigframe.h>
#include <arch/upcall.h>
#include <arch/vdso.h>
#include <base/string.h>
#include <vm/space.h>

enum sig_default { ACT_TERM, ACT_CORE, ACT_IGNORE, ACT_STOP };

#define NR_RESTART_SYSCALL 219 /* x86-64 */

static enum sig_default
default_action(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
	case SIGTSTP: /* orphaned process group */
	case SIGTTIN:
	case SIGTTOU:
		return ACT_IGNORE;
	case SIGSTOP:
		return ACT_STOP;
	case SIGQUIT:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGSEGV:
	case SIGXCPU:
	case SIGXFSZ:
	case SIGSYS:
		return ACT_CORE;
	default:
		return ACT_TERM;
	}
}

static void
stop_process(struct process *p)
{
	struct thread *t;
	irqflags_t f = spin_lock_irq(&p->sig.lock);

	/* A SIGCONT or SIGKILL that came meanwhile has the last word. */
	if (!(p->sig.pending.set & (SIG_BIT(SIGKILL) | SIG_BIT(SIGCONT)))) {
		atomic_store_release(&p->stopped, true);
		list_for_each_entry(t, &p->threads, proc_link)
			thread_interrupt(t, PENDING_STOP);
	}
	spin_unlock_irq(&p->sig.lock, f);
}

void (*signal_trace)(struct thread *t, int sig, const struct siginfo *info,
		     bool fatal); /* [I] after boot */

/* May not return. */
static void
do_default(struct thread *t, struct regs *r, int sig,
	   const struct siginfo *info)
{
	const int action = default_action(sig);

	if (signal_trace && (action == ACT_CORE || action == ACT_TERM))
		signal_trace(t, sig, info, true);
	switch (action) {
	case ACT_IGNORE:
		return;
	case ACT_STOP:
		stop_process(t->proc);
		return;
	case ACT_CORE:
		crash_report(t, r, sig, info);
		break;
	case ACT_TERM:
		break;
	}
	process_exit(PITH_EXIT_SIGNAL, (uint32_t)sig);
}

static bool
on_altstack(const struct sigaltstack *alt, vaddr_t sp)
{
	if (alt->flags & (int32_t)SS_AUTODISARM)
		return false;
	return sp > alt->sp && sp - alt->sp <= alt->size;
}

/* The answer of an interrupted call when a handler runs. */
static void
call_with_handler(struct regs *r, uint64_t flags)
{
	if (!regs_in_syscall(r))
		return;
	switch (-regs_ret(r)) {
	case ERESTARTSYS:
		if (!(flags & SA_RESTART))
			break;
		FALLTHROUGH;
	case ERESTARTNOINTR:
		regs_restart_syscall(r, regs_syscall_nr(r));
		return;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		break;
	default:
		regs_leave_syscall(r);
		return;
	}
	regs_set_ret(r, -EINTR);
	regs_leave_syscall(r);
}

/* The same when none runs. */
static void
call_without_handler(struct regs *r)
{
	if (!regs_in_syscall(r))
		return;
	switch (-regs_ret(r)) {
	case ERESTARTSYS:
	case ERESTARTNOHAND:
	case ERESTARTNOINTR:
		regs_restart_syscall(r, regs_syscall_nr(r));
		break;
	case ERESTART_RESTARTBLOCK:
		regs_restart_syscall(r, NR_RESTART_SYSCALL);
		break;
	}
}

/* Pushes the frame; 0 or -EFAULT. */
static int
push_frame(struct thread *t, struct regs *r, int sig,
	   const struct ksigaction *a, const struct siginfo *info)
{
	struct sig_thread *s = t->sig;
	struct sigaltstack alt = s->alt;
	struct sigframe_args args = {
		.sig = sig,
		.handler = a->handler,
		.restorer = a->flags & SA_RESTORER ? a->restorer : 0,
		.oldmask = s->restore_mask ? s->saved_mask : s->mask,
		.info = info,
		.alt = &alt,
		.trapno = s->trapno,
		.err = s->trap_err,
		.cr2 = s->cr2,
	};
	bool on = on_altstack(&s->alt, regs_sp(r));

	if (!(alt.flags & (int32_t)SS_DISABLE) && on)
		alt.flags |= SS_ONSTACK;
	if (!args.restorer && t->space->vdso)
		args.restorer = t->space->vdso + vdso_sigreturn_offset();
	if (a->flags & SA_ONSTACK && !(alt.flags & (int32_t)SS_DISABLE) &&
	    alt.size && !on)
		args.stack = alt.sp + alt.size;
	return arch_sigframe_push(&t->arch, r, &args);
}

static void
run_handler(struct thread *t, struct regs *r, int sig,
	    const struct ksigaction *a, const struct siginfo *info)
{
	struct sig_thread *s = t->sig;
	uint64_t mask = s->mask | a->mask;
	struct siginfo segv;

	if (signal_trace)
		signal_trace(t, sig, info, false);
	call_with_handler(r, a->flags);
	s->restart = NULL; /* the call has answered EINTR */
	if (t->rseq_addr)
		rseq_update(t, r);
	if (push_frame(t, r, sig, a, info)) {
		memset(&segv, 0, sizeof(segv));
		segv.si_code = SI_KERNEL;
		/* A handler for SIGSEGV that can't be entered is no use. */
		if (sig == SIGSEGV) {
			do_default(t, r, SIGSEGV, info);
			return;
		}
		signal_force(t, SIGSEGV, &segv);
		return;
	}
	if (s->alt.flags & (int32_t)SS_AUTODISARM) {
		memset(&s->alt, 0, sizeof(s->alt));
		s->alt.flags = SS_DISABLE;
	}
	s->restore_mask = false;
	if (!(a->flags & SA_NODEFER))
		mask |= SIG_BIT(sig);
	if (mask != s->mask)
		signal_set_mask(t, mask);
}

void
signal_deliver(struct thread *t, struct regs *r)
{
	struct process *p = t->proc;
	struct ksigaction a;
	struct siginfo info;
	irqflags_t f;
	int sig;

	while ((sig = signal_take(t, ~t->sig->mask, &info)) != 0) {
		f = spin_lock_irq(&p->sig.lock);
		a = p->sig.action[sig - 1];
		if (a.handler > SIG_IGN && a.flags & SA_RESETHAND)
			p->sig.action[sig - 1].handler = SIG_DFL;
		spin_unlock_irq(&p->sig.lock, f);
		if (sig == SIGKILL || sig == SIGSTOP || a.handler == SIG_DFL)
			do_default(t, r, sig, &info);
		else if (a.handler != SIG_IGN)
			run_handler(t, r, sig, &a, &info);
	}
	call_without_handler(r);
	signal_restore_mask(t);
}

void
upcall_trap_user(struct regs *r, int sig, int code, vaddr_t addr, int trapno,
		 uint64_t err)
{
	struct thread *t = thread_current();
	struct siginfo info;

	(void)r;
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.u.fault.addr = addr;
	t->sig->trapno = trapno;
	t->sig->trap_err = err;
	if (trapno == 14)
		t->sig->cr2 = addr;
	signal_force(t, sig, &info);
}
