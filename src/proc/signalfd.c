/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signalfd(2): signals as bytes of a file.  A read takes signals pending for
 * the reading thread or its process that are in the file's set.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/stat.h>
#include <base/fmt.h>
#include <base/string.h>
#include <file/anon.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <vm/uio.h>

struct signalfd {
	uint64_t set; /* [a] */
};

static const struct file_ops signalfd_ops;

static void
describe(struct signalfd_siginfo *out, const struct siginfo *i)
{
	memset(out, 0, sizeof(*out));
	out->ssi_signo = (uint32_t)i->si_signo;
	out->ssi_errno = i->si_errno;
	out->ssi_code = i->si_code;
	if (i->si_code == SI_TIMER) {
		out->ssi_tid = (uint32_t)i->u.timer.timerid;
		out->ssi_overrun = (uint32_t)i->u.timer.overrun;
		out->ssi_int = i->u.timer.value.sival_int;
		out->ssi_ptr = i->u.timer.value.sival_ptr;
		return;
	}
	if (i->si_code > 0 && i->si_code != SI_KERNEL) {
		/* A fault, or the state of a file. */
		if (i->si_signo == SIGIO) {
			out->ssi_band = (uint32_t)i->u.poll.band;
			out->ssi_fd = i->u.poll.fd;
		} else {
			out->ssi_addr = i->u.fault.addr;
			out->ssi_addr_lsb = (uint16_t)i->u.fault.addr_lsb;
		}
		return;
	}
	out->ssi_pid = (uint32_t)i->u.rt.pid;
	out->ssi_uid = i->u.rt.uid;
	if (i->si_code < 0) {
		out->ssi_int = i->u.rt.value.sival_int;
		out->ssi_ptr = i->u.rt.value.sival_ptr;
	}
}

static int
take_one(struct file *f, struct siginfo *info)
{
	struct signalfd *s = f->priv;

	return signal_take(thread_current(), atomic_load_relaxed(&s->set),
			   info);
}

static int
wait_one(struct file *f, struct siginfo *info)
{
	struct process *p = thread_current()->proc;
	struct wait_entry e;
	int sig, err = 0;

	wait_start(&p->sig.signalfd_wq, &e, true);
	while (!(sig = take_one(f, info))) {
		err = wait_sleep(&e, TIME_NEVER);
		if (err)
			break;
	}
	wait_end(&p->sig.signalfd_wq, &e);
	return err ? -ERESTARTSYS : sig;
}

static ssize_t
signalfd_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct signalfd_siginfo out;
	struct siginfo info;
	ssize_t done = 0, n;
	int sig;

	(void)pos;
	if (u->resid < sizeof(out))
		return -EINVAL;
	while (u->resid >= sizeof(out)) {
		sig = take_one(f, &info);
		if (!sig && done)
			break;
		if (!sig && file_nowait(f, u))
			return -EAGAIN;
		if (!sig)
			sig = wait_one(f, &info);
		if (sig < 0)
			return sig;
		describe(&out, &info);
		n = uio_write(u, &out, sizeof(out));
		if (n != (ssize_t)sizeof(out))
			return done ? done : -EFAULT;
		done += n;
	}
	return done;
}

static uint32_t
signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct thread *t = thread_current();
	struct signalfd *s = f->priv;

	poll_wait(pt, &t->proc->sig.signalfd_wq);
	return signal_pending_set(t) & atomic_load_relaxed(&s->set) ? POLLIN :
								      0;
}

static int
signalfd_stat(struct file *f, struct kstat *st)
{
	(void)f;
	memset(st, 0, sizeof(*st));
	st->mode = 0600;
	st->nlink = 1;
	return 0;
}

static void
signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static int
signalfd_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:[signalfd]");
}

static int
signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->priv;

	return ksnprintf(buf, size, "sigmask:\t%016lx\n",
			 (unsigned long)s->set);
}

int
signalfd_create(uint64_t set, unsigned flags, struct file **out)
{
	struct signalfd *s = kmalloc(sizeof(*s), ALLOC_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	s->set = set & ~SIG_UNBLOCKABLE;
	err = file_create(&signalfd_ops, flags | 2 /* O_RDWR */, s, out);
	if (err) {
		kfree(s);
		return err;
	}
	(*out)->mode |= FILE_STREAM | FILE_NOSPLICE;
	return 0;
}

int
signalfd_set(struct file *f, uint64_t set)
{
	struct signalfd *s = f->priv;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	atomic_store_relaxed(&s->set, set & ~SIG_UNBLOCKABLE);
	/* What a sleeping reader waits for may be pending already. */
	wait_wake_all(&thread_current()->proc->sig.signalfd_wq, 0);
	return 0;
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.seek = anon_seek,
	.poll = signalfd_poll,
	.stat = signalfd_stat,
	.release = signalfd_release,
	.link_name = signalfd_link_name,
	.fdinfo = signalfd_fdinfo,
};
