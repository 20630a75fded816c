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
/* value_ns: time of the first expiry on the clock, absolute monotonic ns as
 * the caller converted it; 0 disarms.  old_*: what was left, relative.
 * -EINVAL: not a timerfd. */
MUST_CHECK int timerfd_set(struct file *f, uint64_t deadline_ns,
			   uint64_t interval_ns, uint64_t *old_left,
			   uint64_t *old_interval);
MUST_CHECK int timerfd_get(struct file *f, uint64_t *left, uint64_t *interval);
int timerfd_clock(struct file *f); /* -EINVAL: not one */
