/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone: new threads of the process.  A second process needs a second
 * address space, which there isn't (design decision 1): ENOSYS, and the user
 * is told once what to do about it.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/pith.h>
#include <abi/sched.h>
#include <arch/mmu.h>
#include <base/fmt.h>
#include <base/string.h>
#include <dev/control.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <vm/uaccess.h>

#define NAMESPACES                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define THREAD_FLAGS (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
/* Flags that may come with CLONE_THREAD. */
#define KNOWN_FLAGS                                                        \
	(THREAD_FLAGS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM |           \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |       \
	 CLONE_CHILD_SETTID | CLONE_DETACHED | CLONE_IO | CLONE_UNTRACED | \
	 CLONE_PTRACE | CLONE_PARENT)

/* With CLONE_VFORK it is to run another program, without to go on in two. */
static void
tell_of_fork(struct thread *t, uint64_t flags)
{
	char text[128];

	if (atomic_xchg(&t->proc->fork_noticed, true))
		return;
	ksnprintf(text, sizeof(text),
		  "%s asked for a second process (%s); "
		  "there is only one",
		  t->name,
		  flags & CLONE_VFORK ? "to run another program" : "fork");
	control_send(PITH_FRAME_FORK, text, strlen(text));
}

static int
check(struct thread *t, const struct clone_args *a)
{
	uint64_t f = a->flags;

	if ((f & CLONE_SIGHAND && !(f & CLONE_VM)) ||
	    (f & CLONE_THREAD && !(f & CLONE_SIGHAND)))
		return -EINVAL;
	if (!(f & CLONE_THREAD)) {
		tell_of_fork(t, f);
		return -ENOSYS;
	}
	if (f & (NAMESPACES | CLONE_PIDFD | CLONE_CLEAR_SIGHAND) ||
	    f & ~KNOWN_FLAGS || a->set_tid_size)
		return -EINVAL;
	if (f & CLONE_SETTLS && a->tls >= USER_END)
		return -EPERM;
	return 0;
}

static int
share(struct thread *t, struct thread *n, uint64_t flags)
{
	int err;

	n->tgid = t->tgid;
	err = signal_thread_init(n, t);
	if (err)
		return err;
	n->cred = t->cred;
	cred_get(n->cred);
	n->space = t->space;
	if (flags & CLONE_FILES) {
		n->fds = t->fds;
		fdtable_get(n->fds);
	} else {
		err = fdtable_clone(t->fds, &n->fds);
		if (err)
			return err;
	}
	if (flags & CLONE_FS) {
		n->fsctx = t->fsctx;
		refcount_get(&n->fsctx->refs);
		return 0;
	}
	return fs_context_clone(t->fsctx, &n->fsctx);
}

/* Numbers where the caller wants them, before the thread runs, and when it can
 * be found by them.  A store that fails is nobody's business, as on Linux. */
static void
store_tids(struct thread *n, const struct clone_args *a)
{
	uint32_t tid = (uint32_t)n->tid;

	if (a->flags & CLONE_PARENT_SETTID)
		ignore(copy_to_user((void __user *)a->parent_tid, &tid,
				    sizeof(tid)));
	if (a->flags & CLONE_CHILD_SETTID)
		ignore(copy_to_user((void __user *)a->child_tid, &tid,
				    sizeof(tid)));
}

long
process_clone(struct thread *t, const struct clone_args *a)
{
	struct regs regs;
	struct thread *n;
	int tid, err = check(t, a);

	if (err)
		return err;
	regs = *arch_user_regs(&t->arch);
	regs_set_ret(&regs, 0);
	regs_leave_syscall(&regs);
	if (a->stack)
		regs_set_sp(&regs, a->stack + a->stack_size);
	err = thread_create_user(t->name, &regs, &n);
	if (err)
		return err;
	err = share(t, n, a->flags);
	if (err)
		goto discard;
	n->nice = t->nice;
	n->affinity = t->affinity;
	n->arch.gs_base = t->arch.gs_base;
	arch_set_tls(&n->arch,
		     a->flags & CLONE_SETTLS ? a->tls : t->arch.fs_base);
	if (a->flags & CLONE_CHILD_CLEARTID)
		n->clear_tid = a->child_tid;
	err = process_add_thread(t->proc, n);
	if (err)
		goto discard;
	store_tids(n, a);
	tid = n->tid;
	thread_start(n);
	return tid;

discard:
	if (n->fds)
		fdtable_put(n->fds);
	fs_context_put(n->fsctx);
	thread_discard(n);
	return err;
}
