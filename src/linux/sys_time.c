/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and setting the clocks.  Programs read them through the vDSO; what
 * arrives here are the clocks of CPU time, static programs, and those who
 * set the time.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/prctl.h>
#include <abi/time.h>
#include <abi/timex.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/cred.h>
#include <linux/usertime.h>
#include <proc/timers.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

/* The range in which a wall clock stays meaningful in nanoseconds. */
#define REAL_SEC_MAX (USERTIME_MAX / NSEC_PER_SEC - 1)

static int
clock_read(int clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI: /* offset 0 until a program would set it */
		*ns = clock_real_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		*ns = clock_mono_ns();
		return 0;
	case CLOCK_REALTIME_COARSE:
		*ns = clock_real_ns();
		break;
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_mono_ns();
		break;
	default:
		return cpu_clock_ns(clock, ns);
	}
	*ns -= *ns % CLOCK_COARSE_NS; /* as files' times */
	return 0;
}

long
sys_clock_gettime(struct thread *t, int clock, void __user *ts)
{
	uint64_t ns;
	int err = clock_read(clock, &ns);

	(void)t;
	return err ? err : put_user_timespec(ts, ns);
}

long
sys_clock_getres(struct thread *t, int clock, void __user *ts)
{
	uint64_t ns;
	int err = clock_read(clock, &ns);

	(void)t;
	if (err || !ts)
		return err;
	ns = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ?
		     CLOCK_COARSE_NS :
		     1;
	return put_user_timespec(ts, ns);
}

static int
set_real(struct thread *t, uint64_t ns)
{
	if (!cred_capable(t->cred, CAP_SYS_TIME))
		return -EPERM;
	/* The wall clock never goes before the machine's start. */
	if (ns / NSEC_PER_SEC > REAL_SEC_MAX || ns < clock_mono_ns())
		return -EINVAL;
	clock_set_real_ns(ns);
	return 0;
}

long
sys_clock_settime(struct thread *t, int clock, const void __user *ts)
{
	uint64_t ns;
	int err;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	err = get_user_timespec(ts, &ns);
	return err ? err : set_real(t, ns);
}

long
sys_gettimeofday(struct thread *t, void __user *utv, void __user *utz)
{
	static const struct timezone utc;
	struct timeval tv = ns_timeval(clock_real_ns());

	(void)t;
	if (utv && copy_to_user(utv, &tv, sizeof(tv)))
		return -EFAULT;
	if (utz && copy_to_user(utz, &utc, sizeof(utc)))
		return -EFAULT;
	return 0;
}

long
sys_settimeofday(struct thread *t, const void __user *utv,
		 const void __user *utz)
{
	struct timezone tz = { 0 };
	struct timeval tv;
	uint64_t ns;
	int err;

	if (utz && copy_from_user(&tz, utz, sizeof(tz)))
		return -EFAULT;
	/* The kernel's clock is UTC; there is no place for another zone. */
	if (tz.tz_minuteswest)
		return -EINVAL;
	if (!utv)
		return cred_capable(t->cred, CAP_SYS_TIME) ? 0 : -EPERM;
	if (copy_from_user(&tv, utv, sizeof(tv)))
		return -EFAULT;
	err = timeval_ns(&tv, &ns);
	return err ? err : set_real(t, ns);
}

long
sys_time(struct thread *t, void __user *ut)
{
	int64_t sec = (int64_t)(clock_real_ns() / NSEC_PER_SEC);

	(void)t;
	if (ut && copy_to_user(ut, &sec, sizeof(sec)))
		return -EFAULT;
	return sec;
}

/* Nothing disciplines this clock but a klib; without one it says that it is
 * not synchronised. */
static long
adjust(struct thread *t, void __user *utx)
{
	struct timeval now = ns_timeval(clock_real_ns());
	uint64_t err_us;
	bool known = clock_error_ns(&err_us);
	struct timex x;

	if (copy_from_user(&x, utx, sizeof(x)))
		return -EFAULT;
	if (x.modes && !cred_capable(t->cred, CAP_SYS_TIME))
		return -EPERM;
	if (x.modes)
		return -EOPNOTSUPP;
	memset(&x, 0, sizeof(x));
	err_us /= 1000;
	if (!known || err_us > TIMEX_ERROR_MAX_US)
		err_us = TIMEX_ERROR_MAX_US;
	known = err_us < TIMEX_ERROR_MAX_US;
	x.maxerror = x.esterror = (long)err_us;
	x.status = known ? STA_PLL : STA_UNSYNC;
	x.constant = 2;
	x.precision = 1;
	x.tolerance = TIMEX_TOLERANCE;
	x.time = now;
	x.tick = 1000000 / USER_HZ;
	if (copy_to_user(utx, &x, sizeof(x)))
		return -EFAULT;
	return known ? TIME_OK : TIME_ERROR;
}

long
sys_adjtimex(struct thread *t, void __user *tx)
{
	return adjust(t, tx);
}

long
sys_clock_adjtime(struct thread *t, int clock, void __user *tx)
{
	uint64_t ns;

	if (clock == CLOCK_REALTIME)
		return adjust(t, tx);
	return clock_read(clock, &ns) ? -EINVAL : -EOPNOTSUPP;
}
