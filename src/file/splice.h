/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data from one open file to another within the kernel: sendfile, splice,
 * tee, vmsplice, copy_file_range.
 *
 * From a file of the page cache pages go by reference to an out file that
 * takes them (write_pages), else they are written from where they lie: one
 * copy.  A pipe's bytes are written from its ring.
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

/* From a pipe; keep: the bytes stay in it (tee). */
ssize_t splice_from_pipe(struct file *out, int64_t *opos, struct file *in,
			 size_t len, bool nonblock, bool keep);
/* Into a pipe, as much as there is room for. */
ssize_t splice_to_pipe(struct file *out, struct file *in, int64_t *ipos,
		       size_t len, bool nonblock);
ssize_t splice_uio_to_pipe(struct file *out, struct uio *u, bool nonblock);
