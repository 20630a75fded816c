/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A uio is the memory side of a transfer: a list of user or kernel pieces
 * that read and write consume from the front.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct page;
struct iovec; /* abi/uio.h: { void *base; uint64_t len; } */

struct uio_seg {
	uint64_t base;
	uint64_t len;
};

#define UIO_FAST_SEGS 8
#define UIO_MAX_SEGS  1024 /* IOV_MAX */

struct uio {
	struct uio_seg *segs; /* segs left; [0] is partly consumed */
	unsigned nsegs;
	bool user;    /* addresses are the program's */
	bool nofault; /* copies fail rather than fault */
	bool append;  /* RWF_APPEND: at the end of the file */
	bool nowait;  /* RWF_NOWAIT: -EAGAIN rather than sleep */
	size_t resid; /* bytes left in all */
	struct uio_seg fast[UIO_FAST_SEGS];
	struct uio_seg *heap; /* to be freed by uio_fini */
};

void uio_init_user(struct uio *u, const void __user *buf, size_t len);
void uio_init_kernel(struct uio *u, void *buf, size_t len);
/* Copies in and checks a vector: -EINVAL, -EFAULT, -ENOMEM. */
MUST_CHECK int uio_init_iovec(struct uio *u, const void __user *iov,
			      unsigned n);
void uio_fini(struct uio *u);

/* Copy len bytes (at most resid) and advance; return bytes copied, which is
 * short only on a fault; -EFAULT if none was. */
MUST_CHECK ssize_t uio_write(struct uio *u, const void *src,
			     size_t len); /* kernel -> uio */
MUST_CHECK ssize_t uio_read(struct uio *u, void *dst,
			    size_t len); /* uio -> kernel */
MUST_CHECK ssize_t uio_zero(struct uio *u, size_t len);
/* Makes the next len bytes present (see user_prefault). */
MUST_CHECK int uio_prefault(const struct uio *u, size_t len, bool write);
void uio_advance(struct uio *u, size_t len);
/* Cuts to len bytes (at most resid). */
void uio_truncate(struct uio *u, size_t len);
