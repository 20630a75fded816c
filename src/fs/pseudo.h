/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo file systems: procfs, sysfs and devfs are registries of entries
 * that upper layers fill at boot; what an entry says is made when it is
 * read.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct dentry;
struct inode;

/* Grows as it is written to; out of memory shows at the end as -ENOMEM. */
struct seq_buf {
	char *data;
	size_t len, cap;
	int err;
};
void seq_printf(struct seq_buf *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void seq_write(struct seq_buf *s, const void *p, size_t len);
/* Bytes of `special` as a backslash and three octal digits: a name cannot end
 * a field or a line. */
void seq_escape(struct seq_buf *s, const char *text, const char *special);
/* A show function: the line whose text its argument is. */
int seq_show_line(struct seq_buf *s, void *arg);

struct pseudo_entry {
	const char *path; /* "sys/kernel/ostype", below the mount */
	uint32_t mode;	  /* type and permissions; directories are made */
	/* Regular file: text.  arg is the entry's. */
	int (*show)(struct seq_buf *s, void *arg);
	bool sized; /* stat says how long the text is, not 0 */
	/* Write of a whole value; NULL: not writable (EACCES at open). */
	int (*store)(const char *buf, size_t len, void *arg);
	/* Symbolic link: target text; or a jump. */
	ssize_t (*readlink)(char *buf, size_t size, void *arg);
	int (*follow)(struct dentry **out, void *arg);
	/* Directory with entries that come and go: lookup by name fills *e
	 * (0 or -ENOENT), iterate gives names from a cursor. */
	int (*lookup)(const char *name, struct pseudo_entry *e, void *arg);
	int (*iterate)(uint64_t *cursor, char *name, size_t size,
		       uint32_t *mode, void *arg); /* 0, or -ENOENT at end */
	/* Device node: makes the open file. */
	int (*open)(struct inode *i, unsigned flags, struct file **out,
		    void *arg);
	uint64_t rdev;
	void *arg;
};

/* Entries must live for ever.  -EEXIST, -ENOMEM. */
MUST_CHECK int proc_register(const struct pseudo_entry *e);
MUST_CHECK int sys_register(const struct pseudo_entry *e);
MUST_CHECK int dev_register(const struct pseudo_entry *e);

void pseudo_init(void); /* registers the types proc, sysfs, devtmpfs */

/* 1, 5 and 15 minutes, in units of 1/2048 (as sysinfo's, shifted by 11). */
void load_averages(uint64_t out[3]);
