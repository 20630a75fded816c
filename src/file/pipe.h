/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct inode;
struct uio_seg;

/* Both ends; flags: O_NONBLOCK.  O_DIRECT: -EINVAL. */
MUST_CHECK int pipe_create(unsigned flags, struct file **r, struct file **w);
/* Opens a FIFO: blocks until the other side is there, as fifo(7). */
MUST_CHECK int pipe_open_fifo(struct inode *i, unsigned flags,
			      struct file **out);
/* Called when a FIFO's inode goes away. */
void pipe_drop_fifo(struct inode *i);
/* F_GETPIPE_SZ, F_SETPIPE_SZ: bytes or -errno; -EBADF: not a pipe. */
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, uint64_t size);

/* For splice and tee: the reading side is the caller's until pipe_unhold().
 * Up to len bytes that are there, in place, in one or two pieces; waits for
 * them.  segs: room for two.  Bytes; 0: no writers; -EAGAIN; -ERESTARTSYS.
 * Other readers wait. */
ssize_t pipe_hold(struct file *f, struct uio_seg *segs, size_t len,
		  bool nonblock);
/* The first n of the bytes leave the pipe. */
void pipe_unhold(struct file *f, size_t n);
/* Waits for room: bytes; -EPIPE, -EAGAIN, -ERESTARTSYS. */
ssize_t pipe_wait_room(struct file *f, bool nonblock);
bool pipe_is(const struct file *f);
/* Two ends of one pipe? */
bool pipe_same(const struct file *a, const struct file *b);
