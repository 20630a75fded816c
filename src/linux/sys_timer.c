/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping, interval timers, POSIX timers.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/signal.h>
#include <core/clock.h>
#include <linux/usertime.h>
#include <proc/process.h>
#include <proc/timers.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

/* ---- sleeping ---- */

/* -EINTR when a signal came, else 0. */
static int
sleep_until(uint64_t deadline)
{
	int err;

	do {
		thread_prepare_sleep(true);
		err = thread_sleep(deadline);
	} while (!err);
	return err == -ETIMEDOUT ? 0 : err;
}

/* A relative sleep: the rest goes to rem, and restart_syscall() goes on to
 * the same deadline. */
static long
restart_sleep(struct thread *t, const uint64_t a[4])
{
	uint64_t deadline = a[0], now;

	(void)t;
	if (!sleep_until(deadline))
		return 0;
	now = clock_mono_ns();
	if (a[1] && put_user_timespec((void __user *)a[1],
				      deadline > now ? deadline - now : 0))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static long
sleep_relative(struct thread *t, uint64_t ns, void __user *rem)
{
	uint64_t a[4] = { clock_deadline(CLOCK_MONOTONIC, false, ns),
			  (uint64_t)rem };
	long err = restart_sleep(t, a);

	if (err == -ERESTART_RESTARTBLOCK) {
		t->sig->restart = restart_sleep;
		t->sig->restart_args[0] = a[0];
		t->sig->restart_args[1] = a[1];
	}
	return err;
}

long
sys_nanosleep(struct thread *t, const void __user *req, void __user *rem)
{
	uint64_t ns;
	int err = get_user_timespec(req, &ns);

	return err ? err : sleep_relative(t, ns, rem);
}

long
sys_clock_nanosleep(struct thread *t, int clock, int flags,
		    const void __user *req, void __user *rem)
{
	uint64_t ns;
	int err;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	case CLOCK_THREAD_CPUTIME_ID:
		return -EINVAL;
	case CLOCK_PROCESS_CPUTIME_ID: /* needs a tick to look at */
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	err = get_user_timespec(req, &ns);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(t, ns, rem);
	err = sleep_until(clock_deadline(clock, true, ns));
	return err ? -ERESTARTNOHAND : 0;
}

/* ---- setitimer, alarm ---- */

static void
to_itimerval(struct itimerval *v, uint64_t value, uint64_t interval)
{
	/* What is armed is not told as 0. */
	if (value && value < 1000)
		value = 1000;
	v->it_value = ns_timeval(value);
	v->it_interval = ns_timeval(interval);
}

long
sys_getitimer(struct thread *t, int which, void __user *uval)
{
	struct itimerval v;
	uint64_t value, interval;
	int err = itimer_get(t->proc, which, &value, &interval);

	if (err)
		return err;
	to_itimerval(&v, value, interval);
	return copy_to_user(uval, &v, sizeof(v));
}

long
sys_setitimer(struct thread *t, int which, const void __user *unew,
	      void __user *uold)
{
	uint64_t value = 0, interval = 0, ovalue, ointerval;
	struct itimerval v;
	int err;

	if (unew) {
		if (copy_from_user(&v, unew, sizeof(v)))
			return -EFAULT;
		err = timeval_ns(&v.it_value, &value);
		if (!err)
			err = timeval_ns(&v.it_interval, &interval);
		if (err)
			return err;
	}
	/* Linux: to disarm ITIMER_REAL forgets its interval. */
	if (which == ITIMER_REAL && !value)
		interval = 0;
	err = itimer_set(t->proc, which, value, interval, &ovalue, &ointerval);
	if (err)
		return err;
	if (!uold)
		return 0;
	to_itimerval(&v, ovalue, ointerval);
	return copy_to_user(uold, &v, sizeof(v));
}

long
sys_alarm(struct thread *t, uint32_t seconds)
{
	uint64_t value, interval, sec;

	if (itimer_set(t->proc, ITIMER_REAL, seconds * NSEC_PER_SEC, 0, &value,
		       &interval))
		return 0;
	/* Rounded, but never to 0 while it was armed. */
	sec = (value + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	return value && !sec ? 1 : (long)sec;
}

/* ---- POSIX timers ---- */

long
sys_timer_create(struct thread *t, int clock, const void __user *usev,
		 void __user *uid)
{
	struct sigevent sev;
	int id;

	if (usev && copy_from_user(&sev, usev, sizeof(sev)))
		return -EFAULT;
	id = ptimer_create(t->proc, clock, usev ? &sev : NULL);
	if (id < 0)
		return id;
	if (copy_to_user(uid, &id, sizeof(id))) {
		ignore(ptimer_delete(t->proc, id)); /* it was just made */
		return -EFAULT;
	}
	return 0;
}

static int
put_itimerspec(void __user *p, uint64_t value, uint64_t interval)
{
	struct itimerspec s = { .it_value = ns_timespec(value),
				.it_interval = ns_timespec(interval) };

	return copy_to_user(p, &s, sizeof(s));
}

long
sys_timer_settime(struct thread *t, int id, int flags, const void __user *unew,
		  void __user *uold)
{
	uint64_t value, interval, ovalue, ointerval;
	struct itimerspec s;
	int err;

	if (!unew)
		return -EINVAL;
	if (copy_from_user(&s, unew, sizeof(s)))
		return -EFAULT;
	err = timespec_ns(&s.it_value, &value);
	if (!err)
		err = timespec_ns(&s.it_interval, &interval);
	if (!value) /* disarmed: as on Linux without an interval */
		interval = 0;
	if (!err)
		err = ptimer_set(t->proc, id, flags & TIMER_ABSTIME, value,
				 interval, &ovalue, &ointerval);
	if (err || !uold)
		return err;
	return put_itimerspec(uold, ovalue, ointerval);
}

long
sys_timer_gettime(struct thread *t, int id, void __user *ucur)
{
	uint64_t value, interval;
	int err = ptimer_get(t->proc, id, &value, &interval);

	return err ? err : put_itimerspec(ucur, value, interval);
}

long
sys_timer_getoverrun(struct thread *t, int id)
{
	return ptimer_overrun(t->proc, id);
}

long
sys_timer_delete(struct thread *t, int id)
{
	return ptimer_delete(t->proc, id);
}
