/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of /proc/self share.  Each procfs_show_*() makes the text of
 * one entry; its argument is a thread's number, or 0 for the process as a
 * whole, where the entry speaks of a thread (procfs_thread()).
 */
#pragma once

#include "proc_priv.h"

#include <fs/pseudo.h>

#define DIR_MODE  (0040000u | 0555u)
#define FILE_MODE (0100000u | 0444u)
#define PRIV_MODE (0100000u | 0400u)
#define RW_MODE	  (0100000u | 0644u)
#define LINK_MODE (0120000u | 0777u)

enum link_what { LINK_EXE, LINK_CWD, LINK_ROOT };

/* Areas of memory, added up.  In pages. */
struct mem_usage {
	uint64_t data, stack, exe, lib, locked; /* pages */
	struct seq_buf *out;
	char *path;
};

/* The reading thread's process. */
struct process *procfs_self(void);

/* The thread that an entry speaks of, with a reference; NULL: gone. */
struct thread *procfs_thread(void *arg);

int procfs_show_maps(struct seq_buf *s, void *arg);
int procfs_show_smaps(struct seq_buf *s, void *arg);
void procfs_mem_usage(struct mem_usage *m);
uint64_t procfs_rss_pages(const struct vm_space *s);
int procfs_show_statm(struct seq_buf *s, void *arg);
int procfs_show_cmdline(struct seq_buf *s, void *arg);
int procfs_show_environ(struct seq_buf *s, void *arg);
int procfs_show_auxv(struct seq_buf *s, void *arg);

int procfs_show_status(struct seq_buf *s, void *arg);
int procfs_show_stat(struct seq_buf *s, void *arg);
int procfs_show_comm(struct seq_buf *s, void *arg);
int procfs_store_comm(const char *buf, size_t len, void *arg);
int procfs_show_schedstat(struct seq_buf *s, void *arg);
int procfs_show_limits(struct seq_buf *s, void *arg);
int procfs_show_oom_adj(struct seq_buf *s, void *arg);
int procfs_store_oom_adj(const char *buf, size_t len, void *arg);

int procfs_show_mounts(struct seq_buf *s, void *arg);
int procfs_show_mountinfo(struct seq_buf *s, void *arg);
ssize_t procfs_link_readlink(char *buf, size_t size, void *arg);
int procfs_link_follow(struct dentry **out, void *arg);
int procfs_fd_lookup(const char *name, struct pseudo_entry *e, void *arg);
int procfs_fdinfo_lookup(const char *name, struct pseudo_entry *e, void *arg);
int procfs_fd_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
		      void *arg);
int procfs_fdinfo_iterate(uint64_t *cursor, char *name, size_t size,
			  uint32_t *mode, void *arg);
