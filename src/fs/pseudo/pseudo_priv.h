/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of pseudo share.
 */
#pragma once

#include <base/compiler.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>

struct uio;

void proc_machine_init(void); /* procfs.c */
void sys_machine_init(void);  /* sysfs.c */
void dev_nodes_init(void);    /* devfs.c */

void devpts_init(void); /* devpts.c */
int ptmx_open(struct inode *i, unsigned flags, struct file **out, void *arg);

/* A buffer between a device and the program's memory: the largest that can
 * be had, at most *size; the caller's small one at last (ttyfile.c). */
#define BOUNCE_SMALL 256u
char *bounce_get(char *small, size_t *size);
void bounce_put(char *p, char *small);
/* Read and write by way of one: fn does a piece; of a read there is one, of
 * `most` bytes. */
ssize_t bounce_read(struct file *f, struct uio *u, size_t most,
		    ssize_t (*fn)(struct file *f, void *buf, size_t len,
				  bool nowait));
ssize_t bounce_write(struct file *f, struct uio *u,
		     ssize_t (*fn)(struct file *f, const void *buf, size_t len,
				   bool nowait));

/* Rows of a table: files that can be read. */
#define FILE_MODE (S_IFREG | 0444)
#define SHOW(p, fn)                                          \
	{                                                    \
		.path = (p), .mode = FILE_MODE, .show = (fn) \
	}
#define TEXT(p, t)                                                     \
	{                                                              \
		.path = (p), .mode = FILE_MODE, .show = seq_show_line, \
		.arg = (void *)(uintptr_t)(t)                          \
	}

/* Registers n entries; a failure is logged. */
void register_table(int (*fn)(const struct pseudo_entry *),
		    const struct pseudo_entry *e, size_t n);
