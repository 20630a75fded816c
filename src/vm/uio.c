/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory side of a transfer.  All copies go through one loop that walks
 * the pieces and stops at the first byte that cannot be had.
 */
#include <vm/uio.h>

#include <abi/errno.h>
#include <abi/uio.h>
#include <base/string.h>
#include <mem/heap.h>
#include <vm/uaccess.h>

/* Linux: one read or write moves at most this much (MAX_RW_COUNT). */
#define UIO_MAX_BYTES 0x7ffff000ull

static void
init_single(struct uio *u, uint64_t base, size_t len, bool user)
{
	u->segs = u->fast;
	u->nsegs = 1;
	u->user = user;
	u->nofault = false;
	u->append = false;
	u->nowait = false;
	u->resid = len;
	u->heap = NULL;
	u->fast[0].base = base;
	u->fast[0].len = len;
}

void
uio_init_user(struct uio *u, const void __user *buf, size_t len)
{
	if (len > UIO_MAX_BYTES)
		len = UIO_MAX_BYTES;
	init_single(u, (uint64_t)buf, len, true);
}

void
uio_init_kernel(struct uio *u, void *buf, size_t len)
{
	init_single(u, (uint64_t)buf, len, false);
}

/* Sums the lengths up; cuts what is beyond the limit of one transfer. */
static int
check_segs(struct uio *u, unsigned n)
{
	size_t total = 0;

	for (unsigned i = 0; i < n; i++) {
		struct uio_seg *s = &u->segs[i];

		if ((int64_t)s->len < 0)
			return -EINVAL;
		if (!user_range_ok((const void __user *)s->base, s->len))
			return -EFAULT;
		if (s->len > UIO_MAX_BYTES - total)
			s->len = UIO_MAX_BYTES - total;
		total += s->len;
	}
	u->resid = total;
	return 0;
}

int
uio_init_iovec(struct uio *u, const void __user *iov, unsigned n)
{
	int err;

	/* A piece has the layout of the program's iovec. */
	static_assert(sizeof(struct uio_seg) == sizeof(struct iovec), "iovec");
	init_single(u, 0, 0, true);
	if (n > UIO_MAX_SEGS)
		return -EINVAL;
	u->nsegs = n;
	if (n == 0)
		return 0;
	if (n > UIO_FAST_SEGS) {
		u->heap = kmalloc(n * sizeof(struct uio_seg), ALLOC_KERNEL);
		if (u->heap == NULL)
			return -ENOMEM;
		u->segs = u->heap;
	}
	err = copy_from_user(u->segs, iov, n * sizeof(struct uio_seg));
	if (!err)
		err = check_segs(u, n);
	if (err)
		uio_fini(u);
	return err;
}

void
uio_fini(struct uio *u)
{
	kfree(u->heap);
	u->heap = NULL;
	u->nsegs = 0;
	u->resid = 0;
}

void
uio_advance(struct uio *u, size_t len)
{
	while (len > 0 && u->nsegs > 0) {
		size_t n = u->segs->len < len ? u->segs->len : len;

		u->segs->base += n;
		u->segs->len -= n;
		u->resid -= n;
		len -= n;
		if (u->segs->len == 0) {
			u->segs++;
			u->nsegs--;
		}
	}
}

void
uio_truncate(struct uio *u, size_t len)
{
	u->resid = len;
	for (unsigned i = 0; i < u->nsegs; i++) {
		if (u->segs[i].len > len)
			u->segs[i].len = len;
		len -= u->segs[i].len;
	}
}

enum direction { TO_UIO, FROM_UIO, ZERO_UIO };

/* Copies within one piece; returns bytes not copied. */
static size_t
copy_piece(const struct uio *u, enum direction dir, char *k, size_t len)
{
	uint64_t base = u->segs->base;

	if (!u->user) {
		if (dir == TO_UIO)
			memcpy((void *)base, k, len);
		else if (dir == FROM_UIO)
			memcpy(k, (const void *)base, len);
		else
			memset((void *)base, 0, len);
		return 0;
	}
	if (dir == FROM_UIO)
		return u->nofault ?
			       copy_from_user_nofault(k, (void __user *)base,
						      len) :
			       copy_from_user_partial(k, (void __user *)base,
						      len);
	if (dir == ZERO_UIO)
		return clear_user_partial((void __user *)base, len, u->nofault);
	return u->nofault ? copy_to_user_nofault((void __user *)base, k, len) :
			    copy_to_user_partial((void __user *)base, k, len);
}

/* All of it lies in the first piece, as it mostly does. */
static inline ssize_t
transfer_one(struct uio *u, enum direction dir, char *k, size_t len)
{
	struct uio_seg *s = u->segs;
	size_t n = len - copy_piece(u, dir, k, len);

	s->base += n;
	s->len -= n;
	u->resid -= n;
	if (s->len == 0) {
		u->segs++;
		u->nsegs--;
	}
	return n > 0 ? (ssize_t)n : -EFAULT;
}

static ssize_t
transfer(struct uio *u, enum direction dir, void *kernel, size_t len)
{
	char *k = kernel;
	size_t done = 0;

	if (len > u->resid)
		len = u->resid;
	if (likely(len > 0 && u->segs->len >= len))
		return transfer_one(u, dir, k, len);
	while (done < len) {
		size_t n = len - done, left;

		while (u->segs->len == 0) {
			u->segs++;
			u->nsegs--;
		}
		if (n > u->segs->len)
			n = u->segs->len;
		left = copy_piece(u, dir, k + done, n);
		uio_advance(u, n - left);
		done += n - left;
		if (left > 0)
			return done > 0 ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

ssize_t
uio_write(struct uio *u, const void *src, size_t len)
{
	return transfer(u, TO_UIO, (void *)(uint64_t)src, len);
}

ssize_t
uio_read(struct uio *u, void *dst, size_t len)
{
	return transfer(u, FROM_UIO, dst, len);
}

ssize_t
uio_zero(struct uio *u, size_t len)
{
	return transfer(u, ZERO_UIO, NULL, len);
}

int
uio_prefault(const struct uio *u, size_t len, bool write)
{
	if (!u->user)
		return 0;
	if (len > u->resid)
		len = u->resid;
	for (unsigned i = 0; i < u->nsegs && len > 0; i++) {
		const struct uio_seg *s = &u->segs[i];
		size_t n = s->len < len ? s->len : len;
		int err = user_prefault((const void __user *)s->base, n, write);

		if (err)
			return err;
		len -= n;
	}
	return 0;
}
