/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work: functions that run soon in a kernel thread, for interrupt handlers
 * that must sleep.  A work item is queued at most once at a time.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

struct work {
	struct list link;
	void (*fn)(struct work *);
	bool queued; /* [a] */
};

void work_init(struct work *w, void (*fn)(struct work *));
void work_queue(struct work *w); /* any context */
void work_flush(struct work *w); /* waits until it is not queued or running */
void work_start(void);		 /* boot: starts the worker threads */
