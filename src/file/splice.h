/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data from one open file to another within the kernel: sendfile, splice,
 * tee, vmsplice, copy_file_range.
 *
 * Pages go by reference where both sides can: out of the page cache and out
 * of pipes, into pipes and into files that take them (write_pages); the
 * program's own pages too.  What is written to any other file is copied from
 * where it lies, what is read from any other file goes to a pipe's new pages.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct uio;

/* Up to len bytes.  ipos, opos: NULL for the file's own position.  Bytes, or
 * -errno when there were none.  Stops at a signal. */
ssize_t file_copy(struct file *out, int64_t *opos, struct file *in,
		  int64_t *ipos, size_t len);

/* From a pipe; more: the caller announces further data (SPLICE_F_MORE). */
ssize_t splice_from_pipe(struct file *out, int64_t *opos, struct file *in,
			 size_t len, bool nonblock, bool more);
/* Into a pipe, as much as there is room for. */
ssize_t splice_to_pipe(struct file *out, struct file *in, int64_t *ipos,
		       size_t len, bool nonblock);
/* Between the program's memory and a pipe: vmsplice. */
ssize_t splice_uio_to_pipe(struct file *out, struct uio *u, bool nonblock);
ssize_t splice_pipe_to_uio(struct file *in, struct uio *u, bool nonblock);
