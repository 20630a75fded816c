/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that reach into a process, on the only one there is: descriptors of
 * it, its memory by address, and comparing what its threads share.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <base/fmt.h>
#include <base/string.h>
#include <file/anon.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/poll.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <proc/process.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define COPY_BYTES 4096u

enum {
	KCMP_FILE,
	KCMP_VM,
	KCMP_FILES,
	KCMP_FS,
	KCMP_SIGHAND,
	KCMP_IO,
	KCMP_SYSVSEM
};

/* ---- descriptors of a process ---- */

/* It becomes readable when the process ends, when nobody is left to see. */
static uint32_t
pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->priv;

	poll_wait(pt, &p->exec_wq);
	return 0;
}

static int
pidfd_stat(struct file *f, struct kstat *st)
{
	(void)f;
	anon_stat(st, 1, 0600);
	return 0;
}

static int
pidfd_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:[pidfd]");
}

static int
pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct process *p = f->priv;

	return ksnprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", p->pid, p->pid);
}

/* The process ends with the machine: nothing to hold. */
static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
	.stat = pidfd_stat,
	.link_name = pidfd_link_name,
	.fdinfo = pidfd_fdinfo,
};

long
sys_pidfd_open(struct thread *t, int pid, uint32_t flags)
{
	struct file *f;
	int fd, err;

	if (flags & ~(uint32_t)O_NONBLOCK || pid <= 0)
		return -EINVAL;
	if (pid != t->proc->pid)
		return -ESRCH;
	err = file_create(&pidfd_ops, O_RDWR | flags, t->proc, &f);
	if (err)
		return err;
	f->mode |= FILE_STREAM;
	fd = fd_add(t->fds, f, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* -EBADF: no descriptor of a process. */
static int
get_process(struct thread *t, int fd, struct process **p)
{
	struct file *f;
	int err = fd_get(t->fds, fd, &f);

	if (err)
		return err;
	if (f->ops == &pidfd_ops)
		*p = f->priv;
	else
		err = -EBADF;
	file_put(f);
	return err;
}

long
sys_pidfd_send_signal(struct thread *t, int fd, int sig,
		      const void __user *uinfo, uint32_t flags)
{
	struct siginfo info;
	struct process *p;
	int err;

	if (flags)
		return -EINVAL;
	err = get_process(t, fd, &p);
	if (err)
		return err;
	memset(&info, 0, sizeof(info));
	if (uinfo) {
		if (copy_from_user(&info, uinfo, sizeof(info)))
			return -EFAULT;
		if (info.si_signo != sig)
			return -EINVAL;
	} else {
		info.si_signo = sig;
		info.si_code = SI_USER;
		info.u.rt.pid = t->tgid;
		info.u.rt.uid = t->cred->uid;
	}
	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	return sig ? signal_send_process(p, sig, &info) : 0;
}

long
sys_pidfd_getfd(struct thread *t, int pidfd, int fd, uint32_t flags)
{
	struct process *p;
	struct file *f;
	int new, err;

	if (flags)
		return -EINVAL;
	err = get_process(t, pidfd, &p);
	if (!err)
		err = fd_get_any(t->fds, fd, &f);
	if (err)
		return err;
	new = fd_add(t->fds, f, true);
	if (new < 0)
		file_put(f);
	return new;
}

/* ---- memory ---- */

/* Copies until one side ends or cannot be reached. */
static long
copy_through(struct uio *to, struct uio *from)
{
	char *buf = kmalloc(COPY_BYTES, ALLOC_KERNEL);
	long done = 0;

	if (!buf)
		return -ENOMEM;
	while (to->resid && from->resid) {
		size_t n = to->resid < from->resid ? to->resid : from->resid;
		ssize_t in, out;

		if (n > COPY_BYTES)
			n = COPY_BYTES;
		in = uio_read(from, buf, n);
		if (in <= 0) {
			done = done ? done : in;
			break;
		}
		out = uio_write(to, buf, (size_t)in);
		if (out > 0)
			done += out;
		if (out < in) {
			done = done ? done : -EFAULT;
			break;
		}
		if (thread_signal_pending())
			break;
	}
	kfree(buf);
	return done;
}

static long
vm_transfer(struct thread *t, int pid, const void __user *lvec, uint64_t nl,
	    const void __user *rvec, uint64_t nr, uint64_t flags, bool write)
{
	struct uio local, remote;
	struct thread *o;
	bool ours;
	long r;

	if (flags || nl > UIO_MAX_SEGS || nr > UIO_MAX_SEGS)
		return -EINVAL;
	r = uio_init_iovec(&local, lvec, (unsigned)nl);
	if (r)
		return r;
	r = uio_init_iovec(&remote, rvec, (unsigned)nr);
	if (r)
		goto out;
	o = thread_find(pid);
	ours = o && o->proc == t->proc;
	if (o)
		thread_put(o);
	if (!local.resid || !remote.resid)
		r = 0;
	else if (!ours)
		r = -ESRCH;
	else
		r = write ? copy_through(&remote, &local) :
			    copy_through(&local, &remote);
	uio_fini(&remote);
out:
	uio_fini(&local);
	return r;
}

long
sys_process_vm_readv(struct thread *t, int pid, const void __user *lvec,
		     uint64_t nl, const void __user *rvec, uint64_t nr,
		     uint64_t flags)
{
	return vm_transfer(t, pid, lvec, nl, rvec, nr, flags, false);
}

long
sys_process_vm_writev(struct thread *t, int pid, const void __user *lvec,
		      uint64_t nl, const void __user *rvec, uint64_t nr,
		      uint64_t flags)
{
	return vm_transfer(t, pid, lvec, nl, rvec, nr, flags, true);
}

/* ---- kcmp ---- */

/* 0: the same; else 1 or 2, in an order that tells no addresses. */
static long
compare(const void *a, const void *b)
{
	uint64_t x = (uint64_t)a * 0x9e3779b97f4a7c15ull;
	uint64_t y = (uint64_t)b * 0x9e3779b97f4a7c15ull;

	return x == y ? 0 : x < y ? 1 : 2;
}

static long
compare_files(struct fdtable *fds, int fd_a, int fd_b)
{
	struct file *x, *y;
	long r;

	r = fd_get_any(fds, fd_a, &x);
	if (r)
		return r;
	r = fd_get_any(fds, fd_b, &y);
	if (!r) {
		r = compare(x, y);
		file_put(y);
	}
	file_put(x);
	return r;
}

static long
compare_threads(struct thread *t, struct thread *a, struct thread *b, int type,
		uint64_t i, uint64_t j)
{
	switch (type) {
	case KCMP_FILE:
		/* A table that another thread has to itself may go with it. */
		if (a->fds != t->fds || b->fds != t->fds)
			return -EOPNOTSUPP;
		return compare_files(t->fds, (int)i, (int)j);
	case KCMP_FILES:
		return compare(a->fds, b->fds);
	case KCMP_FS:
		return compare(a->fsctx, b->fsctx);
	case KCMP_VM:
	case KCMP_SIGHAND:
	case KCMP_IO:
	case KCMP_SYSVSEM:
		return 0; /* of the one process */
	default:
		return -EINVAL;
	}
}

long
sys_kcmp(struct thread *t, int pid1, int pid2, int type, uint64_t idx1,
	 uint64_t idx2)
{
	struct thread *a = thread_find(pid1), *b = thread_find(pid2);
	long r = -ESRCH;

	if (a && b && a->proc == t->proc && b->proc == t->proc)
		r = compare_threads(t, a, b, type, idx1, idx2);
	if (a)
		thread_put(a);
	if (b)
		thread_put(b);
	return r;
}
