/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: registered files and buffers.
 *
 * The table of files is changed under the submission lock and the ring's
 * lock, or, for single places (uring_install, uring_close_fixed), under the
 * ring's lock alone; either is enough to read it.  Buffers belong to the
 * submission lock.
 *
 * A place may have a tag: when it is changed and no request uses what was
 * there any more, a completion with the tag says so.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/uio.h>
#include <base/string.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define BUFFER_MAX (1ull << 30) /* bytes of one */
#define FD_NONE	   (-1)
#define FD_STAYS   (-2)

/* ---- tags ---- */

struct uring_tag {
	struct refcount refs; /* its place, and requests */
	struct uring *ring;   /* [I] lives: both have references to it */
	uint64_t tag;	      /* [I] */
};

void
uring_tag_put(struct uring_tag *t)
{
	if (!t || !refcount_put(&t->refs))
		return;
	if (!t->ring->dead)
		uring_post(t->ring, t->tag, 0, 0, true);
	kfree(t);
}

/* The tag of place k of an update, or NULL: none. */
static int
get_tag(struct uring *u, const uint64_t __user *tags, unsigned k,
	struct uring_tag **out)
{
	uint64_t tag = 0;

	*out = NULL;
	if (tags && copy_from_user(&tag, tags + k, sizeof(tag)))
		return -EFAULT;
	if (!tag)
		return 0;
	*out = kmalloc(sizeof(**out), ALLOC_KERNEL);
	if (!*out)
		return -ENOMEM;
	refcount_set(&(*out)->refs, 1);
	(*out)->ring = u;
	(*out)->tag = tag;
	return 0;
}

/* ---- files ---- */

struct file *
uring_fixed_file(struct uring *u, uint32_t index, struct uring_tag **tag)
{
	irqflags_t flags = spin_lock_irq(&u->lock);
	struct file *f = NULL;

	if (index < u->nfiles && u->files[index].file) {
		f = u->files[index].file;
		file_get(f);
		*tag = u->files[index].tag;
		if (*tag)
			refcount_get(&(*tag)->refs);
	}
	spin_unlock_irq(&u->lock, flags);
	return f;
}

static void
drop_slot(struct uring_slot *s)
{
	if (s->file)
		file_put(s->file);
	uring_tag_put(s->tag);
	*s = (struct uring_slot){ 0 };
}

/* *s goes to a place of the table; *s becomes what was there.  -EINVAL. */
static int
exchange(struct uring *u, unsigned index, struct uring_slot *s)
{
	irqflags_t flags = spin_lock_irq(&u->lock);
	struct uring_slot old = { 0 };
	int err = index < u->nfiles ? 0 : -EINVAL;

	if (!err) {
		old = u->files[index];
		u->files[index] = *s;
		*s = old;
		/* Where a free place is looked for first, as on Linux. */
		if (u->files[index].file)
			u->alloc_next = index + 1;
		else if (old.file)
			u->alloc_next = index;
	}
	spin_unlock_irq(&u->lock, flags);
	return err;
}

/* -1: an empty place.  A ring in itself would never go. */
static int
file_of(int fd, struct file **out)
{
	int err;

	*out = NULL;
	if (fd == FD_NONE)
		return 0;
	err = fd_get(thread_current()->fds, fd, out);
	if (err) {
		*out = NULL;
		return err;
	}
	if (uring_is(*out)) {
		file_put(*out);
		*out = NULL;
		return -EBADF;
	}
	return 0;
}

static int
get_slot(struct uring *u, const int32_t __user *fds,
	 const uint64_t __user *tags, unsigned k, struct uring_slot *s)
{
	int32_t fd = FD_NONE;
	int err = get_tag(u, tags, k, &s->tag);

	s->file = NULL;
	if (!err && fds)
		err = copy_from_user(&fd, fds + k, sizeof(fd));
	if (!err && fd < 0 && s->tag)
		err = -EINVAL; /* a tag of nothing */
	if (!err)
		err = file_of(fd, &s->file);
	if (err) {
		kfree(s->tag);
		s->tag = NULL;
	}
	return err;
}

static void
drop_slots(struct uring_slot *s, unsigned n)
{
	while (n)
		drop_slot(&s[--n]);
	kfree(s);
}

/* fds NULL: all places are empty. */
static long
register_files(struct uring *u, const int32_t __user *fds,
	       const uint64_t __user *tags, unsigned n)
{
	struct uring_slot *s;
	irqflags_t f;
	unsigned k;
	int err;

	if (u->files)
		return -EBUSY;
	if (!n)
		return -EINVAL;
	if (n > URING_MAX_FILES)
		return -EMFILE;
	s = kcalloc(n, sizeof(*s), ALLOC_KERNEL);
	if (!s)
		return -ENOMEM;
	for (k = 0; k < n; k++) {
		err = get_slot(u, fds, tags, k, &s[k]);
		if (err) {
			while (k) /* nobody hears of their tags */
				kfree(s[--k].tag), s[k].tag = NULL;
			drop_slots(s, n);
			return err;
		}
	}
	f = spin_lock_irq(&u->lock);
	u->files = s;
	u->nfiles = n;
	u->alloc_from = u->alloc_next = 0;
	u->alloc_to = n;
	spin_unlock_irq(&u->lock, f);
	return 0;
}

static long
unregister_files(struct uring *u)
{
	struct uring_slot *s = u->files;
	unsigned n = u->nfiles;
	irqflags_t f;

	if (!s)
		return -ENXIO;
	f = spin_lock_irq(&u->lock);
	u->files = NULL;
	u->nfiles = u->alloc_from = u->alloc_to = 0;
	spin_unlock_irq(&u->lock, f);
	drop_slots(s, n);
	return 0;
}

void
uring_drop_files(struct uring *u)
{
	if (u->files)
		ignore(unregister_files(u)); /* there are some */
	while (u->nbufs)
		uring_tag_put(u->bufs[--u->nbufs].tag);
	kfree(u->bufs);
}

/* How many places were changed, or the first's error. */
static long
update_files(struct uring *u, unsigned offset, const int32_t __user *fds,
	     const uint64_t __user *tags, unsigned n)
{
	struct uring_slot s;
	unsigned k;
	int32_t fd;
	int err = 0;

	if (!u->files)
		return -ENXIO;
	if (offset > u->nfiles || n > u->nfiles - offset)
		return -EINVAL;
	for (k = 0; k < n; k++) {
		err = copy_from_user(&fd, fds + k, sizeof(fd));
		if (err)
			break;
		err = get_slot(u, fds, tags, k, &s);
		if (fd == FD_STAYS && err == -EBADF) {
			err = 0;
			continue;
		}
		if (err == -EINVAL || err == -EFAULT || err == -ENOMEM)
			break;
		/* A place whose new file is none is empty, as on Linux. */
		ignore(exchange(u, offset + k, &s)); /* it is there */
		drop_slot(&s);
		if (err)
			break;
	}
	return k ? (long)k : err;
}

/* ---- places that operations fill and empty ---- */

/* With the lock: a free place, or -ENFILE. */
static int
find_free(struct uring *u)
{
	unsigned at = u->alloc_next, k;

	for (k = u->alloc_from; k < u->alloc_to; k++, at++) {
		if (at < u->alloc_from || at >= u->alloc_to)
			at = u->alloc_from;
		if (!u->files[at].file)
			return (int)at;
	}
	return -ENFILE;
}

static long
install_anywhere(struct uring *u, struct uring_slot *s)
{
	irqflags_t flags = spin_lock_irq(&u->lock);
	int at = find_free(u);

	if (at >= 0) {
		u->files[at] = *s;
		u->alloc_next = (unsigned)at + 1;
	}
	spin_unlock_irq(&u->lock, flags);
	return at;
}

long
uring_install(struct uring *u, struct file *f, uint32_t file_index)
{
	struct uring_slot s = { f, NULL };
	long r;

	if (!u->files)
		r = -ENXIO;
	else if (uring_is(f))
		r = -EBADF;
	else if (file_index == IORING_FILE_INDEX_ALLOC)
		r = install_anywhere(u, &s);
	else
		r = exchange(u, file_index - 1, &s);
	if (r < 0)
		file_put(f);
	else if (file_index != IORING_FILE_INDEX_ALLOC)
		drop_slot(&s);
	return r;
}

long
uring_close_fixed(struct uring_req *r)
{
	struct uring_slot s = { 0 };
	int err;

	if (!r->ring->files)
		return -ENXIO;
	err = exchange(r->ring, r->sqe.file_index - 1, &s);
	if (!err && !s.file)
		err = -EBADF;
	drop_slot(&s);
	return err;
}

static long
set_alloc_range(struct uring *u, const void __user *arg)
{
	struct io_uring_file_index_range r;
	irqflags_t f;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.off > UINT32_MAX - r.len)
		return -EOVERFLOW;
	if (r.resv || r.off + r.len > u->nfiles)
		return -EINVAL;
	f = spin_lock_irq(&u->lock);
	u->alloc_from = u->alloc_next = r.off;
	u->alloc_to = r.off + r.len;
	spin_unlock_irq(&u->lock, f);
	return 0;
}

/* The operation: within a submission, so the table is ours. */
long
uring_files_update(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	const int32_t __user *fds = (const int32_t __user *)s->addr;
	struct file *f;
	int32_t fd;
	long at = 0;
	unsigned k;

	if (s->op_flags || s->file_index || !s->len)
		return -EINVAL;
	if (thread_current()->kernel)
		return -EOPNOTSUPP; /* linked behind one that waited */
	if ((uint32_t)s->off != IORING_FILE_INDEX_ALLOC)
		return update_files(r->ring, (unsigned)s->off, fds, NULL,
				    s->len);
	/* To places that are free: the program hears which. */
	if (!r->ring->files)
		return -ENXIO;
	for (k = 0; k < s->len; k++) {
		if (copy_from_user(&fd, fds + k, sizeof(fd)))
			at = -EFAULT;
		else if (fd_get(thread_current()->fds, fd, &f))
			at = -EBADF;
		else
			at = uring_install(r->ring, f, IORING_FILE_INDEX_ALLOC);
		if (at < 0)
			break;
		fd = (int32_t)at;
		if (copy_to_user((int32_t __user *)s->addr + k, &fd,
				 sizeof(fd))) {
			struct uring_slot none = { 0 };

			ignore(exchange(r->ring, (unsigned)at, &none));
			drop_slot(&none);
			at = -EFAULT;
			break;
		}
	}
	return k ? (long)k : at;
}

/* ---- buffers ---- */

static int
get_buffer(struct uring *u, const struct iovec __user *iov,
	   const uint64_t __user *tags, unsigned k, struct uring_buffer *b)
{
	struct iovec v = { 0 };
	int err = 0;

	if (iov && copy_from_user(&v, iov + k, sizeof(v)))
		return -EFAULT;
	if ((!v.base && v.len) || v.len > BUFFER_MAX || (v.base && !v.len))
		return -EFAULT;
	err = get_tag(u, tags, k, &b->tag);
	if (!err && !v.base && b->tag)
		err = -EINVAL; /* a tag of nothing */
	if (!err && v.base)
		err = user_prefault((void __user *)v.base, v.len, true);
	if (err) {
		kfree(b->tag);
		b->tag = NULL;
		return err;
	}
	b->addr = v.base;
	b->len = v.len;
	return 0;
}

/* iov NULL: all places are empty. */
static long
register_buffers(struct uring *u, const struct iovec __user *iov,
		 const uint64_t __user *tags, unsigned n)
{
	struct uring_buffer *b;
	unsigned k;
	int err = 0;

	if (u->bufs)
		return -EBUSY;
	if (!n || n > URING_MAX_BUFFERS)
		return -EINVAL;
	b = kcalloc(n, sizeof(*b), ALLOC_KERNEL);
	if (!b)
		return -ENOMEM;
	for (k = 0; k < n && !err; k++)
		err = get_buffer(u, iov, tags, k, &b[k]);
	if (err) {
		while (k)
			kfree(b[--k].tag);
		kfree(b);
		return err;
	}
	u->bufs = b;
	u->nbufs = n;
	return 0;
}

static long
unregister_buffers(struct uring *u)
{
	struct uring_buffer *b = u->bufs;
	unsigned n = u->nbufs;

	if (!b)
		return -ENXIO;
	u->bufs = NULL;
	u->nbufs = 0;
	while (n)
		uring_tag_put(b[--n].tag);
	kfree(b);
	return 0;
}

static long
update_buffers(struct uring *u, unsigned offset, const struct iovec __user *iov,
	       const uint64_t __user *tags, unsigned n)
{
	struct uring_buffer b;
	unsigned k;
	int err = 0;

	if (!u->bufs)
		return -ENXIO;
	if (offset > u->nbufs || n > u->nbufs - offset)
		return -EINVAL;
	for (k = 0; k < n; k++) {
		err = get_buffer(u, iov, tags, k, &b);
		if (err)
			break;
		uring_tag_put(u->bufs[offset + k].tag);
		u->bufs[offset + k] = b;
	}
	return k ? (long)k : err;
}

/* The ring is locked for submission. */
int
uring_fixed_buffer(struct uring_req *r)
{
	const struct uring *u = r->ring;
	const struct uring_buffer *b;
	uint64_t end;

	if (r->sqe.buf_index >= u->nbufs)
		return -EFAULT;
	b = &u->bufs[r->sqe.buf_index];
	if (__builtin_add_overflow(r->sqe.addr, r->sqe.len, &end) || !b->addr ||
	    r->sqe.addr < b->addr || end > b->addr + b->len)
		return -EFAULT;
	if (b->tag) {
		refcount_get(&b->tag->refs);
		r->tags[1] = b->tag;
	}
	uio_init_user(&r->uio, (void __user *)r->sqe.addr, r->sqe.len);
	r->want = r->uio.resid;
	return 0;
}

/* ---- io_uring_register ---- */

static long
register_2(struct uring *u, const void __user *arg, unsigned size, bool files)
{
	struct io_uring_rsrc_register rr;
	const void __user *data;
	const uint64_t __user *tags;
	bool sparse;

	if (size != sizeof(rr))
		return -EINVAL;
	if (copy_from_user(&rr, arg, sizeof(rr)))
		return -EFAULT;
	sparse = rr.flags & IORING_RSRC_REGISTER_SPARSE;
	if (!rr.nr || rr.resv2 || rr.flags & ~IORING_RSRC_REGISTER_SPARSE ||
	    (sparse && rr.data))
		return -EINVAL;
	if (!sparse && !rr.data)
		return -EFAULT;
	data = (const void __user *)rr.data;
	tags = (const uint64_t __user *)rr.tags;
	return files ? register_files(u, data, tags, rr.nr) :
		       register_buffers(u, data, tags, rr.nr);
}

static long
update_2(struct uring *u, const void __user *arg, unsigned size, bool files)
{
	struct io_uring_rsrc_update2 up;
	const uint64_t __user *tags;
	const void __user *data;

	if (size != sizeof(up))
		return -EINVAL;
	if (copy_from_user(&up, arg, sizeof(up)))
		return -EFAULT;
	if (!up.nr || up.resv || up.resv2)
		return -EINVAL;
	data = (const void __user *)up.data;
	tags = (const uint64_t __user *)up.tags;
	return files ? update_files(u, up.offset, data, tags, up.nr) :
		       update_buffers(u, up.offset, data, tags, up.nr);
}

static long
update_1(struct uring *u, const void __user *arg, unsigned n)
{
	struct io_uring_rsrc_update2 up = { 0 };

	if (!n)
		return -EINVAL;
	if (copy_from_user(&up, arg,
			   offsetof(struct io_uring_rsrc_update2, tags)))
		return -EFAULT;
	if (up.resv)
		return -EINVAL;
	return update_files(u, up.offset, (const int32_t __user *)up.data, NULL,
			    n);
}

long
uring_register_rsrc(struct uring *u, unsigned op, void __user *arg, unsigned n)
{
	switch (op) {
	case IORING_REGISTER_BUFFERS:
		return arg ? register_buffers(u, arg, NULL, n) : -EFAULT;
	case IORING_UNREGISTER_BUFFERS:
		return arg || n ? -EINVAL : unregister_buffers(u);
	case IORING_REGISTER_FILES:
		return arg ? register_files(u, arg, NULL, n) : -EFAULT;
	case IORING_UNREGISTER_FILES:
		return arg || n ? -EINVAL : unregister_files(u);
	case IORING_REGISTER_FILES_UPDATE:
		return update_1(u, arg, n);
	case IORING_REGISTER_FILES2:
	case IORING_REGISTER_BUFFERS2:
		return register_2(u, arg, n, op == IORING_REGISTER_FILES2);
	case IORING_REGISTER_FILES_UPDATE2:
	case IORING_REGISTER_BUFFERS_UPDATE:
		return update_2(u, arg, n, op == IORING_REGISTER_FILES_UPDATE2);
	case IORING_REGISTER_FILE_ALLOC_RANGE:
		return !arg || n ? -EINVAL : set_alloc_range(u, arg);
	default:
		return -EINVAL;
	}
}
