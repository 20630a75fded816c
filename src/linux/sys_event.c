/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd, timerfd, and random bytes.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <abi/time.h>
#include <base/string.h>
#include <dev/random.h>
#include <file/eventfd.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/syscalls_gen.h>
#include <linux/usertime.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define EFD_SEMAPHORE		1
#define TFD_TIMER_ABSTIME	1
#define TFD_TIMER_CANCEL_ON_SET 2
#define GRND_NONBLOCK		1u
#define GRND_RANDOM		2u
#define GRND_INSECURE		4u
#define RANDOM_MAX		0x1ffffffu /* what one call gives at most */

/* The descriptor of a new file; consumes it. */
static long
install(struct thread *t, struct file *f, int flags)
{
	int fd = fd_add(t->fds, f, flags & O_CLOEXEC);

	if (fd < 0)
		file_put(f);
	return fd;
}

long
sys_eventfd2(struct thread *t, uint32_t count, int flags)
{
	struct file *f;
	int err;

	if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	err = eventfd_create(count, flags & EFD_SEMAPHORE, (unsigned)flags, &f);
	return err ? err : install(t, f, flags);
}

long
sys_eventfd(struct thread *t, uint32_t count)
{
	return sys_eventfd2(t, count, 0);
}

long
sys_timerfd_create(struct thread *t, int clock, int flags)
{
	struct file *f;
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	default:
		return -EINVAL;
	}
	err = timerfd_create(clock, (unsigned)flags, &f);
	return err ? err : install(t, f, flags);
}

static int
put_itimerspec(void __user *p, uint64_t left, uint64_t interval)
{
	struct itimerspec it = { .it_interval = ns_timespec(interval),
				 .it_value = ns_timespec(left) };

	return copy_to_user(p, &it, sizeof(it));
}

static int
get_itimerspec(const void __user *p, int clock, unsigned flags,
	       struct timerfd_setting *to)
{
	bool absolute = flags & TFD_TIMER_ABSTIME;
	struct itimerspec it;
	uint64_t value;
	int err = copy_from_user(&it, p, sizeof(it));

	if (!err)
		err = timespec_ns(&it.it_interval, &to->interval_ns);
	if (!err)
		err = timespec_ns(&it.it_value, &value);
	if (err)
		return err;
	to->flags = flags;
	to->cancel = flags & TFD_TIMER_CANCEL_ON_SET;
	to->on_wall = absolute && clock == CLOCK_REALTIME;
	to->at_ns = value;
	if (value && !to->on_wall)
		to->at_ns = clock_deadline(clock, absolute, value);
	if (value && !to->at_ns)
		to->at_ns = 1; /* the past: at once */
	return 0;
}

long
sys_timerfd_settime(struct thread *t, int fd, int flags,
		    const void __user *unew, void __user *uold)
{
	uint64_t old_left, old_interval;
	struct timerfd_setting new;
	struct file *f;
	int clock, err;

	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	err = fd_get(t->fds, fd, &f);
	if (err)
		return err;
	clock = timerfd_clock(f);
	err = clock < 0 ? clock :
			  get_itimerspec(unew, clock, (unsigned)flags, &new);
	if (!err)
		err = timerfd_set(f, &new, &old_left, &old_interval);
	if (!err && uold)
		err = put_itimerspec(uold, old_left, old_interval);
	file_put(f);
	return err;
}

long
sys_timerfd_gettime(struct thread *t, int fd, void __user *ucur)
{
	uint64_t left, interval;
	struct file *f;
	int err = fd_get(t->fds, fd, &f);

	if (err)
		return err;
	err = timerfd_get(f, &left, &interval);
	if (!err)
		err = put_itimerspec(ucur, left, interval);
	file_put(f);
	return err;
}

long
sys_getrandom(struct thread *t, void __user *buf, size_t len, uint32_t flags)
{
	uint8_t piece[256];
	size_t done = 0, left = 0;

	(void)t;
	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) ==
		    (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (!(flags & GRND_INSECURE) && !random_ready()) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		if (random_wait(true))
			return -ERESTARTSYS;
	}
	if (len > RANDOM_MAX)
		len = RANDOM_MAX;
	while (done < len) {
		size_t n =
			len - done < sizeof(piece) ? len - done : sizeof(piece);

		random_bytes(piece, n);
		left = copy_to_user_partial((char __user *)buf + done, piece,
					    n);
		done += n - left;
		if (left)
			break;
		/* Linux looks here, and programs count on a page at least. */
		if (done % PAGE_SIZE == 0 && thread_signal_pending())
			break;
	}
	memset(piece, 0, sizeof(piece));
	return left && !done ? -EFAULT : (long)done;
}
