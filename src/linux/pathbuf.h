/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path or name copied from the program: short ones on the stack.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct pathbuf {
	char *s;
	char small[160];
};

/* 0, -EFAULT, -ENAMETOOLONG, -ENOMEM.  An empty string is fine. */
MUST_CHECK int pathbuf_get(struct pathbuf *b, const char __user *path);
void pathbuf_put(struct pathbuf *b);

struct dentry;
struct thread;

/* The target of a call by descriptor: the file's dentry, referenced. */
MUST_CHECK int fd_dentry(struct thread *t, int fd, bool path_ok,
			 struct dentry **out);
/* Of a call by path with AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW. */
MUST_CHECK int at_dentry(int dfd, const char __user *path, int atflags,
			 struct dentry **out);
