/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: reading and writing, and the buffers for them.
 *
 * A transfer is tried without sleeping (uio.nowait).  What the page cache
 * does not have is left to a worker; a stream that is not ready is armed by
 * the caller; O_DIRECT is handed to the block layer where it can be.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/stat.h>
#include <abi/uio.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/file.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define RW_FLAGS     (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)
#define MAX_PROVIDED 65536u

struct provided {	  /* one buffer */
	struct list link; /* [ring lock] */
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
};

struct group {
	struct list link;    /* [ring lock] */
	struct list buffers; /* [ring lock] */
	unsigned n;	     /* [ring lock] */
	uint16_t id;
};

/* ---- provided buffers ---- */

static struct group *
find_group(struct uring *u, uint16_t id)
{
	struct group *g;

	list_for_each_entry(g, &u->groups, link)
		if (g->id == id)
			return g;
	return NULL;
}

bool
uring_has_buffer(struct uring_req *r)
{
	irqflags_t f = spin_lock_irq(&r->ring->lock);
	struct group *g = find_group(r->ring, r->sqe.buf_index);
	bool has = r->has_buffer || (g && g->n);

	spin_unlock_irq(&r->ring->lock, f);
	return has;
}

int
uring_take_buffer(struct uring_req *r, uint64_t *addr, uint32_t *len)
{
	struct uring *u = r->ring;
	struct provided *b = NULL;
	struct group *g;
	irqflags_t f = spin_lock_irq(&u->lock);

	g = find_group(u, r->sqe.buf_index);
	if (g && g->n) {
		b = list_first_entry(&g->buffers, struct provided, link);
		list_del(&b->link);
		g->n--;
	}
	spin_unlock_irq(&u->lock, f);
	if (!b)
		return -ENOBUFS;
	*addr = b->addr;
	if (!*len || *len > b->len)
		*len = b->len;
	r->bid = b->bid;
	r->has_buffer = true;
	r->cflags = IORING_CQE_F_BUFFER | (uint32_t)b->bid
						  << IORING_CQE_BUFFER_SHIFT;
	kfree(b);
	return 0;
}

static int
add_buffer(struct uring *u, uint16_t gid, struct provided *b,
	   struct group **spare)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *g = find_group(u, gid);
	int err = 0;

	if (!g) {
		g = *spare;
		*spare = NULL;
		g->id = gid;
		list_add_tail(&u->groups, &g->link);
	}
	if (g->n >= MAX_PROVIDED) {
		err = -EOVERFLOW;
	} else {
		list_add_tail(&g->buffers, &b->link);
		g->n++;
	}
	spin_unlock_irq(&u->lock, f);
	return err;
}

/* len bytes each, fd of them, from addr on; numbered from off on. */
long
uring_provide_buffers(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	struct group *spare;
	int n = s->fd, k, err = 0;
	uint64_t bytes;

	if (s->op_flags || n <= 0 || n > (int)UINT16_MAX)
		return s->op_flags ? -EINVAL : -E2BIG;
	if (s->off > UINT16_MAX || s->off + (uint64_t)n > MAX_PROVIDED)
		return -EINVAL;
	bytes = (uint64_t)s->len * (uint64_t)n;
	if (!s->len)
		return -EINVAL;
	if (!user_range_ok((void __user *)s->addr, bytes))
		return -EFAULT;
	spare = kzalloc(sizeof(*spare), ALLOC_KERNEL);
	if (!spare)
		return -ENOMEM;
	list_init(&spare->link);
	list_init(&spare->buffers);
	for (k = 0; k < n && !err; k++) {
		struct provided *b = kmalloc(sizeof(*b), ALLOC_KERNEL);

		if (!b) {
			err = -ENOMEM;
			break;
		}
		list_init(&b->link);
		b->addr = s->addr + (uint64_t)k * s->len;
		b->len = s->len;
		b->bid = (uint16_t)(s->off + (uint64_t)k);
		err = add_buffer(r->ring, s->buf_index, b, &spare);
		if (err)
			kfree(b);
	}
	kfree(spare);
	return err;
}

long
uring_remove_buffers(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	int n = s->fd, done = 0;

	if (s->op_flags || s->addr || s->len || s->off || n <= 0 ||
	    n > (int)UINT16_MAX)
		return -EINVAL;
	while (done < n) {
		uint64_t addr;
		uint32_t len = 0;

		if (uring_take_buffer(r, &addr, &len))
			break;
		done++;
	}
	r->cflags = 0;
	r->has_buffer = false;
	if (!done) {
		irqflags_t f = spin_lock_irq(&r->ring->lock);

		if (!find_group(r->ring, s->buf_index))
			done = -ENOENT;
		spin_unlock_irq(&r->ring->lock, f);
	}
	return done;
}

void
uring_drop_tables(struct uring *u)
{
	unsigned k;

	while (!list_empty(&u->groups)) {
		struct group *g =
			list_first_entry(&u->groups, struct group, link);

		while (!list_empty(&g->buffers)) {
			struct provided *b = list_first_entry(
				&g->buffers, struct provided, link);

			list_del(&b->link);
			kfree(b);
		}
		list_del(&g->link);
		kfree(g);
	}
	while (!list_empty(&u->overflow)) {
		struct list *o = u->overflow.next;

		list_del(o);
		kfree(o); /* the link is its first member */
	}
	for (k = 0; k < u->nfiles; k++)
		if (u->files[k])
			file_put(u->files[k]);
	kfree(u->files);
	kfree(u->bufs);
	if (u->eventfd)
		file_put(u->eventfd);
}

/* ---- preparation ---- */

static int
check_rw(const struct uring_req *r)
{
	if (r->sqe.op_flags & ~(uint32_t)RW_FLAGS)
		return -EOPNOTSUPP;
	return 0;
}

int
uring_prep_rw(struct uring_req *r)
{
	void __user *buf = (void __user *)r->sqe.addr;
	int err = check_rw(r);

	if (err)
		return err;
	if (r->sqe.flags & IOSQE_BUFFER_SELECT) {
		r->want = r->sqe.len;
		return 0; /* the buffer is chosen when there is something */
	}
	if (!user_range_ok(buf, r->sqe.len))
		return -EFAULT;
	uio_init_user(&r->uio, buf, r->sqe.len);
	r->want = r->uio.resid;
	return 0;
}

int
uring_prep_vector(struct uring_req *r)
{
	int err = check_rw(r);

	if (err)
		return err;
	if (r->sqe.flags & IOSQE_BUFFER_SELECT) {
		struct iovec v;

		if (r->sqe.len != 1)
			return -EINVAL;
		if (copy_from_user(&v, (void __user *)r->sqe.addr, sizeof(v)))
			return -EFAULT;
		if (v.len > UINT32_MAX)
			return -EINVAL;
		r->sqe.len = (uint32_t)v.len;
		r->want = r->sqe.len;
		return 0;
	}
	err = uio_init_iovec(&r->uio, (void __user *)r->sqe.addr, r->sqe.len);
	if (!err)
		r->want = r->uio.resid;
	return err;
}

/* Within a registered buffer; the ring is locked for submission. */
int
uring_prep_fixed(struct uring_req *r)
{
	const struct uring *u = r->ring;
	const struct uring_buffer *b;
	uint64_t end;
	int err = check_rw(r);

	if (err)
		return err;
	if (r->sqe.buf_index >= u->nbufs)
		return -EFAULT;
	b = &u->bufs[r->sqe.buf_index];
	if (__builtin_add_overflow(r->sqe.addr, r->sqe.len, &end) ||
	    r->sqe.addr < b->addr || end > b->addr + b->len)
		return -EFAULT;
	uio_init_user(&r->uio, (void __user *)r->sqe.addr, r->sqe.len);
	r->want = r->uio.resid;
	return 0;
}

/* ---- transfers ---- */

static void
direct_done(struct direct_io *io)
{
	struct uring_req *r = container_of(io, struct uring_req, direct);
	long res = io->err ? io->err : (long)io->len;

	/* The program hears at once; what is left needs a thread. */
	if (direct_settled(io) && !(r->sqe.flags & IOSQE_CQE_SKIP_SUCCESS)) {
		r->posted = true;
		uring_post(r->ring, r->sqe.user_data, res, r->cflags, true);
		if (uring_leave_to_waiter(r))
			return;
	}
	uring_complete_later(r, res);
}

static bool
is_regular(const struct file *f)
{
	return f->inode && S_ISREG(f->inode->mode);
}

/* To the block layer: URING_LATER, -EAGAIN: the other ways, -errno. */
static long
start_direct(struct uring_req *r, bool write, int64_t pos)
{
	struct uio u = r->uio;
	int err;

	if (!(r->file->flags & O_DIRECT) || r->done || u.segs != r->uio.fast ||
	    pos < 0 || (r->sqe.op_flags & (RWF_DSYNC | RWF_SYNC | RWF_APPEND)))
		return -EAGAIN;
	u.segs = u.fast;
	uring_will_complete(r);
	r->direct.done = direct_done;
	r->is_direct = true; /* it may be over before this returns */
	err = direct_start(r->file, &u, pos, write, &r->direct);
	if (!err)
		return URING_LATER;
	r->is_direct = false;
	return err;
}

/* Once from the uio, at the position that the entry names. */
static ssize_t
transfer(struct uring_req *r, bool write)
{
	struct file *f = r->file;
	int64_t pos = (int64_t)r->sqe.off;

	r->uio.nowait = !r->blocking;
	r->uio.append = write && (r->sqe.op_flags & RWF_APPEND);
	if (pos == -1 || (f->mode & FILE_STREAM))
		return write ? file_write(f, &r->uio) : file_read(f, &r->uio);
	pos += (int64_t)r->done;
	return write ? file_pwrite(f, &r->uio, pos) :
		       file_pread(f, &r->uio, pos);
}

static ssize_t
sync_after(struct uring_req *r, ssize_t n)
{
	int err;

	if (n <= 0 || !(r->sqe.op_flags & (RWF_DSYNC | RWF_SYNC)) ||
	    !r->file->ops->fsync)
		return n;
	err = r->file->ops->fsync(r->file, 0, INT64_MAX,
				  !(r->sqe.op_flags & RWF_SYNC));
	return err ? err : n;
}

static long
regular(struct uring_req *r, bool write)
{
	ssize_t n;

	if (!r->blocking) {
		/* A sync at the end sleeps in any case. */
		if (r->sqe.op_flags & (RWF_DSYNC | RWF_SYNC))
			return URING_WORKER;
		n = start_direct(r, write, (int64_t)r->sqe.off);
		if (n != -EAGAIN)
			return n;
		if (write && (r->file->flags & O_DIRECT))
			return URING_WORKER;
	}
	n = transfer(r, write);
	if (r->blocking) {
		if (n < 0)
			return r->done ? (long)r->done : n;
		return sync_after(r, n + (ssize_t)r->done);
	}
	if (n == -EAGAIN || n == -EOPNOTSUPP)
		return r->sqe.op_flags & RWF_NOWAIT ? -EAGAIN : URING_WORKER;
	if (n < 0)
		return n;
	/* Cut short by what is not cached: the rest sleeps for it. */
	r->done += (size_t)n;
	if (n && r->uio.resid && !(r->sqe.op_flags & RWF_NOWAIT) && !write &&
	    (int64_t)r->sqe.off != -1 &&
	    r->sqe.off + r->done < r->file->inode->size)
		return URING_WORKER;
	return (long)r->done;
}

/* Pipes, sockets, terminals: what is there, or -EAGAIN. */
static long
stream(struct uring_req *r, bool write)
{
	struct file *f = r->file;
	uint64_t addr;
	uint32_t len;
	int err;

	if (!r->blocking && f->ops->poll &&
	    !(file_poll(f, NULL) &
	      ((write ? POLLOUT : POLLIN) | POLLERR | POLLHUP)))
		return -EAGAIN;
	if ((r->sqe.flags & IOSQE_BUFFER_SELECT) && !r->has_buffer) {
		len = r->sqe.len;
		err = uring_take_buffer(r, &addr, &len);
		if (err)
			return err;
		uio_init_user(&r->uio, (void __user *)addr, len);
		r->want = len;
	}
	return transfer(r, write);
}

static long
read_write(struct uring_req *r, bool write)
{
	struct file *f = r->file;

	if (!(f->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	if (write ? !f->ops->write : !f->ops->read)
		return f->mode & FILE_DIR ? -EISDIR : -EINVAL;
	if ((int64_t)r->sqe.off < -1)
		return -EINVAL;
	if ((r->sqe.flags & IOSQE_ASYNC) && !r->blocking && !f->ops->poll)
		return URING_WORKER;
	if (is_regular(f) && !(r->sqe.flags & IOSQE_BUFFER_SELECT))
		return regular(r, write);
	/* A device that cannot be waited for by poll may sleep. */
	if (!f->ops->poll && !r->blocking &&
	    !(r->sqe.flags & IOSQE_BUFFER_SELECT))
		return URING_WORKER;
	return stream(r, write);
}

long
uring_read(struct uring_req *r)
{
	return read_write(r, false);
}

long
uring_write(struct uring_req *r)
{
	return read_write(r, true);
}
