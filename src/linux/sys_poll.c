/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll, ppoll, select, pselect6, and the calls of epoll.
 *
 * The files of one call are held by reference for its whole length, as their
 * wait queues are.  A signal ends the wait: poll and select are restarted
 * only when no handler ran (ERESTARTNOHAND), as on Linux.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/resource.h>
#include <abi/signal.h>
#include <abi/time.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/epoll.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <file/multiwait.h>
#include <linux/syscalls_gen.h>
#include <linux/usermask.h>
#include <linux/usertime.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define FD_SET_FAST 1024u /* larger sets come from the heap */
#define ALWAYS	    (POLLERR | POLLHUP | POLLNVAL)

/* What select means by its three sets, in poll's terms. */
#define SEL_READ   (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SEL_WRITE  (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SEL_EXCEPT POLLPRI

struct watch {
	struct file *f; /* NULL: not open, or not asked for */
	int fd;
	uint32_t events; /* wanted */
	uint32_t revents;
};

static void
watch_open(struct thread *t, struct watch *w)
{
	w->f = NULL;
	if (w->fd >= 0 && fd_get(t->fds, w->fd, &w->f)) {
		w->f = NULL;
		w->revents = POLLNVAL;
	}
}

/* Number of files with something to say, or -errno. */
static long
watch_wait(struct watch *ws, unsigned n, uint64_t deadline)
{
	struct multiwait mw;
	long ready;
	int err = 0;

	multiwait_init(&mw);
	if (!deadline)
		mw.pt.queue = NULL; /* only a look */
	for (;;) {
		ready = 0;
		for (unsigned i = 0; i < n; i++) {
			struct watch *w = &ws[i];

			if (w->f)
				w->revents =
					file_poll(w->f, ready ? NULL :
								multiwait_table(
									&mw)) &
					(w->events | ALWAYS);
			ready += w->revents != 0;
		}
		if (ready || !deadline || err)
			break;
		err = multiwait_sleep(&mw, deadline);
		if (err && err != -ETIMEDOUT)
			break;
	}
	multiwait_fini(&mw);
	if (ready || !err || err == -ETIMEDOUT)
		return ready;
	return err == -EINTR ? -ERESTARTNOHAND : err;
}

static void
watch_close(struct watch *ws, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ws[i].f)
			file_put(ws[i].f);
}

static long
do_poll(struct thread *t, void __user *ufds, uint32_t n, uint64_t deadline)
{
	struct pollfd __user *up = ufds;
	struct pollfd fast[8], *fds = fast;
	struct watch fast_ws[8], *ws = fast_ws;
	long r = -ENOMEM;

	if (n > rlimit_soft(RLIMIT_NOFILE))
		return -EINVAL;
	if (n > 8) {
		fds = kcalloc(n, sizeof(*fds), ALLOC_KERNEL);
		ws = kcalloc(n, sizeof(*ws), ALLOC_KERNEL);
		if (!fds || !ws)
			goto out;
	}
	r = copy_from_user(fds, ufds, n * sizeof(*fds));
	if (r)
		goto out;
	for (uint32_t i = 0; i < n; i++) {
		ws[i] = (struct watch){ .fd = fds[i].fd,
					.events = (uint16_t)fds[i].events };
		watch_open(t, &ws[i]);
	}
	r = watch_wait(ws, n, deadline);
	watch_close(ws, n);
	for (uint32_t i = 0; r >= 0 && i < n; i++) {
		int16_t rev = (int16_t)ws[i].revents;

		if (copy_to_user(&up[i].revents, &rev, sizeof(rev)))
			r = -EFAULT;
	}
out:
	if (n > 8) {
		kfree(fds);
		kfree(ws);
	}
	return r;
}

long
sys_poll(struct thread *t, void __user *fds, uint32_t nfds, int timeout_ms)
{
	return do_poll(t, fds, nfds,
		       timeout_ms < 0 ?
			       TIME_NEVER :
			       deadline_in((uint64_t)timeout_ms * 1000000));
}

long
sys_ppoll(struct thread *t, void __user *fds, uint32_t nfds,
	  const void __user *timeout, const void __user *sigmask, size_t size)
{
	uint64_t deadline;
	long r = get_user_timeout(timeout, &deadline);

	if (!r)
		r = get_user_mask(t, sigmask, size);
	if (r)
		return r;
	r = do_poll(t, fds, nfds, deadline);
	drop_user_mask(t, sigmask, r);
	if (timeout && deadline != TIME_NEVER)
		ignore(put_user_timespec(
			(void __user *)(uintptr_t)timeout,
			deadline_left(deadline))); /* as Linux */
	return r;
}

static bool
set_has(const uint64_t *set, unsigned fd)
{
	return set[fd / 64] >> (fd % 64) & 1;
}

/* The three sets of a call, one behind the other. */
struct fd_sets {
	uint64_t *set[3];
	size_t words; /* of each */
	uint64_t fast[3 * FD_SET_FAST / 64];
};

static int
sets_in(struct fd_sets *s, unsigned nfds, void __user *const u[3])
{
	uint64_t *at = s->fast;

	s->words = div_round_up(nfds, 64);
	if (nfds > FD_SET_FAST) {
		at = kcalloc(3 * s->words, sizeof(*at), ALLOC_KERNEL);
		if (!at)
			return -ENOMEM;
	} else {
		memset(s->fast, 0, sizeof(s->fast));
	}
	for (unsigned i = 0; i < 3; i++)
		s->set[i] = at + i * s->words;
	for (unsigned i = 0; i < 3; i++)
		if (u[i] && copy_from_user(s->set[i], u[i], s->words * 8))
			return -EFAULT;
	return 0;
}

static void
sets_free(struct fd_sets *s)
{
	if (s->set[0] && s->set[0] != s->fast)
		kfree(s->set[0]);
}

static unsigned
select_watches(struct thread *t, const struct fd_sets *s, unsigned nfds,
	       struct watch *ws, int *err)
{
	static const uint32_t events[3] = { SEL_READ, SEL_WRITE, SEL_EXCEPT };
	unsigned n = 0;

	for (unsigned fd = 0; fd < nfds; fd++) {
		uint32_t wanted = 0;

		for (unsigned i = 0; i < 3; i++)
			if (set_has(s->set[i], fd))
				wanted |= events[i];
		if (!wanted)
			continue;
		ws[n] = (struct watch){ .fd = (int)fd, .events = wanted };
		watch_open(t, &ws[n]);
		if (!ws[n].f)
			*err = -EBADF;
		n++;
	}
	return n;
}

/* Leaves in the three sets what is ready; how many bits are set. */
static long
select_result(const struct watch *ws, unsigned n, struct fd_sets *s)
{
	static const uint32_t events[3] = { SEL_READ, SEL_WRITE, SEL_EXCEPT };
	long bits = 0;

	for (unsigned k = 0; k < n; k++) {
		unsigned fd = (unsigned)ws[k].fd;

		for (unsigned i = 0; i < 3; i++) {
			if (!set_has(s->set[i], fd))
				continue;
			if (ws[k].revents & events[i])
				bits++;
			else
				s->set[i][fd / 64] &= ~(1ull << (fd % 64));
		}
	}
	return bits;
}

static long
select_sets(struct thread *t, unsigned nfds, struct fd_sets *s,
	    uint64_t deadline)
{
	struct watch *ws;
	unsigned n;
	int err = 0;
	long r;

	ws = kcalloc(nfds + 1, sizeof(*ws), ALLOC_KERNEL);
	if (!ws)
		return -ENOMEM;
	n = select_watches(t, s, nfds, ws, &err);
	r = err ? err : watch_wait(ws, n, deadline);
	watch_close(ws, n);
	if (r >= 0)
		r = select_result(ws, n, s);
	kfree(ws);
	return r;
}

static long
do_select(struct thread *t, int nfds, void __user *const u[3],
	  uint64_t deadline)
{
	struct fd_sets s;
	unsigned n;
	long r;

	if (nfds < 0)
		return -EINVAL;
	/* Linux looks no further than its table goes: many pass a limit for
	 * the number, and sets that are smaller. */
	n = (unsigned)min_u64((unsigned)nfds, fdtable_size(t->fds));
	s.set[0] = NULL;
	r = sets_in(&s, n, u);
	if (!r)
		r = select_sets(t, n, &s, deadline);
	for (unsigned i = 0; r >= 0 && i < 3; i++)
		if (u[i] && copy_to_user(u[i], s.set[i], s.words * 8))
			r = -EFAULT;
	sets_free(&s);
	return r;
}

long
sys_select(struct thread *t, int nfds, void __user *r, void __user *w,
	   void __user *e, void __user *timeout)
{
	void __user *const u[3] = { r, w, e };
	uint64_t deadline = TIME_NEVER, ns;
	struct timeval tv;
	long ret;

	if (timeout) {
		if (copy_from_user(&tv, timeout, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		/* More than a second of microseconds is fine here. */
		ns = min_u64((uint64_t)tv.tv_sec, USERTIME_MAX / 2000000000) *
			     NSEC_PER_SEC +
		     min_u64((uint64_t)tv.tv_usec, USERTIME_MAX / 4000) * 1000;
		deadline = deadline_in(ns);
	}
	ret = do_select(t, nfds, u, deadline);
	if (timeout && deadline != TIME_NEVER) {
		tv = ns_timeval(deadline_left(deadline));
		ignore(copy_to_user(timeout, &tv, sizeof(tv))); /* as Linux */
	}
	return ret;
}

long
sys_pselect6(struct thread *t, int nfds, void __user *r, void __user *w,
	     void __user *e, const void __user *timeout,
	     const void __user *sigmask)
{
	void __user *const u[3] = { r, w, e };
	struct {
		uint64_t mask, size;
	} arg = { 0, 8 };
	uint64_t deadline;
	long ret = get_user_timeout(timeout, &deadline);

	if (!ret && sigmask && copy_from_user(&arg, sigmask, sizeof(arg)))
		ret = -EFAULT;
	if (!ret)
		ret = get_user_mask(t, (const void __user *)arg.mask, arg.size);
	if (ret)
		return ret;
	ret = do_select(t, nfds, u, deadline);
	drop_user_mask(t, (const void __user *)arg.mask, ret);
	if (timeout && deadline != TIME_NEVER)
		ignore(put_user_timespec(
			(void __user *)(uintptr_t)timeout,
			deadline_left(deadline))); /* as Linux */
	return ret;
}

/* ---- epoll ---- */

long
sys_epoll_create1(struct thread *t, int flags)
{
	struct file *f;
	int fd;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	fd = epoll_create_file(&f);
	if (fd)
		return fd;
	fd = fd_add(t->fds, f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long
sys_epoll_create(struct thread *t, int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(t, 0);
}

long
sys_epoll_ctl(struct thread *t, int ep, int op, int fd, void __user *event)
{
	struct epoll_event ev = { 0, 0 };
	struct file *epf, *f;
	int err;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	err = fd_get(t->fds, ep, &epf);
	if (err)
		return err;
	err = fd_get(t->fds, fd, &f);
	if (!err) {
		err = epoll_control(epf, op, fd, f, &ev);
		file_put(f);
	}
	file_put(epf);
	return err;
}

static long
wait_events(struct thread *t, int ep, void __user *events, int max,
	    uint64_t deadline)
{
	struct file *f;
	long r = fd_get(t->fds, ep, &f);

	if (r)
		return r;
	r = epoll_wait_events(f, events, max, deadline);
	file_put(f);
	return r;
}

static uint64_t
deadline_of_ms(int ms)
{
	return ms < 0 ? TIME_NEVER : deadline_in((uint64_t)ms * 1000000);
}

long
sys_epoll_wait(struct thread *t, int ep, void __user *events, int max,
	       int timeout_ms)
{
	return wait_events(t, ep, events, max, deadline_of_ms(timeout_ms));
}

/* A signal that ended the wait is handled under the caller's mask. */
static long
masked_wait(struct thread *t, int ep, void __user *events, int max,
	    uint64_t deadline, const void __user *sigmask, size_t size)
{
	long r = get_user_mask(t, sigmask, size);

	if (r)
		return r;
	r = wait_events(t, ep, events, max, deadline);
	drop_user_mask(t, sigmask, r);
	return r;
}

long
sys_epoll_pwait(struct thread *t, int ep, void __user *events, int max,
		int timeout_ms, const void __user *sigmask, size_t size)
{
	return masked_wait(t, ep, events, max, deadline_of_ms(timeout_ms),
			   sigmask, size);
}

long
sys_epoll_pwait2(struct thread *t, int ep, void __user *events, int max,
		 const void __user *timeout, const void __user *sigmask,
		 size_t size)
{
	uint64_t deadline;
	long r = get_user_timeout(timeout, &deadline);

	return r ? r : masked_wait(t, ep, events, max, deadline, sigmask, size);
}
