/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes: a byte ring of whole pages.
 *
 * One mutex (RANK_PIPE) guards all of it.  A write of at most PIPE_BUF bytes
 * goes in whole or not at all.  User memory may fault while the lock is held
 * (it ranks inside the address space), so data moves with faults off, and
 * what did not is prefaulted without the lock and tried again.  Readers and
 * writers are woken only when the ring was empty or full for them.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/ring.h>
#include <file/anon.h>
#include <file/file.h>
#include <file/pipe.h>
#include <file/poll.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define PIPE_BUF   4096u
#define PIPE_BYTES 65536u

struct pipe {
	struct refcount refs;
	struct mutex lock;	   /* RANK_PIPE */
	struct ring ring;	   /* [lock]; buf NULL until the first write */
	uint32_t size;		   /* [lock] */
	unsigned readers, writers; /* [lock] open ends */
	unsigned nread, nwrite;	   /* [lock] opens ever: FIFO */
	bool held;		   /* [lock] by a splice: readers wait */
	struct waitq read_wq, write_wq;
	uint64_t ino;
	struct inode *inode; /* FIFO, else NULL */
};

static struct pipe *
pipe_new(void)
{
	struct pipe *p = kzalloc(sizeof(*p), ALLOC_KERNEL);

	if (!p)
		return NULL;
	refcount_set(&p->refs, 1);
	mutex_init(&p->lock, RANK_PIPE);
	waitq_init(&p->read_wq);
	waitq_init(&p->write_wq);
	p->size = PIPE_BYTES;
	return p;
}

static void
pipe_put(struct pipe *p)
{
	if (!refcount_put(&p->refs))
		return;
	vfree(p->ring.buf);
	kfree(p);
}

/* Up to len bytes between the ring and memory, in at most two pieces;
 * bytes moved, -EFAULT when nothing was. */
static ssize_t
move_out(struct pipe *p, struct uio *u, uint32_t len)
{
	uint32_t at = p->ring.tail & (p->ring.size - 1);
	uint32_t first = (uint32_t)min_u64(len, p->ring.size - at);
	ssize_t n = uio_write(u, p->ring.buf + at, first), m;

	if (n < 0)
		return n;
	p->ring.tail += (uint32_t)n;
	if ((uint32_t)n < first || first == len)
		return n;
	m = uio_write(u, p->ring.buf, len - first);
	if (m < 0)
		return n;
	p->ring.tail += (uint32_t)m;
	return n + m;
}

static ssize_t
move_in(struct pipe *p, struct uio *u, uint32_t len)
{
	uint32_t at = p->ring.head & (p->ring.size - 1);
	uint32_t first = (uint32_t)min_u64(len, p->ring.size - at);
	ssize_t n = uio_read(u, p->ring.buf + at, first), m;

	if (n < 0)
		return n;
	p->ring.head += (uint32_t)n;
	if ((uint32_t)n < first || first == len)
		return n;
	m = uio_read(u, p->ring.buf, len - first);
	if (m < 0)
		return n;
	p->ring.head += (uint32_t)m;
	return n + m;
}

static bool
can_read(const struct pipe *p)
{
	return !READ_ONCE(p->held) && (ring_used(&p->ring) || !p->writers);
}

static int
wait_readable(struct pipe *p)
{
	struct wait_entry e UNINIT;
	int err = 0;

	wait_start_exclusive(&p->read_wq, &e, true);
	while (!can_read(p) && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&p->read_wq, &e);
	return err ? -ERESTARTSYS : 0;
}

static ssize_t
pipe_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct pipe *p = f->priv;
	ssize_t done = 0, n = 0;
	bool slept = false;

	(void)pos;
	if (!u->resid)
		return 0;
	u->nofault = true;
	for (;;) {
		uint32_t used;
		bool full;

		mutex_lock(&p->lock);
		used = ring_used(&p->ring);
		full = p->size - used < PIPE_BUF;
		if (unlikely(p->held))
			n = -EAGAIN;
		else if (used)
			n = move_out(p, u, (uint32_t)min_u64(used, u->resid));
		else if (!p->writers)
			n = 0;
		else
			n = -EAGAIN;
		used = ring_used(&p->ring);
		mutex_unlock(&p->lock);
		if (n > 0) {
			if (full && p->size - used >= PIPE_BUF)
				wait_wake(&p->write_wq, 1,
					  POLLOUT | POLLWRNORM);
			/* Another may read what this one, which was woken,
			 * left. */
			if (used && slept)
				wait_wake(&p->read_wq, 1, POLLIN | POLLRDNORM);
			done += n;
			/* Stopped by a page that is not there yet? */
			if (!used || !u->resid)
				return done;
			n = -EFAULT;
		}
		if (n == -EFAULT) {
			n = uio_prefault(u, min_size(u->resid, PIPE_BUF), true);
			if (n)
				return done ? done : n;
			continue;
		}
		if (done || n != -EAGAIN || file_nowait(f, u))
			return done ? done : n;
		n = wait_readable(p);
		if (n)
			return n;
		slept = true;
	}
}

/* Room for this write: a small one needs all of its room at once. */
static bool
can_write(const struct pipe *p, size_t len)
{
	uint32_t room = p->size - ring_used(&p->ring);

	if (!p->readers)
		return true;
	return len <= PIPE_BUF ? room >= len : room > 0;
}

static int
wait_writable(struct pipe *p, size_t len)
{
	struct wait_entry e UNINIT;
	int err = 0;

	wait_start_exclusive(&p->write_wq, &e, true);
	while (!can_write(p, len) && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&p->write_wq, &e);
	return err ? -ERESTARTSYS : 0;
}

static int
make_ring(struct pipe *p)
{
	void *buf;

	if (p->ring.buf)
		return 0;
	buf = vmalloc(p->size, ALLOC_KERNEL);
	if (!buf)
		return -ENOMEM;
	ring_init(&p->ring, buf, p->size);
	return 0;
}

static ssize_t
write_some(struct pipe *p, struct uio *u, size_t whole, bool *wake)
{
	uint32_t room;
	ssize_t n;

	if (!p->readers)
		return -EPIPE;
	n = make_ring(p);
	if (n)
		return n;
	if (!can_write(p, whole))
		return -EAGAIN;
	/* A waiter for edges (EPOLLET) hears of every write, as on Linux. */
	*wake = !ring_used(&p->ring) || waitq_active(&p->read_wq);
	room = ring_free(&p->ring);
	return move_in(p, u, (uint32_t)min_u64(room, u->resid));
}

/* A small write goes in as one: its pages are made present beforehand, if it
 * could stop between two of them. */
static void
prepare_whole(struct uio *u)
{
	uint64_t base = u->segs[0].base;

	if (u->user &&
	    (u->nsegs > 1 || (base & (PAGE_SIZE - 1)) + u->resid > PAGE_SIZE))
		ignore(uio_prefault(u, u->resid, false)); /* found later */
}

static ssize_t
pipe_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct pipe *p = f->priv;
	size_t whole = u->resid;
	ssize_t done = 0, n;

	(void)pos;
	if (!whole)
		return 0;
	u->nofault = true;
	if (whole <= PIPE_BUF)
		prepare_whole(u);
	while (u->resid) {
		bool wake = false;

		mutex_lock(&p->lock);
		n = write_some(p, u, u->resid == whole ? whole : PIPE_BUF + 1,
			       &wake);
		mutex_unlock(&p->lock);
		if (n > 0) {
			done += n;
			if (wake)
				wait_wake(&p->read_wq, 1, POLLIN | POLLRDNORM);
			continue;
		}
		if (n == -EFAULT) {
			n = uio_prefault(u, min_size(u->resid, PIPE_BUF),
					 false);
			if (!n)
				continue;
		} else if (n == -EAGAIN && !file_nowait(f, u)) {
			n = wait_writable(p, u->resid == whole ? whole : 1);
			if (!n)
				continue;
		}
		return done ? done : n;
	}
	return done;
}

static uint32_t
pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	uint32_t ev = 0;

	if (f->mode & FILE_READ) {
		poll_wait(pt, &p->read_wq);
		if (ring_used(&p->ring))
			ev |= POLLIN | POLLRDNORM;
		if (!p->writers && p->nwrite)
			ev |= POLLHUP;
	}
	if (f->mode & FILE_WRITE) {
		poll_wait(pt, &p->write_wq);
		if (p->size - ring_used(&p->ring) >= PIPE_BUF)
			ev |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			ev |= POLLERR;
	}
	return ev;
}

static long
pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pipe *p = f->priv;
	int n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	n = (int)ring_used(&p->ring);
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
		p->ring.tail = p->ring.head;
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
	struct pipe *p;
	int err;

	if (flags & O_DIRECT)
		return -EINVAL; /* packet mode */
	p = pipe_new();
	if (!p)
		return -ENOMEM;
	p->ino = anon_ino();
	err = file_create(&pipe_ops, O_RDONLY | (flags & O_NONBLOCK), p, r);
	if (err)
		goto fail;
	err = file_create(&pipe_ops, O_WRONLY | (flags & O_NONBLOCK), p, w);
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
	struct pipe *p = fifo_pipe(i);
	unsigned nread, nwrite;
	int err;

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
	return ((struct pipe *)f->priv)->size;
}

long
pipe_set_size(struct file *f, uint64_t size)
{
	struct pipe *p = f->priv;
	uint32_t bytes = PIPE_BUF;
	struct ring ring;
	uint8_t *buf;
	long err = 0;

	if (f->ops != &pipe_ops)
		return -EBADF;
	if (size > LIMIT_PIPE_BYTES)
		return size > 1u << 31 ? -EINVAL : -EPERM;
	while (bytes < size)
		bytes *= 2;
	buf = vmalloc(bytes, ALLOC_KERNEL);
	if (!buf)
		return -ENOMEM;
	ring_init(&ring, buf, bytes);
	mutex_lock(&p->lock);
	if (ring_used(&p->ring) > bytes || p->held) {
		err = -EBUSY;
	} else {
		struct ring old = p->ring;

		if (old.buf) {
			uint32_t n = ring_read(&old, buf, ring_used(&old));

			ring.head = n;
		}
		buf = old.buf;
		p->ring = ring;
		p->size = bytes;
	}
	mutex_unlock(&p->lock);
	vfree(buf);
	wait_wake_all(&p->write_wq, POLLOUT | POLLWRNORM);
	return err ? err : (long)bytes;
}

/* ---- splice ---- */

bool
pipe_is(const struct file *f)
{
	return f->ops == &pipe_ops;
}

bool
pipe_same(const struct file *a, const struct file *b)
{
	return a->priv == b->priv;
}

/* 0: held; -EAGAIN: nothing to be had. */
static int
try_hold(struct pipe *p, bool *end)
{
	int err = -EAGAIN;

	mutex_lock(&p->lock);
	if (can_read(p)) {
		*end = !ring_used(&p->ring);
		p->held = !*end;
		err = 0;
	}
	mutex_unlock(&p->lock);
	return err;
}

ssize_t
pipe_hold(struct file *f, struct uio_seg *segs, size_t len, bool nonblock)
{
	struct pipe *p = f->priv;
	uint32_t at, n;
	bool end;
	int err;

	while ((err = try_hold(p, &end)) == -EAGAIN) {
		if (nonblock || file_nonblock(f))
			return err;
		err = wait_readable(p);
		if (err)
			return err;
	}
	if (end)
		return 0;
	/* The tail and the ring itself are ours; writers only add. */
	at = p->ring.tail & (p->ring.size - 1);
	n = (uint32_t)min_u64(len, ring_used(&p->ring));
	segs[0].base = (uint64_t)(p->ring.buf + at);
	segs[0].len = min_u64(n, p->ring.size - at);
	segs[1].base = (uint64_t)p->ring.buf;
	segs[1].len = n - segs[0].len;
	return (ssize_t)n;
}

void
pipe_unhold(struct file *f, size_t n)
{
	struct pipe *p = f->priv;
	bool more;

	mutex_lock(&p->lock);
	p->held = false;
	p->ring.tail += (uint32_t)n;
	more = ring_used(&p->ring) || !p->writers;
	mutex_unlock(&p->lock);
	if (n)
		wait_wake(&p->write_wq, 1, POLLOUT | POLLWRNORM);
	if (more)
		wait_wake(&p->read_wq, 1, POLLIN | POLLRDNORM);
}

ssize_t
pipe_wait_room(struct file *f, bool nonblock)
{
	struct pipe *p = f->priv;

	for (;;) {
		uint32_t room;
		bool broken;
		int err;

		mutex_lock(&p->lock);
		broken = !p->readers;
		room = p->size - ring_used(&p->ring);
		mutex_unlock(&p->lock);
		if (broken)
			return -EPIPE;
		if (room)
			return (ssize_t)room;
		if (nonblock || file_nonblock(f))
			return -EAGAIN;
		err = wait_writable(p, PIPE_BUF + 1);
		if (err)
			return err;
	}
}
