/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process in /proc: /proc/self, /proc/thread-self, and /proc/1 with what
 * Linux has there, as far as programs read it.  Formats are proc(5)'s,
 * checked against Linux's own output.
 *
 * There is one process, so the directory has a fixed name; each entry finds
 * its process by the reading thread.  The argument of an entry is a thread's
 * number, 0: the process as a whole.
 *
 * Absent on purpose: pagemap, mem (no other process to look), clear_refs,
 * io (not counted), ns.
 */
#include "procfs_priv.h"

#include <abi/errno.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <proc/uts.h>

struct process *
procfs_self(void)
{
	return thread_current()->proc;
}

struct thread *
procfs_thread(void *arg)
{
	struct process *p = procfs_self();
	int tid = (int)(intptr_t)arg;
	struct thread *t;

	if (!p)
		return NULL;
	t = thread_find(tid ? tid : p->pid);
	if (t && atomic_load_relaxed(&t->state) == THREAD_DEAD) {
		thread_put(t); /* the first one is kept */
		t = NULL;
	}
	if (!t && !tid) { /* the first thread has ended */
		t = thread_current();
		thread_get(t);
	}
	if (t && t->proc != p) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

#define TEXT(s) ((void *)(uintptr_t)(s))

/* Of the process and of each thread; .arg of those that speak of a thread
 * is filled in at lookup. */
static const struct pseudo_entry common[] = {
	{ .path = "auxv", .mode = PRIV_MODE, .show = procfs_show_auxv },
	{ .path = "cgroup",
	  .mode = FILE_MODE,
	  .show = seq_show_line,
	  .arg = TEXT("0::/") },
	{ .path = "cmdline", .mode = FILE_MODE, .show = procfs_show_cmdline },
	{ .path = "comm",
	  .mode = RW_MODE,
	  .show = procfs_show_comm,
	  .store = procfs_store_comm },
	{ .path = "cwd",
	  .mode = LINK_MODE,
	  .readlink = procfs_link_readlink,
	  .follow = procfs_link_follow,
	  .arg = (void *)LINK_CWD },
	{ .path = "environ", .mode = PRIV_MODE, .show = procfs_show_environ },
	{ .path = "exe",
	  .mode = LINK_MODE,
	  .readlink = procfs_link_readlink,
	  .follow = procfs_link_follow,
	  .arg = (void *)LINK_EXE },
	{ .path = "fd",
	  .mode = 0040000u | 0500u,
	  .lookup = procfs_fd_lookup,
	  .iterate = procfs_fd_iterate },
	{ .path = "fdinfo",
	  .mode = DIR_MODE,
	  .lookup = procfs_fdinfo_lookup,
	  .iterate = procfs_fdinfo_iterate },
	{ .path = "limits", .mode = FILE_MODE, .show = procfs_show_limits },
	{ .path = "maps", .mode = FILE_MODE, .show = procfs_show_maps },
	{ .path = "mountinfo",
	  .mode = FILE_MODE,
	  .show = procfs_show_mountinfo },
	{ .path = "mounts", .mode = FILE_MODE, .show = procfs_show_mounts },
	{ .path = "oom_score",
	  .mode = FILE_MODE,
	  .show = seq_show_line,
	  .arg = TEXT("0") },
	{ .path = "oom_score_adj",
	  .mode = RW_MODE,
	  .show = procfs_show_oom_adj,
	  .store = procfs_store_oom_adj },
	{ .path = "personality",
	  .mode = PRIV_MODE,
	  .show = seq_show_line,
	  .arg = TEXT("00000000") },
	{ .path = "root",
	  .mode = LINK_MODE,
	  .readlink = procfs_link_readlink,
	  .follow = procfs_link_follow,
	  .arg = (void *)LINK_ROOT },
	{ .path = "schedstat",
	  .mode = FILE_MODE,
	  .show = procfs_show_schedstat },
	{ .path = "smaps", .mode = FILE_MODE, .show = procfs_show_smaps },
	{ .path = "stat", .mode = FILE_MODE, .show = procfs_show_stat },
	{ .path = "statm", .mode = FILE_MODE, .show = procfs_show_statm },
	{ .path = "status", .mode = FILE_MODE, .show = procfs_show_status },
};

static bool
of_thread(const struct pseudo_entry *e)
{
	return e->show == procfs_show_comm ||
	       e->show == procfs_show_schedstat ||
	       e->show == procfs_show_stat || e->show == procfs_show_status;
}

static int
thread_dir_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(common); i++) {
		if (strcmp(name, common[i].path))
			continue;
		*e = common[i];
		if (of_thread(e))
			e->arg = arg;
		return 0;
	}
	return -ENOENT;
}

static int
thread_dir_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
		   void *arg)
{
	(void)arg;
	if (*cursor >= ARRAY_SIZE(common))
		return -ENOENT;
	strlcpy(name, common[*cursor].path, size);
	*mode = common[*cursor].mode;
	++*cursor;
	return 0;
}

static int
task_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	struct thread *t;
	uint64_t v;

	(void)arg;
	if (parse_u64(name, strlen(name), 10, &v) || !v || v >= TID_MAX)
		return -ENOENT;
	t = procfs_thread((void *)(intptr_t)v);
	if (!t)
		return -ENOENT;
	thread_put(t);
	*e = (struct pseudo_entry){
		.path = name,
		.mode = DIR_MODE,
		.lookup = thread_dir_lookup,
		.iterate = thread_dir_iterate,
		.arg = (void *)(intptr_t)v,
	};
	return 0;
}

/* In the order of numbers: the lowest at or above the cursor. */
static int
task_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	     void *arg)
{
	struct process *p = procfs_self();
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct thread *t;
	uint64_t best = UINT64_MAX;

	(void)arg;
	list_for_each_entry(t, &p->threads, proc_link)
		if ((uint64_t)t->tid >= *cursor && (uint64_t)t->tid < best)
			best = (uint64_t)t->tid;
	spin_unlock_irq(&p->sig.lock, f);
	if (best == UINT64_MAX)
		return -ENOENT;
	ksnprintf(name, size, "%lu", (unsigned long)best);
	*mode = DIR_MODE;
	*cursor = best + 1;
	return 0;
}

static ssize_t
self_readlink(char *buf, size_t size, void *arg)
{
	struct thread *t = thread_current();
	char tmp[48];
	size_t n;

	if (!t->proc)
		return -ENOENT;
	if (arg)
		ksnprintf(tmp, sizeof(tmp), "%d/task/%d", t->proc->pid, t->tid);
	else
		ksnprintf(tmp, sizeof(tmp), "%d", t->proc->pid);
	n = min_size(strlen(tmp), size);
	memcpy(buf, tmp, n);
	return (ssize_t)n;
}

static const struct pseudo_entry top[] = {
	{ .path = "self", .mode = LINK_MODE, .readlink = self_readlink },
	{ .path = "thread-self",
	  .mode = LINK_MODE,
	  .readlink = self_readlink,
	  .arg = (void *)1 },
	{ .path = "1/task",
	  .mode = DIR_MODE,
	  .lookup = task_lookup,
	  .iterate = task_iterate },
};

static void
register_entry(const struct pseudo_entry *e)
{
	int err = proc_register(e);

	if (err)
		log_err("proc: %s is missing (%d)", e->path, err);
}

void
process_proc_init(void)
{
	static struct pseudo_entry entries[ARRAY_SIZE(common)];
	static char paths[ARRAY_SIZE(common)][24];
	size_t i;

	uts_proc_init();
	for (i = 0; i < ARRAY_SIZE(top); i++)
		register_entry(&top[i]);
	for (i = 0; i < ARRAY_SIZE(common); i++) {
		entries[i] = common[i];
		ksnprintf(paths[i], sizeof(paths[i]), "1/%s", common[i].path);
		entries[i].path = paths[i];
		register_entry(&entries[i]);
	}
}
