/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd(2) and timerfd_create(2) as files.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;

MUST_CHECK int eventfd_create(uint32_t count, bool semaphore, unsigned flags,
			      struct file **out);

bool eventfd_is(const struct file *f);
/* The kernel adds to it; what does not fit is lost.  Any context. */
void eventfd_signal(struct file *f, uint64_t n);

MUST_CHECK int timerfd_create(int clock, unsigned flags, struct file **out);
struct timerfd_setting {
	uint64_t at_ns;	      /* the first expiry, absolute; 0 disarms */
	uint64_t interval_ns; /* 0: once */
	bool on_wall;	      /* at_ns is the wall clock's, else monotonic */
	bool cancel;	      /* TFD_TIMER_CANCEL_ON_SET */
	unsigned flags;	      /* as given, for fdinfo */
};
/* old_*: what was left, relative.  -EINVAL: not a timerfd; -ECANCELED: set,
 * and the clock had been too. */
MUST_CHECK int timerfd_set(struct file *f, const struct timerfd_setting *new,
			   uint64_t *old_left, uint64_t *old_interval);
MUST_CHECK int timerfd_get(struct file *f, uint64_t *left, uint64_t *interval);
int timerfd_clock(struct file *f); /* -EINVAL: not one */
