/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers that send signals: setitimer(2), timer_create(2), RLIMIT_CPU.
 *
 * All state is under the process's signal lock, as a timer's signal queue
 * entry is part of it: a periodic POSIX timer is armed again when its signal
 * is taken, which happens under that lock, and what was missed meanwhile is
 * its overrun.
 *
 * Clocks of CPU time have no tick to be checked at: the timer is armed for
 * the earliest moment at which the CPU time can have been used up (all CPUs
 * busy), and armed again for the rest if it has not.  ITIMER_VIRTUAL counts
 * the part of it that is user time (cputime.c).
 *
 * A timer is freed only after timer_cancel() without the lock: its callback
 * takes it.
 */
#include <proc/timers.h>

#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/resource.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/timer.h>
#include <mem/heap.h>

#define PTIMERS_MAX	 4096u
#define CPU_CHECK_MIN_NS 1000000ull

enum clock_kind {
	KIND_MONO,
	KIND_REAL,
	KIND_PROC_CPU,
	KIND_PROC_USER,
	KIND_THREAD_CPU
};

struct xtimer { /* what both kinds share */
	struct timer timer;
	struct process *p;     /* [I] */
	enum clock_kind kind;  /* [I], but for by_wall */
	bool by_wall;	       /* [I] KIND_REAL, or KIND_MONO if relative */
	struct thread *cpu_of; /* [I] KIND_THREAD_CPU: referenced */
	struct thread *target; /* [I] SIGEV_THREAD_ID: referenced */
	uint64_t deadline;     /* on its clock, ns; 0: not armed */
	uint64_t interval;
	int sig; /* [I] 0: SIGEV_NONE */
	struct sig_entry entry;
	bool rearm_on_take; /* [I] POSIX timer */
	int overrun, last_overrun;
	bool cpu_limit; /* [I] the timer of RLIMIT_CPU */
};

struct ptimer {
	struct xtimer x;
	int id; /* [I] */
	struct list link;
};

struct timers { /* all under sig.lock */
	struct xtimer itimer[3];
	struct xtimer limit;
	struct list ptimers;
	unsigned nptimers;
	int next_id;
	struct process *p; /* [I] */
	struct clock_watch watch;
};

/* ---- clocks ---- */

static uint64_t
clock_now(const struct xtimer *x)
{
	switch (x->kind) {
	case KIND_REAL:
		return clock_real_ns();
	case KIND_THREAD_CPU:
		return thread_cpu_ns(x->cpu_of);
	case KIND_PROC_USER:
		return process_cpu_times_locked(x->p).user_ns;
	case KIND_PROC_CPU:
		return process_cpu_ns_locked(x->p);
	default:
		return clock_mono_ns();
	}
}

static bool
is_cpu(const struct xtimer *x)
{
	return x->kind == KIND_PROC_CPU || x->kind == KIND_PROC_USER ||
	       x->kind == KIND_THREAD_CPU;
}

static void
arm(struct xtimer *x)
{
	uint64_t now, left;

	if (!x->deadline)
		return;
	now = clock_now(x);
	left = x->deadline > now ? x->deadline - now : 0;
	if (is_cpu(x)) {
		if (x->kind != KIND_THREAD_CPU)
			left /= cpu_online_count;
		if (left < CPU_CHECK_MIN_NS)
			left = CPU_CHECK_MIN_NS;
	}
	if (left > UINT64_MAX / 2)
		left = UINT64_MAX / 2;
	timer_set(&x->timer, clock_mono_ns() + left);
}

/* Moves the deadline behind now; how many intervals were missed. */
static uint64_t
forward(struct xtimer *x)
{
	uint64_t now = clock_now(x), n;

	if (!x->interval) {
		x->deadline = 0;
		return 0;
	}
	x->deadline += x->interval;
	if (x->deadline > now)
		return 0;
	n = (now - x->deadline) / x->interval + 1;
	x->deadline += n * x->interval;
	return n;
}

/* ---- expiry ---- */

static int
clamp_overrun(uint64_t n)
{
	return n > INT32_MAX ? INT32_MAX : (int)n;
}

/* The signal is taken: fills in the overrun, and a period goes on. */
static void
ptimer_taken(struct sig_entry *e, struct siginfo *info)
{
	struct xtimer *x = container_of(e, struct xtimer, entry);

	x->last_overrun = x->overrun;
	if (x->interval && x->deadline) {
		uint64_t n = forward(x);

		x->last_overrun = clamp_overrun((uint64_t)x->overrun + n);
		arm(x);
	}
	x->overrun = 0;
	info->u.timer.overrun = x->last_overrun;
}

static void
itimer_taken(struct sig_entry *e, struct siginfo *info)
{
	(void)e;
	(void)info; /* the entry is the timer's, and complete */
}

/* SIGXCPU each second over the soft limit, SIGKILL at the hard one. */
static void
limit_expired(struct xtimer *x, uint64_t now)
{
	uint64_t hard = x->p->limits.hard[RLIMIT_CPU];
	int sig = SIGXCPU;

	if (hard != RLIM_INFINITY && now / NSEC_PER_SEC >= hard)
		sig = SIGKILL;
	if (!x->entry.queued)
		signal_send_entry_locked(x->p, NULL, sig, &x->entry);
	x->deadline = now + NSEC_PER_SEC;
	arm(x);
}

/* A POSIX timer goes on when its signal is taken. */
static bool
waits_for_taker(const struct xtimer *x)
{
	return x->rearm_on_take && x->entry.queued && x->interval;
}

static void
expired(struct timer *timer)
{
	struct xtimer *x = container_of(timer, struct xtimer, timer);
	irqflags_t f = spin_lock_irq(&x->p->sig.lock);
	uint64_t now = clock_now(x);

	if (!x->deadline)
		goto out; /* disarmed, or it fired long ago */
	if (now < x->deadline) {
		arm(x);
		goto out;
	}
	if (x->cpu_limit) {
		limit_expired(x, now);
		goto out;
	}
	if (x->sig && !x->entry.queued)
		signal_send_entry_locked(x->p, x->target, x->sig, &x->entry);
	if (waits_for_taker(x))
		goto out;
	forward(x);
	arm(x);
out:
	spin_unlock_irq(&x->p->sig.lock, f);
}

static void
xtimer_init(struct xtimer *x, struct process *p, enum clock_kind kind, int sig)
{
	memset(x, 0, sizeof(*x));
	timer_init(&x->timer, expired);
	x->p = p;
	x->kind = kind;
	x->sig = sig;
	list_init(&x->entry.link);
	x->entry.taken = itimer_taken;
	x->entry.info.si_code = SI_KERNEL;
}

/* The wall clock was set: those that go by it are due at another time. */
static void
clock_stepped(struct clock_watch *w)
{
	struct timers *ts = container_of(w, struct timers, watch);
	struct ptimer *pt;

	spin_lock(&ts->p->sig.lock);
	list_for_each_entry(pt, &ts->ptimers, link)
		if (pt->x.kind == KIND_REAL && !waits_for_taker(&pt->x))
			arm(&pt->x);
	spin_unlock(&ts->p->sig.lock);
}

int
timers_init(struct process *p)
{
	struct timers *ts = kzalloc(sizeof(*ts), ALLOC_KERNEL);

	if (!ts)
		return -ENOMEM;
	xtimer_init(&ts->itimer[ITIMER_REAL], p, KIND_MONO, SIGALRM);
	xtimer_init(&ts->itimer[ITIMER_VIRTUAL], p, KIND_PROC_USER, SIGVTALRM);
	xtimer_init(&ts->itimer[ITIMER_PROF], p, KIND_PROC_CPU, SIGPROF);
	xtimer_init(&ts->limit, p, KIND_PROC_CPU, SIGXCPU);
	ts->limit.cpu_limit = true;
	list_init(&ts->ptimers);
	ts->p = p;
	ts->watch.stepped = clock_stepped;
	p->timers = ts;
	clock_watch(&ts->watch);
	return 0;
}

/* ---- setting and reading; the lock is held ---- */

static void
xtimer_get(const struct xtimer *x, uint64_t *value, uint64_t *interval)
{
	uint64_t now = clock_now(x), deadline = x->deadline;

	*interval = x->interval;
	*value = 0;
	if (!deadline)
		return;
	if (deadline <= now && x->interval) /* its signal was not yet taken */
		deadline += ((now - deadline) / x->interval + 1) * x->interval;
	/* Armed and due: never 0, which would mean disarmed. */
	*value = deadline > now ? deadline - now : 1;
}

static void
xtimer_set(struct xtimer *x, bool absolute, uint64_t value, uint64_t interval)
{
	uint64_t now;

	if (x->by_wall) /* only a time of the clock moves with it */
		x->kind = absolute ? KIND_REAL : KIND_MONO;
	now = clock_now(x);
	x->interval = interval;
	x->overrun = 0;
	x->deadline = 0;
	timer_try_cancel(&x->timer);
	if (!value)
		return;
	if (absolute)
		x->deadline = value;
	else
		x->deadline = value > UINT64_MAX / 2 - now ? UINT64_MAX / 2 :
							     now + value;
	arm(x);
}

int
itimer_get(struct process *p, int which, uint64_t *value_ns,
	   uint64_t *interval_ns)
{
	irqflags_t f;

	if (which < 0 || which > ITIMER_PROF)
		return -EINVAL;
	f = spin_lock_irq(&p->sig.lock);
	xtimer_get(&p->timers->itimer[which], value_ns, interval_ns);
	spin_unlock_irq(&p->sig.lock, f);
	return 0;
}

int
itimer_set(struct process *p, int which, uint64_t value_ns,
	   uint64_t interval_ns, uint64_t *old_value_ns,
	   uint64_t *old_interval_ns)
{
	struct xtimer *x;
	irqflags_t f;

	if (which < 0 || which > ITIMER_PROF)
		return -EINVAL;
	x = &p->timers->itimer[which];
	f = spin_lock_irq(&p->sig.lock);
	xtimer_get(x, old_value_ns, old_interval_ns);
	xtimer_set(x, false, value_ns, interval_ns);
	spin_unlock_irq(&p->sig.lock, f);
	return 0;
}

void
cpu_limit_changed(struct process *p)
{
	struct xtimer *x = &p->timers->limit;
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	uint64_t soft = p->limits.soft[RLIMIT_CPU];

	if (soft > UINT64_MAX / 2 / NSEC_PER_SEC)
		xtimer_set(x, true, 0, 0);
	else /* 0 means one second, as on Linux */
		xtimer_set(x, true, (soft ? soft : 1) * NSEC_PER_SEC, 0);
	spin_unlock_irq(&p->sig.lock, f);
}

/* ---- POSIX timers ---- */

static int
kind_of(int clock, enum clock_kind *kind)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
		*kind = KIND_REAL;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		*kind = KIND_MONO;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*kind = KIND_PROC_CPU;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*kind = KIND_THREAD_CPU;
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP; /* nothing wakes a machine that sleeps */
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP; /* as on Linux */
	default:
		return -EINVAL;
	}
}

/* The clock of a timer to be.  A negative number is that of some thread or
 * of the process (cpu_clock_ns()); *cpu_of gets a reference. */
static int
timer_clock(struct process *p, int clock, enum clock_kind *kind,
	    struct thread **cpu_of)
{
	uint64_t now;
	int err = clock < 0 ? cpu_clock_ns(clock, &now) : kind_of(clock, kind);
	int id = ~(clock >> 3);

	*cpu_of = NULL;
	if (err)
		return err;
	if (clock >= 0 ? *kind == KIND_THREAD_CPU : clock & 4 && !id) {
		*kind = KIND_THREAD_CPU;
		*cpu_of = thread_current();
		thread_get(*cpu_of);
	} else if (clock < 0 && clock & 4) {
		*kind = KIND_THREAD_CPU;
		*cpu_of = thread_find(id);
		if (!*cpu_of || (*cpu_of)->proc != p)
			err = -EINVAL; /* it ended this moment */
	} else if (clock < 0) {
		*kind = (clock & 3) == 1 ? KIND_PROC_USER : KIND_PROC_CPU;
	}
	if (!err && *cpu_of && clock < 0 && (clock & 3) == 1)
		err = -EOPNOTSUPP; /* user time of one thread: no such kind */
	if (err && *cpu_of)
		thread_put(*cpu_of);
	return err;
}

static void
ptimer_free(struct ptimer *pt)
{
	if (pt->x.target)
		thread_put(pt->x.target);
	if (pt->x.cpu_of)
		thread_put(pt->x.cpu_of);
	kfree(pt);
}

/* What sev asks for: -EINVAL when it makes no sense. */
static int
apply_sigevent(struct ptimer *pt, struct process *p, const struct sigevent *sev)
{
	struct xtimer *x = &pt->x;
	struct siginfo *info = &x->entry.info;

	x->sig = SIGALRM;
	info->si_code = SI_TIMER;
	info->u.timer.timerid = pt->id;
	info->u.timer.value.sival_int = pt->id;
	if (!sev)
		return 0;
	info->u.timer.value = sev->sigev_value;
	x->sig = sev->sigev_signo;
	switch (sev->sigev_notify) {
	case SIGEV_NONE:
		x->sig = 0;
		return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD: /* libc's: to the kernel a signal */
		break;
	case SIGEV_THREAD_ID:
		x->target = thread_find(sev->u.tid);
		if (!x->target || x->target->proc != p || !x->target->sig)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	return x->sig >= 1 && x->sig <= NSIG ? 0 : -EINVAL;
}

int
ptimer_create(struct process *p, int clock, const struct sigevent *sev)
{
	struct timers *ts = p->timers;
	enum clock_kind kind;
	struct thread *cpu_of;
	struct ptimer *pt;
	irqflags_t f;
	int err = timer_clock(p, clock, &kind, &cpu_of), id;

	if (err)
		return err;
	pt = kzalloc(sizeof(*pt), ALLOC_KERNEL);
	if (!pt) {
		if (cpu_of)
			thread_put(cpu_of);
		return -ENOMEM;
	}
	xtimer_init(&pt->x, p, kind, 0);
	pt->x.by_wall = kind == KIND_REAL;
	pt->x.rearm_on_take = true;
	pt->x.entry.taken = ptimer_taken;
	pt->x.entry.own_place = true;
	pt->x.cpu_of = cpu_of;
	f = spin_lock_irq(&p->sig.lock);
	pt->id = ts->next_id++ & INT32_MAX;
	err = ts->nptimers < PTIMERS_MAX ? 0 : -EAGAIN;
	spin_unlock_irq(&p->sig.lock, f);
	if (!err)
		err = apply_sigevent(pt, p, sev);
	if (err) {
		ptimer_free(pt);
		return err;
	}
	f = spin_lock_irq(&p->sig.lock);
	list_add_tail(&ts->ptimers, &pt->link);
	ts->nptimers++;
	id = pt->id; /* who guesses it may delete the timer at once */
	spin_unlock_irq(&p->sig.lock, f);
	return id;
}

static struct ptimer *
find_locked(struct process *p, int id)
{
	struct ptimer *pt;

	list_for_each_entry(pt, &p->timers->ptimers, link)
		if (pt->id == id)
			return pt;
	return NULL;
}

int
ptimer_set(struct process *p, int id, bool absolute, uint64_t value_ns,
	   uint64_t interval_ns, uint64_t *old_value_ns,
	   uint64_t *old_interval_ns)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct ptimer *pt = find_locked(p, id);

	if (pt) {
		xtimer_get(&pt->x, old_value_ns, old_interval_ns);
		/* A signal of the old setting is not to count for the new. */
		signal_cancel_entry_locked(p, &pt->x.entry);
		xtimer_set(&pt->x, absolute, value_ns, interval_ns);
	}
	spin_unlock_irq(&p->sig.lock, f);
	return pt ? 0 : -EINVAL;
}

int
ptimer_get(struct process *p, int id, uint64_t *value_ns, uint64_t *interval_ns)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct ptimer *pt = find_locked(p, id);

	if (pt)
		xtimer_get(&pt->x, value_ns, interval_ns);
	spin_unlock_irq(&p->sig.lock, f);
	return pt ? 0 : -EINVAL;
}

int
ptimer_overrun(struct process *p, int id)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct ptimer *pt = find_locked(p, id);
	int n = pt ? pt->x.last_overrun : -EINVAL;

	spin_unlock_irq(&p->sig.lock, f);
	return n;
}

/* Unlinks and disarms; the caller cancels and frees without the lock. */
static void
unlink_locked(struct process *p, struct ptimer *pt)
{
	list_del(&pt->link);
	p->timers->nptimers--;
	pt->x.deadline = 0;
	signal_cancel_entry_locked(p, &pt->x.entry);
}

int
ptimer_delete(struct process *p, int id)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct ptimer *pt = find_locked(p, id);

	if (pt)
		unlink_locked(p, pt);
	spin_unlock_irq(&p->sig.lock, f);
	if (!pt)
		return -EINVAL;
	timer_cancel(&pt->x.timer);
	ptimer_free(pt);
	return 0;
}

/* execve deletes POSIX timers and keeps interval timers. */
void
timers_exec(struct process *p)
{
	struct ptimer *pt;
	irqflags_t f;

	for (;;) {
		f = spin_lock_irq(&p->sig.lock);
		pt = NULL;
		if (!list_empty(&p->timers->ptimers)) {
			pt = list_first_entry(&p->timers->ptimers,
					      struct ptimer, link);
			unlink_locked(p, pt);
		}
		spin_unlock_irq(&p->sig.lock, f);
		if (!pt)
			return;
		timer_cancel(&pt->x.timer);
		ptimer_free(pt);
	}
}

/* ---- clocks of CPU time ---- */

static uint64_t
thread_clock(struct thread *t, int clock)
{
	return (clock & 3) == 1 ? thread_cpu_times(t).user_ns :
				  thread_cpu_ns(t);
}

/* A negative number is ~pid << 3 with the kind below (clock_getcpuclockid):
 * bit 2: of a thread; 0 profiling, 1 virtual, 2 scheduler time. */
int
cpu_clock_ns(int clock, uint64_t *ns)
{
	struct thread *t = thread_current(), *o;
	int id, err = 0;

	if (clock == CLOCK_THREAD_CPUTIME_ID) {
		*ns = thread_cpu_ns(t);
		return 0;
	}
	if (clock == CLOCK_PROCESS_CPUTIME_ID) {
		*ns = process_cpu_ns(t->proc);
		return 0;
	}
	if (clock >= 0 || (clock & 3) == 3)
		return -EINVAL;
	id = ~(clock >> 3);
	if (!(clock & 4)) {
		if (id && id != t->proc->pid)
			return -EINVAL;
		*ns = (clock & 3) == 1 ? process_cpu_times(t->proc).user_ns :
					 process_cpu_ns(t->proc);
		return 0;
	}
	o = id ? thread_find(id) : NULL;
	if (!id)
		*ns = thread_clock(t, clock);
	else if (o && o->proc == t->proc)
		*ns = thread_clock(o, clock);
	else
		err = -EINVAL;
	if (o)
		thread_put(o);
	return err;
}
