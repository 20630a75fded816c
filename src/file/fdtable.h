/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptor table: numbers to files, close-on-exec bits.
 *
 * Lookup takes no lock: it reads the array and the slot, takes a reference
 * unless it is zero, and looks at the slot again.  Writers hold RANK_FDTABLE;
 * an array that was outgrown is freed by deferred reclamation.  Reserve,
 * then install: a descriptor becomes visible only when its file is complete.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct fdtable;

MUST_CHECK int fdtable_create(struct fdtable **out);
MUST_CHECK int fdtable_clone(struct fdtable *from, struct fdtable **out);
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* the last one closes all */

/* *out with a reference: 0 or -EBADF.  fd_get refuses O_PATH files. */
MUST_CHECK int fd_get(struct fdtable *t, int fd, struct file **out);
MUST_CHECK int fd_get_any(struct fdtable *t, int fd, struct file **out);

/* Lowest free number >= min, reserved.  -EMFILE, -ENOMEM. */
MUST_CHECK int fd_reserve(struct fdtable *t, int min, bool cloexec);
/* Takes f's reference. */
void fd_install(struct fdtable *t, int fd, struct file *f);
void fd_unreserve(struct fdtable *t, int fd);
/* Both at once: number or -errno; f's reference is taken only on success. */
MUST_CHECK int fd_add(struct fdtable *t, struct file *f, bool cloexec);

MUST_CHECK int fd_close(struct fdtable *t, int fd);
MUST_CHECK int fd_close_range(struct fdtable *t, unsigned first, unsigned last,
			      bool cloexec_only);
MUST_CHECK int fd_dup2(struct fdtable *t, int from, int to, bool cloexec);
MUST_CHECK int fd_get_cloexec(struct fdtable *t, int fd);
MUST_CHECK int fd_set_cloexec(struct fdtable *t, int fd, bool on);
void fdtable_exec(struct fdtable *t); /* closes the close-on-exec ones */
void fdtable_set_limit(struct fdtable *t, uint64_t nofile);

/* No descriptor that is open is this large: a multiple of 64. */
unsigned fdtable_size(struct fdtable *t);

/* Next open descriptor >= fd with a reference, or -1 (for /proc/self/fd). */
int fd_next(struct fdtable *t, int fd, struct file **out);
