/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of POSIX message queues.  The C library strips the slash that
 * a name begins with.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ipc.h>
#include <abi/signal.h>
#include <abi/time.h>
#include <base/string.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <ipc/ipc.h>
#include <linux/pathbuf.h>
#include <linux/syscalls_gen.h>
#include <linux/usertime.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

long
sys_mq_open(struct thread *t, const char __user *uname, int oflags,
	    uint32_t mode, const void __user *uattr)
{
	struct pathbuf name;
	struct mq_attr attr;
	struct file *f;
	int fd, err;

	if ((oflags & O_CREAT) && uattr &&
	    copy_from_user(&attr, uattr, sizeof(attr)))
		return -EFAULT;
	err = pathbuf_get(&name, uname);
	if (err)
		return err;
	err = mq_open_file(name.s, oflags, mode,
			   (oflags & O_CREAT) && uattr ? &attr : NULL, &f);
	pathbuf_put(&name);
	if (err)
		return err;
	fd = fd_add(t->fds, f, true); /* as Linux has it */
	if (fd < 0)
		file_put(f);
	return fd;
}

long
sys_mq_unlink(struct thread *t, const char __user *uname)
{
	struct pathbuf name;
	int err = pathbuf_get(&name, uname);

	(void)t;
	if (err)
		return err;
	err = mq_unlink_name(name.s);
	pathbuf_put(&name);
	return err;
}

long
sys_mq_timedsend(struct thread *t, int fd, const void __user *msg, size_t len,
		 uint32_t prio, const void __user *timeout)
{
	uint64_t deadline;
	int64_t msgsize;
	struct file *f;
	void *data;
	long r = get_user_deadline(timeout, CLOCK_REALTIME, true, &deadline);

	if (r)
		return r;
	if (prio >= MQ_PRIO_MAX)
		return -EINVAL;
	r = fd_get(t->fds, fd, &f);
	if (r)
		return r;
	r = mq_check(f, true, &msgsize);
	if (!r && len > (uint64_t)msgsize)
		r = -EMSGSIZE;
	if (r)
		goto out;
	data = kmalloc(len ? len : 1, ALLOC_KERNEL);
	r = -ENOMEM;
	if (!data)
		goto out;
	r = copy_from_user(data, msg, len);
	if (!r)
		r = mq_send(f, data, len, prio, deadline);
	kfree(data);
out:
	file_put(f);
	return r;
}

long
sys_mq_timedreceive(struct thread *t, int fd, void __user *msg, size_t len,
		    void __user *uprio, const void __user *timeout)
{
	uint64_t deadline;
	int64_t msgsize;
	uint32_t prio;
	struct file *f;
	void *data;
	long r = get_user_deadline(timeout, CLOCK_REALTIME, true, &deadline);

	if (r)
		return r;
	r = fd_get(t->fds, fd, &f);
	if (r)
		return r;
	r = mq_check(f, false, &msgsize);
	if (!r && len < (uint64_t)msgsize)
		r = -EMSGSIZE;
	if (!r)
		r = mq_receive(f, len, &prio, deadline, &data);
	if (r >= 0) {
		if ((uprio && copy_to_user(uprio, &prio, sizeof(prio))) ||
		    copy_to_user(msg, data, (size_t)r))
			r = -EFAULT;
		kfree(data);
	}
	file_put(f);
	return r;
}

/* The socket that hears of the message, and what it is told. */
static int
notice_socket(struct thread *t, const struct sigevent *ev, struct mq_notice *n)
{
	const void __user *cookie =
		(const void __user *)ev->sigev_value.sival_ptr;
	int err;

	if (copy_from_user(n->cookie, cookie, sizeof(n->cookie)))
		return -EFAULT;
	err = fd_get(t->fds, ev->sigev_signo, &n->sock);
	if (err)
		return err;
	err = netlink_check(n->sock);
	if (err)
		file_put(n->sock);
	n->tell = netlink_tell;
	return err;
}

/* SIGEV_THREAD is the C library's: its thread reads a netlink socket. */
static int
get_notice(struct thread *t, const struct sigevent *ev, struct mq_notice *n)
{
	memset(n, 0, sizeof(*n));
	n->how = ev->sigev_notify;
	switch (n->how) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
		n->sig = ev->sigev_signo;
		n->value = ev->sigev_value.sival_ptr;
		return n->sig <= 0 || n->sig > NSIG ? -EINVAL : 0;
	case SIGEV_THREAD:
		return notice_socket(t, ev, n);
	default:
		return -EINVAL;
	}
}

long
sys_mq_notify(struct thread *t, int fd, const void __user *uev)
{
	struct mq_notice n;
	struct sigevent ev;
	struct file *f;
	long r = 0;

	if (uev) {
		r = copy_from_user(&ev, uev, sizeof(ev));
		if (!r)
			r = get_notice(t, &ev, &n);
		if (r)
			return r;
	}
	r = fd_get(t->fds, fd, &f);
	if (!r) {
		r = mq_notify_set(f, uev ? &n : NULL);
		file_put(f);
	}
	if (r && uev && n.how == SIGEV_THREAD)
		file_put(n.sock);
	return r;
}

long
sys_mq_getsetattr(struct thread *t, int fd, const void __user *unew,
		  void __user *uold)
{
	struct mq_attr new, old;
	struct file *f;
	long r;

	if (unew) {
		if (copy_from_user(&new, unew, sizeof(new)))
			return -EFAULT;
		if (new.flags & ~(int64_t)O_NONBLOCK)
			return -EINVAL;
	}
	r = fd_get(t->fds, fd, &f);
	if (r)
		return r;
	r = mq_attributes(f, &old);
	if (!r && unew)
		f->flags = (f->flags & ~(uint32_t)O_NONBLOCK) |
			   (uint32_t) new.flags;
	file_put(f);
	if (!r && uold)
		r = copy_to_user(uold, &old, sizeof(old));
	return r;
}
