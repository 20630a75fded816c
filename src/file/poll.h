/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness.  A file's poll operation names the wait queues that a caller
 * must watch; poll, select and epoll are built on that.
 */
#pragma once

#include <base/types.h>
#include <sched/wait.h>

struct file;

struct poll_table {
	/* Adds an entry to q; called by the file's poll operation. */
	void (*queue)(struct poll_table *pt, struct waitq *q);
	uint32_t events; /* wanted; 0 = all */
};

static inline void
poll_wait(struct poll_table *pt, struct waitq *q)
{
	if (pt && pt->queue)
		pt->queue(pt, q);
}

/* Detaches a file that goes away from all epoll instances. */
void poll_file_release(struct file *f);
