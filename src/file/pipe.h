/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct inode;
struct page_piece;

/* Both ends; flags: O_NONBLOCK, O_DIRECT: packets. */
MUST_CHECK int pipe_create(unsigned flags, struct file **r, struct file **w);
/* Opens a FIFO: blocks until the other side is there, as fifo(7). */
MUST_CHECK int pipe_open_fifo(struct inode *i, unsigned flags,
			      struct file **out);
/* Called when a FIFO's inode goes away. */
void pipe_drop_fifo(struct inode *i);
/* F_GETPIPE_SZ, F_SETPIPE_SZ: bytes or -errno; -EBADF: not a pipe. */
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, uint64_t size);

bool pipe_is(const struct file *f);
/* A pipe that nobody can read? */
bool pipe_broken(const struct file *f);
/* Two ends of one pipe? */
bool pipe_same(const struct file *a, const struct file *b);

/* ---- for splice, tee and vmsplice (pipe_splice.c) ---- */

/* The reading side is the caller's until pipe_unhold(): other readers wait,
 * writers don't.  Up to len bytes that are there, where they lie, in at most
 * *n pieces; waits for the first.  The pages stay as long as the side is
 * held.  Bytes; 0: no writers, and nothing is held; -EAGAIN; -ERESTARTSYS. */
ssize_t pipe_hold(struct file *f, struct page_piece *v, unsigned *n, size_t len,
		  bool nonblock);
/* The first n bytes leave the pipe; true: there is more. */
bool pipe_unhold(struct file *f, size_t n);

/* The writing side is the caller's until pipe_unhold_room(): other writers
 * wait.  Waits for room: pieces that will fit; -EPIPE, -EAGAIN,
 * -ERESTARTSYS. */
long pipe_hold_room(struct file *f, bool nonblock);
/* Puts in pieces that fit, with the references to their pages.  own: pages
 * that nobody else has. */
void pipe_add(struct file *f, const struct page_piece *v, unsigned n, bool own);
void pipe_unhold_room(struct file *f);

/* From pipe to pipe, pages by reference; keep: they stay (tee). */
ssize_t pipe_move(struct file *in, struct file *out, size_t len, bool nonblock,
		  bool keep);
