/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer: one line per system call, as strace(1) writes them.
 *
 * A call's arguments are written when it begins, up to the first one that
 * the call fills in; that one and what follows when it ends.  So a path is
 * what the program passed, and a call that never ends is there too: at exit
 * each call under way is printed as unfinished.  Signals have lines of their
 * own, and the last line says how the program ended.  What an argument looks
 * like is in trace_args.c.
 *
 * Lines collect in one buffer, which goes to the host when it is full and
 * 20 ms after its first line.
 *
 * Locks: trace_lock (RANK_TRACE) holds the buffer and the list of calls; no
 * system call holds a lock when it comes here.
 */
#include <linux/trace.h>

#include "trace_priv.h"

#include <abi/errno.h>
#include <abi/pith.h>
#include <abi/syscall_nr.h>
#include <base/fmt.h>
#include <base/list.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/timer.h>
#include <dev/control.h>
#include <linux/errname.h>
#include <linux/syscalls_gen.h>
#include <linux/table.h>
#include <mem/heap.h>
#include <proc/signal.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/work.h>

#define BUFFER_BYTES (32u << 10)
#define FLUSH_AFTER  (NSEC_PER_SEC / 50)

bool trace_on;

static uint64_t wanted[SYSCALL_MAX / 64]; /* [I] after trace_init() */
static struct mutex trace_lock;
static struct list calls = LIST_INIT(calls); /* [trace_lock] */
static char *buffer;			     /* [I] */
static size_t buffered;			     /* [trace_lock] */
static struct timer flush_timer;
static struct work flush_work;
static char last_line[64]; /* [trace_lock] */

/* ---- lines ---- */

/* Writes arguments from c->next on; before the call has ended (ended false)
 * up to the first that it fills in. */
static void
put_args(struct trace_call *c, const uint64_t a[6], long ret, bool ended)
{
	c->a = a;
	for (; c->next < c->desc->nargs; c->next++) {
		if (!ended && trace_arg_is_output(c))
			return;
		if (trace_arg_is_absent(c))
			continue;
		if (c->next)
			trace_put(c, ", ");
		trace_arg(c, ret);
	}
}

static void
flush_locked(void)
{
	if (buffered)
		control_send(PITH_FRAME_TRACE, buffer, buffered);
	buffered = 0;
}

static void
append_locked(const char *text, size_t len)
{
	if (buffered + len > BUFFER_BYTES)
		flush_locked();
	if (!buffered)
		timer_set(&flush_timer, clock_mono_ns() + FLUSH_AFTER);
	memcpy(buffer + buffered, text, len);
	buffered += len;
}

static void
append(const char *text, size_t len)
{
	mutex_lock(&trace_lock);
	append_locked(text, len);
	mutex_unlock(&trace_lock);
}

static void
flush_now(struct work *w)
{
	(void)w;
	mutex_lock(&trace_lock);
	flush_locked();
	mutex_unlock(&trace_lock);
}

static void
flush_due(struct timer *t)
{
	(void)t;
	work_queue(&flush_work);
}

/* The first end counts, as it does for the process. */
PRINTF_LIKE(1, 2)
static void
set_last_line(const char *fmt, ...)
{
	va_list ap;

	mutex_lock(&trace_lock);
	va_start(ap, fmt);
	if (!*last_line)
		kvsnprintf(last_line, sizeof(last_line), fmt, ap);
	va_end(ap);
	mutex_unlock(&trace_lock);
}

/* ---- the gate's hooks ---- */

static bool
is_wanted(unsigned nr)
{
	return wanted[nr / 64] & 1ull << nr % 64;
}

void
trace_enter(struct thread *t, const struct syscall_desc *d, unsigned nr,
	    const uint64_t a[6])
{
	struct trace_call *c;

	if (nr == SYS_exit_group)
		set_last_line("+++ exited with %d +++\n", (int)a[0] & 0xff);
	if (!is_wanted(nr))
		return;
	c = kmalloc(sizeof(*c), ALLOC_KERNEL);
	if (!c)
		return; /* a line is lost, the call is not */
	c->desc = d;
	c->next = 0;
	c->len = 0;
	c->tid = t->tid;
	trace_put(c, "[%d] ", c->tid);
	if (d->name)
		trace_put(c, "%s(", syscall_name(d));
	else
		trace_put(c, "syscall_%u(", nr);
	put_args(c, a, 0, false);
	if (nr == SYS_exit || nr == SYS_exit_group) {
		trace_put(c, ") = ?\n");
		append(c->text, c->len);
		kfree(c);
		return;
	}
	mutex_lock(&trace_lock);
	list_add_tail(&calls, &c->link);
	mutex_unlock(&trace_lock);
	t->trace = c;
}

static bool
returns_address(unsigned nr)
{
	return nr == SYS_mmap || nr == SYS_brk || nr == SYS_mremap;
}

static void
put_result(struct trace_call *c, unsigned nr, long ret)
{
	const char *name = ret < 0 ? err_name(-ret) : NULL;

	if (name)
		trace_put(c, ") = -1 %s (%s)\n", name, err_text(-ret));
	else if (ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK)
		trace_put(c, ") = ? (interrupted, to be restarted)\n");
	else if (returns_address(nr))
		trace_put(c, ") = %#lx\n", ret);
	else
		trace_put(c, ") = %ld\n", ret);
}

void
trace_leave(struct thread *t, const struct syscall_desc *d, unsigned nr,
	    const uint64_t a[6], long ret)
{
	struct trace_call *c = t->trace;

	(void)d;
	if (!c)
		return;
	t->trace = NULL;
	put_args(c, a, ret, true);
	if (nr == SYS_rt_sigreturn)
		trace_put(c, ") = ?\n");
	else
		put_result(c, nr, ret);
	if (c->text[c->len - 1] != '\n')
		c->text[c->len - 1] = '\n';
	mutex_lock(&trace_lock);
	list_del(&c->link);
	append_locked(c->text, c->len);
	mutex_unlock(&trace_lock);
	kfree(c);
}

void
trace_end(void)
{
	struct trace_call *c;

	if (!trace_on)
		return;
	mutex_lock(&trace_lock);
	list_for_each_entry(c, &calls, link) {
		static const char rest[] = " <unfinished ...>\n";

		append_locked(c->text, c->len);
		append_locked(rest, sizeof(rest) - 1);
	}
	list_init(&calls);
	append_locked(last_line, strlen(last_line));
	flush_locked();
	mutex_unlock(&trace_lock);
}

static void
trace_signal(struct thread *t, int sig, const struct siginfo *info, bool fatal)
{
	struct trace_call *c = kmalloc(sizeof(*c), ALLOC_KERNEL);

	if (!c)
		return;
	c->len = 0;
	trace_put(c, "[%d] --- ", t->tid);
	trace_put_signal(c, (unsigned)sig);
	trace_put(c, " ");
	trace_put_siginfo(c, sig, info);
	trace_put(c, " ---\n");
	append(c->text, c->len);
	if (fatal) {
		c->len = 0;
		trace_put_signal(c, (unsigned)sig);
		set_last_line("+++ killed by %s +++\n", c->text);
	}
	kfree(c);
}

/* ---- starting ---- */

static bool
want(const char *name, size_t len)
{
	for (unsigned nr = 0; nr < SYSCALL_MAX; nr++) {
		const char *s = syscall_name(&syscall_table[nr]);

		if (s && strlen(s) == len && !memcmp(s, name, len)) {
			wanted[nr / 64] |= 1ull << nr % 64;
			return true;
		}
	}
	return false;
}

void
trace_init(const char *filter)
{
	buffer = kmalloc(BUFFER_BYTES, ALLOC_KERNEL);
	if (!buffer) {
		control_notice("no memory for tracing");
		return;
	}
	mutex_init(&trace_lock, RANK_TRACE);
	timer_init(&flush_timer, flush_due);
	work_init(&flush_work, flush_now);
	if (!*filter)
		memset(wanted, 0xff, sizeof(wanted));
	while (*filter) {
		const char *comma = strchr(filter, ',');
		size_t len = comma ? (size_t)(comma - filter) : strlen(filter);

		if (len && !want(filter, len))
			control_notice("--trace: no system call is named %.*s",
				       (int)len, filter);
		filter += len;
		filter += *filter == ',';
	}
	signal_trace = trace_signal;
	trace_on = true;
}
