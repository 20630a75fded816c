/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structures, lists and vectors of a traced call: the printers for those
 * kinds of syscalls.tbl that are read from the program's memory.  Rules as in
 * trace_args.c.
 */
#include "trace_priv.h"

#include <abi/epoll.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/resource.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <abi/time.h>
#include <abi/uio.h>
#include <base/math.h>
#include <base/string.h>
#include <vm/uaccess.h>

#define ITEMS_SHOWN 8u /* of an array */

#define put trace_put
#define get trace_get

static void
put_mode(struct trace_call *c, uint32_t mode)
{
	static const char *const types[16] = {
		[S_IFIFO >> 12] = "S_IFIFO",   [S_IFCHR >> 12] = "S_IFCHR",
		[S_IFDIR >> 12] = "S_IFDIR",   [S_IFBLK >> 12] = "S_IFBLK",
		[S_IFREG >> 12] = "S_IFREG",   [S_IFLNK >> 12] = "S_IFLNK",
		[S_IFSOCK >> 12] = "S_IFSOCK",
	};
	const char *type = types[mode >> 12 & 15];

	if (type)
		put(c, "%s|%#03o", type, mode & 07777);
	else
		put(c, "%#o", mode);
}

void
print_ostat(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct stat st;

	(void)next;
	if (!trace_get_out(c, v, ret, &st, sizeof(st)))
		return;
	put(c, "{st_mode=");
	put_mode(c, st.st_mode);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		put(c, ", st_rdev=makedev(%#x, %#x), ...}",
		    (unsigned)(st.st_rdev >> 8 & 0xfff),
		    (unsigned)(st.st_rdev & 0xff));
	else
		put(c, ", st_size=%lld, ...}", (long long)st.st_size);
}

static void
put_time(struct trace_call *c, const struct timespec *t)
{
	put(c, "{tv_sec=%lld, tv_nsec=%lld}", (long long)t->tv_sec,
	    (long long)t->tv_nsec);
}

void
print_tspec(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct timespec t;

	(void)ret, (void)next;
	if (get(c, v, &t, sizeof(t)))
		put_time(c, &t);
}

void
print_otspec(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct timespec t;

	(void)next;
	if (trace_get_out(c, v, ret, &t, sizeof(t)))
		put_time(c, &t);
}

static void
put_itimer(struct trace_call *c, const struct itimerspec *t)
{
	put(c, "{it_interval=");
	put_time(c, &t->it_interval);
	put(c, ", it_value=");
	put_time(c, &t->it_value);
	put(c, "}");
}

void
print_itimer(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct itimerspec t;

	(void)ret, (void)next;
	if (get(c, v, &t, sizeof(t)))
		put_itimer(c, &t);
}

void
print_oitimer(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct itimerspec t;

	(void)next;
	if (trace_get_out(c, v, ret, &t, sizeof(t)))
		put_itimer(c, &t);
}

static void
put_rlim(struct trace_call *c, const char *name, uint64_t v)
{
	if (v == ~0ull)
		put(c, "%sRLIM64_INFINITY", name);
	else if (v > 1024 && !(v % 1024))
		put(c, "%s%llu*1024", name, (unsigned long long)v / 1024);
	else
		put(c, "%s%llu", name, (unsigned long long)v);
}

static void
put_rlimit(struct trace_call *c, const struct rlimit64 *r)
{
	const uint64_t *v = (const uint64_t *)r;

	put_rlim(c, "{rlim_cur=", v[0]);
	put_rlim(c, ", rlim_max=", v[1]);
	put(c, "}");
}

void
print_rlim(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct rlimit64 r;

	(void)ret, (void)next;
	if (get(c, v, &r, sizeof(r)))
		put_rlimit(c, &r);
}

void
print_orlim(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct rlimit64 r;

	(void)next;
	if (trace_get_out(c, v, ret, &r, sizeof(r)))
		put_rlimit(c, &r);
}

/* As strace: names without SIG, and of a set that is nearly full the
 * signals that are not in it. */
static void
put_sigset(struct trace_call *c, uint64_t set)
{
	const char *sep = "";
	unsigned n = 0;
	size_t at;
	bool most;

	for (uint64_t rest = set; rest; rest &= rest - 1)
		n++;
	most = n > 32;
	put(c, most ? "~[" : "[");
	if (most)
		set = ~set;
	for (unsigned sig = 1; sig <= 64; sig++) {
		if (!(set & 1ull << (sig - 1)))
			continue;
		put(c, "%s", sep);
		at = c->len;
		trace_put_signal(c, sig);
		if (c->len > at + 3) {
			memmove(c->text + at, c->text + at + 3,
				c->len - at - 3);
			c->len -= 3;
		}
		sep = " ";
	}
	put(c, "]");
}

void
print_sigset(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint64_t set;

	(void)ret, (void)next;
	if (get(c, v, &set, sizeof(set)))
		put_sigset(c, set);
}

void
print_osigset(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint64_t set;

	(void)next;
	if (trace_get_out(c, v, ret, &set, sizeof(set)))
		put_sigset(c, set);
}

static void
put_sigaction(struct trace_call *c, const struct ksigaction *a)
{
	static const struct trace_flag flags[] = {
		TRACE_FLAG(SA_RESTORER),  TRACE_FLAG(SA_ONSTACK),
		TRACE_FLAG(SA_RESTART),	  TRACE_FLAG(SA_NODEFER),
		TRACE_FLAG(SA_RESETHAND), TRACE_FLAG(SA_SIGINFO),
		TRACE_FLAG(SA_NOCLDSTOP), TRACE_FLAG(SA_NOCLDWAIT),
	};

	if (a->handler <= SIG_IGN)
		put(c, "{sa_handler=%s", a->handler ? "SIG_IGN" : "SIG_DFL");
	else
		put(c, "{%s=%#llx",
		    a->flags & SA_SIGINFO ? "sa_sigaction" : "sa_handler",
		    (unsigned long long)a->handler);
	put(c, ", sa_mask=");
	put_sigset(c, a->mask);
	put(c, ", sa_flags=");
	trace_put_flags(c, a->flags, flags, ARRAY_SIZE(flags), true);
	if (a->flags & SA_RESTORER)
		put(c, ", sa_restorer=%#llx", (unsigned long long)a->restorer);
	put(c, "}");
}

void
print_sigact(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct ksigaction a;

	(void)ret, (void)next;
	if (get(c, v, &a, sizeof(a)))
		put_sigaction(c, &a);
}

void
print_osigact(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct ksigaction a;

	(void)next;
	if (trace_get_out(c, v, ret, &a, sizeof(a)))
		put_sigaction(c, &a);
}

/* total: bytes of data that there are. */
void
trace_put_iov(struct trace_call *c, uint64_t v, uint64_t n, uint64_t total)
{
	put(c, "[");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t iov[2], len;

		put(c, i ? ", " : "");
		if (i == ITEMS_SHOWN) {
			put(c, "...");
			break;
		}
		if (!get(c, v + i * sizeof(iov), iov, sizeof(iov)))
			break;
		len = min_u64(iov[1], total);
		total -= len;
		put(c, "{iov_base=");
		trace_put_data(c, iov[0], len);
		put(c, ", iov_len=%llu}", (unsigned long long)iov[1]);
	}
	put(c, "]");
}

void
print_iov(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret;
	trace_put_iov(c, v, (uint32_t)next, ~0ull);
}

void
print_oiov(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	if (ret < 0)
		print_hex(c, v, ret, next);
	else
		trace_put_iov(c, v, (uint32_t)next, (uint64_t)ret);
}

void
print_ofds(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	int fds[2];

	(void)next;
	if (trace_get_out(c, v, ret, fds, sizeof(fds)))
		put(c, "[%d, %d]", fds[0], fds[1]);
}

/* What is asked for, and once the call has ended what came. */
void
print_opoll(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const struct trace_flag flags[] = {
		TRACE_FLAG(POLLIN),	TRACE_FLAG(POLLPRI),
		TRACE_FLAG(POLLOUT),	TRACE_FLAG(POLLERR),
		TRACE_FLAG(POLLHUP),	TRACE_FLAG(POLLNVAL),
		TRACE_FLAG(POLLRDNORM), TRACE_FLAG(POLLWRNORM),
		TRACE_FLAG(POLLRDHUP),
	};
	struct pollfd p;

	put(c, "[");
	for (uint32_t i = 0; i < (uint32_t)next; i++) {
		put(c, i ? ", " : "");
		if (i == ITEMS_SHOWN) {
			put(c, "...");
			break;
		}
		if (!get(c, v + i * sizeof(p), &p, sizeof(p)))
			break;
		put(c, "{fd=%d, events=", p.fd);
		trace_put_flags(c, (uint16_t)p.events, flags, ARRAY_SIZE(flags),
				true);
		if (ret > 0 && p.revents) {
			put(c, ", revents=");
			trace_put_flags(c, (uint16_t)p.revents, flags,
					ARRAY_SIZE(flags), true);
		}
		put(c, "}");
	}
	put(c, "]");
}

static void
put_events(struct trace_call *c, const struct epoll_event *e)
{
	static const struct trace_flag flags[] = {
		{ POLLIN, "EPOLLIN" },	    { POLLPRI, "EPOLLPRI" },
		{ POLLOUT, "EPOLLOUT" },    { POLLERR, "EPOLLERR" },
		{ POLLHUP, "EPOLLHUP" },    { POLLRDHUP, "EPOLLRDHUP" },
		TRACE_FLAG(EPOLLEXCLUSIVE), TRACE_FLAG(EPOLLWAKEUP),
		TRACE_FLAG(EPOLLONESHOT),   TRACE_FLAG(EPOLLET),
	};

	put(c, "{events=");
	trace_put_flags(c, e->events, flags, ARRAY_SIZE(flags), true);
	put(c, ", data={u32=%u, u64=%llu}}", (unsigned)e->data,
	    (unsigned long long)e->data);
}

void
print_epollev(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct epoll_event e;

	(void)ret, (void)next;
	if (get(c, v, &e, sizeof(e)))
		put_events(c, &e);
}

void
print_oevents(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct epoll_event e;

	if (ret < 0) {
		print_hex(c, v, ret, next);
		return;
	}
	put(c, "[");
	for (long i = 0; i < ret; i++) {
		put(c, i ? ", " : "");
		if (i == ITEMS_SHOWN) {
			put(c, "...");
			break;
		}
		if (!get(c, v + (uint64_t)i * sizeof(e), &e, sizeof(e)))
			break;
		put_events(c, &e);
	}
	put(c, "]");
}

/* execve's list of words. */
void
print_argv(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint64_t word;

	put(c, "[");
	for (unsigned i = 0;; i++) {
		if (copy_from_user(&word, (const void __user *)(v + 8 * i),
				   8) ||
		    !word)
			break;
		put(c, i ? ", " : "");
		if (i == 4 * ITEMS_SHOWN) {
			put(c, "...");
			break;
		}
		print_path(c, word, ret, next);
	}
	put(c, "]");
}

void
print_envp(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint64_t word;
	unsigned n = 0;

	print_hex(c, v, ret, next);
	while (n < 10000 &&
	       !copy_from_user(&word, (const void __user *)(v + 8 * n), 8) &&
	       word)
		n++;
	put(c, " /* %u vars */", n);
}

void
trace_put_siginfo(struct trace_call *c, int sig, const struct siginfo *info)
{
	static const char *const segv[] = {
		"0",
		"SEGV_MAPERR",
		"SEGV_ACCERR",
	};
	static const char *const sent[] = {
		"SI_USER",    "SI_QUEUE", "SI_TIMER", "SI_MESGQ",
		"SI_ASYNCIO", "SI_SIGIO", "SI_TKILL",
	};
	const int code = info->si_code;

	put(c, "{si_signo=");
	trace_put_signal(c, (unsigned)sig);
	put(c, ", si_code=");
	if (code == SI_KERNEL)
		put(c, "SI_KERNEL");
	else if (code <= 0 && -code < (int)ARRAY_SIZE(sent))
		put(c, "%s", sent[-code]);
	else if (sig == SIGSEGV && code < (int)ARRAY_SIZE(segv))
		put(c, "%s", segv[code]);
	else
		put(c, "%d", code);
	if (code == SI_USER || code == SI_TKILL || code == SI_QUEUE)
		put(c, ", si_pid=%d, si_uid=%u", info->u.rt.pid,
		    info->u.rt.uid);
	else if (code == SI_TIMER)
		put(c, ", si_timerid=%d, si_overrun=%d", info->u.timer.timerid,
		    info->u.timer.overrun);
	else if (code > 0 && code != SI_KERNEL &&
		 (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL ||
		  sig == SIGFPE))
		put(c,
		    info->u.fault.addr ? ", si_addr=%#llx" : ", si_addr=NULL",
		    (unsigned long long)info->u.fault.addr);
	put(c, "}");
}
