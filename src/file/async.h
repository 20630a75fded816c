/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal-driven I/O: O_ASYNC, F_SETSIG, and who owns a file (F_SETOWN).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct file_async;

/* What proc hands down; type is F_OWNER_*. */
struct file_owner_ops {
	bool (*exists)(int type, int id);
	/* sig 0: SIGIO, with no more than its number; else with the others,
	 * and SIGIO if it cannot be queued.  May sleep. */
	void (*signal)(int type, int id, int sig, int code, uint32_t band,
		       int fd);
};
void file_on_owner(const struct file_owner_ops *ops); /* boot */

/* id 0: nobody.  -ESRCH, -EINVAL (type). */
MUST_CHECK int file_set_owner(struct file *f, int type, int id);
void file_get_owner(const struct file *f, int *type, int *id);
MUST_CHECK int file_set_signal(struct file *f, uint64_t sig); /* -EINVAL */
int file_get_signal(const struct file *f);
/* fd is what the signal will say.  A file that knows no O_ASYNC
 * (file_ops.async) is left as it is.  -ENOMEM. */
MUST_CHECK int file_set_async(struct file *f, int fd, bool on);
/* Signals of the file go to this process, unless it has an owner, and say fd.
 * -ENOMEM. */
MUST_CHECK int file_own_signals(struct file *f, int fd);
/* One to its owner: F_SETSIG's, or SIGIO.  May sleep. */
void file_signal_owner(struct file *f, int code, uint32_t band);
/* The last reference has gone. */
void file_async_release(struct file *f);
