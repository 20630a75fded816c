/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one gate of all system calls.
 *
 * The number is bounded under speculation, the row's decoder called, the
 * result put into the registers.  What is rare costs one test of a word each:
 * tracing (trace_on) and a call that is not there.  Signals, restarts and
 * the scheduler have their turn on the way out (thread->pending), not here.
 */
#include <abi/errno.h>
#include <abi/pith.h>
#include <aio/aio.h>
#include <arch/cpu.h>
#include <arch/trap.h>
#include <arch/upcall.h>
#include <base/atomic.h>
#include <base/string.h>
#include <dev/control.h>
#include <linux/gate.h>
#include <linux/missing.h>
#include <linux/table.h>
#include <linux/trace.h>
#include <linux/uring_ops.h>
#include <net/socket.h>
#include <proc/process.h>
#include <sched/thread.h>

static uint32_t missing[SYSCALL_MAX]; /* [a] */
static bool report_missing;	      /* [I] after gate_init() */
static bool watched;		      /* [I] after gate_init(): any of it */

static long
not_there(uint64_t nr)
{
	__atomic_fetch_add(&missing[nr], 1, __ATOMIC_RELAXED);
	return -ENOSYS;
}

static inline long
call(struct thread *t, const struct regs *r, uint64_t nr)
{
	return likely(syscall_fn[nr]) ? syscall_fn[nr](t, r) : not_there(nr);
}

/* Somebody wants to know what is called, or what is not found. */
static NOINLINE long
call_watched(struct thread *t, const struct regs *r, uint64_t nr)
{
	const struct syscall_desc *d = &syscall_table[nr];
	uint64_t a[6];
	long ret;

	for (unsigned i = 0; i < 6; i++)
		a[i] = regs_syscall_arg(r, i);
	if (trace_on)
		trace_enter(t, d, (unsigned)nr, a);
	ret = call(t, r, nr);
	if (trace_on)
		trace_leave(t, d, (unsigned)nr, a, ret);
	if (ret == -ENOENT && report_missing)
		missing_report(t, d, a);
	return ret;
}

void
upcall_syscall(struct regs *r)
{
	uint64_t nr = regs_syscall_nr(r);
	struct thread *t = thread_current();

	if (unlikely(nr >= SYSCALL_MAX)) {
		regs_set_ret(r, -ENOSYS);
		return;
	}
	nr = cpu_nospec(nr, SYSCALL_MAX);
	regs_set_ret(r, unlikely(watched) ? call_watched(t, r, nr) :
					    call(t, r, nr));
}

void
gate_init(const char *trace_filter, bool missing_files)
{
	report_missing = missing_files;
	uring_ops_init();
	process_before_unmap(aio_end_all);
	watched = missing_files || trace_filter;
	if (trace_filter)
		trace_init(trace_filter);
}

static void
send_missing(uint32_t nr, uint32_t count, const char *name)
{
	uint8_t buf[8 + 64];
	size_t len = strnlen(name, 64);

	memcpy(buf, &nr, 4);
	memcpy(buf + 4, &count, 4);
	memcpy(buf + 8, name, len);
	control_send(PITH_FRAME_ENOSYS, buf, 8 + len);
}

/* A socket option has no number of a call. */
static void
send_missing_opt(const char *text, uint32_t count)
{
	send_missing(PITH_NOT_A_CALL, count, text);
}

void
gate_end(void)
{
	trace_end();
	socket_missing_opts(send_missing_opt);
	for (uint32_t nr = 0; nr < SYSCALL_MAX; nr++) {
		uint32_t n = atomic_load_relaxed(&missing[nr]);
		const char *name = syscall_name(&syscall_table[nr]);

		if (n)
			send_missing(nr, n, name ? name : "?");
	}
}
