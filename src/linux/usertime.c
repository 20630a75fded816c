/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times of the program to and from nanoseconds.
 */
#include <linux/usertime.h>

#include <abi/errno.h>
#include <core/clock.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

static uint64_t
combine(int64_t sec, uint64_t ns)
{
	if ((uint64_t)sec >= USERTIME_MAX / NSEC_PER_SEC)
		return USERTIME_MAX;
	return (uint64_t)sec * NSEC_PER_SEC + ns;
}

int
timespec_ns(const struct timespec *ts, uint64_t *ns)
{
	if (ts->tv_sec < 0 || (uint64_t)ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = combine(ts->tv_sec, (uint64_t)ts->tv_nsec);
	return 0;
}

int
timeval_ns(const struct timeval *tv, uint64_t *ns)
{
	if (tv->tv_sec < 0 || (uint64_t)tv->tv_usec >= 1000000)
		return -EINVAL;
	*ns = combine(tv->tv_sec, (uint64_t)tv->tv_usec * 1000);
	return 0;
}

struct timespec
ns_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (int64_t)(ns / NSEC_PER_SEC),
				  .tv_nsec = (int64_t)(ns % NSEC_PER_SEC) };
}

struct timeval
ns_timeval(uint64_t ns)
{
	return (struct timeval){ .tv_sec = (int64_t)(ns / NSEC_PER_SEC),
				 .tv_usec =
					 (int64_t)(ns % NSEC_PER_SEC / 1000) };
}

int
get_user_timespec(const void __user *p, uint64_t *ns)
{
	struct timespec ts;

	if (copy_from_user(&ts, p, sizeof(ts)))
		return -EFAULT;
	return timespec_ns(&ts, ns);
}

int
put_user_timespec(void __user *p, uint64_t ns)
{
	struct timespec ts = ns_timespec(ns);

	return copy_to_user(p, &ts, sizeof(ts));
}

uint64_t
clock_deadline(int clock, bool absolute, uint64_t ns)
{
	uint64_t mono = clock_mono_ns();

	if (!absolute)
		return ns >= USERTIME_MAX - mono ? USERTIME_MAX : mono + ns;
	if (clock != CLOCK_REALTIME && clock != CLOCK_TAI)
		return ns;
	return DEADLINE_WALL | ns;
}

uint64_t
deadline_in(uint64_t ns)
{
	return ns ? clock_deadline(CLOCK_MONOTONIC, false, ns) : 0;
}

uint64_t
deadline_left(uint64_t deadline_ns)
{
	uint64_t now = clock_mono_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

int
get_user_deadline(const void __user *p, int clock, bool absolute,
		  uint64_t *deadline_ns)
{
	uint64_t ns;
	int err;

	*deadline_ns = TIME_NEVER;
	if (!p)
		return 0;
	err = get_user_timespec(p, &ns);
	if (!err)
		*deadline_ns = absolute ? clock_deadline(clock, true, ns) :
					  deadline_in(ns);
	return err;
}

int
get_user_timeout(const void __user *p, uint64_t *deadline_ns)
{
	return get_user_deadline(p, CLOCK_MONOTONIC, false, deadline_ns);
}
