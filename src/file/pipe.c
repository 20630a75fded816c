/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs: making, opening, sizes, readiness.
 *
 * A pipe is a ring of pieces of pages (pipe_priv.h).  One mutex (RANK_PIPE)
 * guards all of it; pipe_io.c reads and writes, pipe_splice.c passes pieces
 * on.
 */
#include <file/pipe.h>

#include "pipe_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/string.h>
#include <file/anon.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define MIN_SLOTS 2u /* of a pipe beyond LIMIT_PIPE_PAGES */

static uint32_t charged_slots; /* [a] of pipes of users without rights */

/* ---- how much ---- */

static bool
capable(unsigned cap)
{
	const struct cred *c = thread_current()->cred;

	return !c || cred_capable(c, cap);
}

static bool
is_limited(void)
{
	return !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

/* Counts the slots of a pipe of somebody with a limit. */
static void
charge(struct pipe *p, uint32_t nslots)
{
	if (p->charged)
		atomic_add(&charged_slots, nslots - p->nslots);
	p->nslots = nslots;
}

static struct pipe *
pipe_new(void)
{
	struct pipe *p = kmalloc(sizeof(*p), ALLOC_KERNEL);

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct pipe, first));
	refcount_set(&p->refs, 1);
	mutex_init(&p->lock, RANK_PIPE);
	waitq_init(&p->read_wq);
	waitq_init(&p->write_wq);
	p->bufs = p->first;
	p->charged = is_limited();
	charge(p, PIPE_SLOTS);
	if (p->charged &&
	    atomic_load_relaxed(&charged_slots) > LIMIT_PIPE_PAGES)
		charge(p, MIN_SLOTS);
	return p;
}

/* Everything that is in it goes. */
static void
drop_all(struct pipe *p)
{
	while (p->tail != p->head)
		pipe_drop_buf(p);
	pipe_trim(p);
}

static void
pipe_put(struct pipe *p)
{
	if (!refcount_put(&p->refs))
		return;
	drop_all(p);
	while (p->spare)
		page_put(pipe_take_page(p));
	charge(p, 0);
	if (p->bufs != p->first)
		vfree(p->bufs);
	kfree(p);
}

/* ---- as a file ---- */

/* Of a reader of a FIFO that found no writer: how often there had been one.
 * It is not told that the writers are gone before one has come. */
static uint32_t *
seen(struct file *f)
{
	return &f->wb_err; /* a pipe has no writeback */
}

static uint32_t
pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	uint32_t ev = 0;

	if (f->mode & FILE_READ) {
		poll_wait(pt, &p->read_wq);
		if (!pipe_empty(p))
			ev |= POLLIN | POLLRDNORM;
		if (!READ_ONCE(p->writers) && READ_ONCE(p->nwrite) != *seen(f))
			ev |= POLLHUP;
	}
	if (f->mode & FILE_WRITE) {
		poll_wait(pt, &p->write_wq);
		if (!pipe_full(p))
			ev |= POLLOUT | POLLWRNORM;
		if (!READ_ONCE(p->readers))
			ev |= POLLERR;
	}
	return ev;
}

static long
pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pipe *p = f->priv;
	int n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (uint32_t i = p->tail; i != p->head; i++)
		n += pipe_buf_at(p, i)->len;
	mutex_unlock(&p->lock);
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static int
pipe_stat(struct file *f, struct kstat *st)
{
	struct pipe *p = f->priv;

	if (p->inode)
		inode_stat(p->inode, st);
	else
		anon_stat(st, p->ino, S_IFIFO | 0600);
	return 0;
}

static void
pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->lock);
	if (f->mode & FILE_READ)
		p->readers--;
	if (f->mode & FILE_WRITE)
		p->writers--;
	/* A FIFO that nobody has open loses its data. */
	if (!p->readers && !p->writers)
		drop_all(p);
	mutex_unlock(&p->lock);
	wait_wake_all(&p->read_wq, POLLIN | POLLHUP | POLLRDNORM);
	wait_wake_all(&p->write_wq, POLLOUT | POLLERR | POLLWRNORM);
	pipe_put(p);
}

static int
pipe_link_name(struct file *f, char *buf, size_t size)
{
	const struct pipe *p = f->priv;

	return ksnprintf(buf, size, "pipe:[%lu]", (unsigned long)p->ino);
}

static const struct file_ops pipe_ops = {
	.async = true,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.stat = pipe_stat,
	.release = pipe_release,
	.link_name = pipe_link_name,
};

int
pipe_create(unsigned flags, struct file **r, struct file **w)
{
	struct pipe *p = pipe_new();
	int err;

	if (!p)
		return -ENOMEM;
	p->ino = anon_ino();
	err = file_create(&pipe_ops, O_RDONLY | (flags & O_NONBLOCK), p, r);
	if (err)
		goto fail;
	err = file_create(&pipe_ops,
			  O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), p, w);
	if (err)
		goto fail_read;
	(*r)->mode |= FILE_STREAM;
	(*w)->mode |= FILE_STREAM;
	p->readers = p->writers = p->nread = p->nwrite = 1;
	refcount_get(&p->refs);
	return 0;

fail_read:
	/* Its release drops p. */
	p->readers = 1;
	(*r)->mode |= FILE_STREAM;
	file_put(*r);
	return err;
fail:
	pipe_put(p);
	return err;
}

/* Waits for the other side of a FIFO to be opened (count moves on). */
static int
wait_peer(struct waitq *wq, const unsigned *open, const unsigned *opens,
	  unsigned before)
{
	struct wait_entry e UNINIT;
	int err = 0;

	wait_start(wq, &e, true);
	while (!READ_ONCE(*open) && READ_ONCE(*opens) == before && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(wq, &e);
	return err ? -ERESTARTSYS : 0;
}

/* The pipe of a FIFO inode, made at the first open. */
static struct pipe *
fifo_pipe(struct inode *i)
{
	struct pipe *p;

	write_lock(&i->lock);
	p = i->fifo;
	if (!p) {
		p = pipe_new();
		if (p) {
			p->ino = i->ino;
			p->inode = i;
			i->fifo = p; /* lives as long as the inode */
		}
	}
	if (p)
		refcount_get(&p->refs);
	write_unlock(&i->lock);
	return p;
}

void
pipe_drop_fifo(struct inode *i)
{
	if (i->fifo)
		pipe_put(i->fifo);
	i->fifo = NULL;
}

int
pipe_open_fifo(struct inode *i, unsigned flags, struct file **out)
{
	struct pipe *p;
	unsigned nread, nwrite;
	int err;

	if (flags & O_DIRECT)
		return -EINVAL; /* F_SETFL may set it, as on Linux */
	p = fifo_pipe(i);
	if (!p)
		return -ENOMEM;
	mutex_lock(&p->lock);
	if ((flags & O_ACCMODE) == O_WRONLY && flags & O_NONBLOCK &&
	    !p->readers) {
		mutex_unlock(&p->lock);
		pipe_put(p);
		return -ENXIO;
	}
	mutex_unlock(&p->lock);
	err = file_create(&pipe_ops, flags, p, out);
	if (err) {
		pipe_put(p);
		return err;
	}
	(*out)->mode |= FILE_STREAM;
	mutex_lock(&p->lock);
	if ((*out)->mode & FILE_READ) {
		p->readers++;
		p->nread++;
		*seen(*out) = p->nwrite - (p->writers ? 1 : 0);
	}
	if ((*out)->mode & FILE_WRITE) {
		p->writers++;
		p->nwrite++;
	}
	nread = p->nread;
	nwrite = p->nwrite;
	mutex_unlock(&p->lock);
	wait_wake_all(&p->read_wq, 0);
	wait_wake_all(&p->write_wq, 0);
	if (!(flags & O_NONBLOCK) && (flags & O_ACCMODE) == O_RDONLY)
		err = wait_peer(&p->read_wq, &p->writers, &p->nwrite, nwrite);
	else if (!(flags & O_NONBLOCK) && (flags & O_ACCMODE) == O_WRONLY)
		err = wait_peer(&p->write_wq, &p->readers, &p->nread, nread);
	if (err)
		file_put(*out);
	return err;
}

long
pipe_get_size(struct file *f)
{
	if (f->ops != &pipe_ops)
		return -EBADF;
	return (long)((struct pipe *)f->priv)->nslots * (long)PAGE_SIZE;
}

/* Moves all pieces to a ring of another size; they keep their numbers. */
static void
move_ring(struct pipe *p, struct pipe_buf *to, uint32_t nslots)
{
	struct pipe_buf old[PIPE_SLOTS], *from = p->bufs;

	if (from == to) {
		memcpy(old, from, sizeof(old));
		from = old;
	}
	for (uint32_t i = p->tail; i != p->head; i++)
		to[i & (nslots - 1)] = from[i & (p->nslots - 1)];
	p->bufs = to;
	charge(p, nslots);
}

/* May the pipe get that many slots?  Lock held. */
static int
check_slots(const struct pipe *p, uint32_t nslots)
{
	if (p->head - p->tail > nslots)
		return -EBUSY;
	/* Room that a splice has been promised stays. */
	if (nslots < p->nslots && p->held & HELD_WRITE)
		return -EBUSY;
	if (nslots > p->nslots && p->charged && is_limited() &&
	    atomic_load_relaxed(&charged_slots) + nslots - p->nslots >
		    LIMIT_PIPE_PAGES)
		return -EPERM;
	return 0;
}

static int
set_slots(struct pipe *p, uint32_t nslots)
{
	struct pipe_buf *bufs = p->first, *old = NULL;
	int err;

	if (nslots > PIPE_SLOTS) {
		bufs = vmalloc(nslots * sizeof(*bufs), ALLOC_KERNEL);
		if (!bufs)
			return -ENOMEM;
	}
	mutex_lock(&p->lock);
	err = check_slots(p, nslots);
	if (!err) {
		old = p->bufs;
		move_ring(p, bufs, nslots);
	} else {
		old = bufs;
	}
	mutex_unlock(&p->lock);
	if (old != p->first)
		vfree(old);
	if (!err)
		wait_wake_all(&p->write_wq, POLLOUT | POLLWRNORM);
	return err;
}

long
pipe_set_size(struct file *f, uint64_t size)
{
	struct pipe *p = f->priv;
	uint32_t nslots = 1;
	int err;

	if (f->ops != &pipe_ops)
		return -EBADF;
	if (size > 1u << 31)
		return -EINVAL;
	while (nslots * PAGE_SIZE < size)
		nslots *= 2;
	if (nslots > READ_ONCE(p->nslots) && size > LIMIT_PIPE_BYTES &&
	    !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	err = set_slots(p, nslots);
	return err ? err : (long)nslots * (long)PAGE_SIZE;
}

bool
pipe_is(const struct file *f)
{
	return f->ops == &pipe_ops;
}

bool
pipe_broken(const struct file *f)
{
	const struct pipe *p = f->priv;

	return pipe_is(f) && !READ_ONCE(p->readers);
}

bool
pipe_same(const struct file *a, const struct file *b)
{
	return a->priv == b->priv;
}
