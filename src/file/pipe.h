/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct inode;

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
