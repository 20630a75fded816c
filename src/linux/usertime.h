/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times of the program to and from nanoseconds.  Times too far away to be
 * told in 64 bits of nanoseconds are as good as never: UINT64_MAX / 2.
 */
#pragma once

#include <abi/time.h>
#include <base/compiler.h>
#include <base/types.h>

#define USERTIME_MAX (UINT64_MAX / 2)

/* -EINVAL: negative, or a fraction out of range. */
MUST_CHECK int timespec_ns(const struct timespec *ts, uint64_t *ns);
MUST_CHECK int timeval_ns(const struct timeval *tv, uint64_t *ns);
struct timespec ns_timespec(uint64_t ns);
struct timeval ns_timeval(uint64_t ns);

/* Copies one in: -EFAULT, -EINVAL. */
MUST_CHECK int get_user_timespec(const void __user *p, uint64_t *ns);
MUST_CHECK int put_user_timespec(void __user *p, uint64_t ns);

/* For thread_sleep(): a time on a clock (REALTIME, TAI: DEADLINE_WALL),
 * absolute or from now. */
uint64_t clock_deadline(int clock, bool absolute, uint64_t ns);
/* So much from now; 0, which is past, where that is nothing. */
uint64_t deadline_in(uint64_t ns);
/* Until then; 0: it is past. */
uint64_t deadline_left(uint64_t deadline_ns);
/* The deadline that a call was given, as clock_deadline(); no pointer: never.
 * -EFAULT, -EINVAL. */
MUST_CHECK int get_user_deadline(const void __user *p, int clock, bool absolute,
				 uint64_t *deadline_ns);
/* The same of a time-out. */
MUST_CHECK int get_user_timeout(const void __user *p, uint64_t *deadline_ns);
