/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock is the monotonic one plus an offset, and perhaps a slew that
 * is under way (arch/timer.h).  Readers take no lock; who changes it does.
 */
#include <arch/timer.h>
#include <core/clock.h>
#include <core/spinlock.h>

#define DRIFT_PPM 500u /* what a clock that is left alone may lose */

static struct spinlock lock = SPINLOCK_INIT(RANK_TIMER);
static struct arch_wall wall;	       /* [lock] */
static bool synchronised;	       /* [lock] */
static uint64_t error_ns, error_at_ns; /* [lock] at a time, monotonic */
static struct spinlock step_lock = SPINLOCK_INIT(RANK_STEP);
static struct list watches = LIST_INIT(watches); /* [step_lock] */

uint64_t
clock_mono_ns(void)
{
	return arch_clock_ns();
}

uint64_t
clock_real_ns(void)
{
	return arch_wall_ns();
}

uint64_t
clock_mono_of(uint64_t real_ns)
{
	uint64_t real = clock_real_ns(), mono = clock_mono_ns();

	if (real_ns <= real)
		return 0;
	real_ns -= real;
	return real_ns > UINT64_MAX / 2 - mono ? UINT64_MAX / 2 :
						 mono + real_ns;
}

void
clock_set_real_ns(uint64_t ns)
{
	struct clock_watch *w;
	irqflags_t f = spin_lock_irq(&lock);

	wall = (struct arch_wall){ .offset_ns = ns - arch_clock_ns() };
	arch_wall_set(&wall);
	synchronised = false;
	spin_unlock_irq(&lock, f);
	f = spin_lock_irq(&step_lock);
	list_for_each_entry(w, &watches, link)
		w->stepped(w);
	spin_unlock_irq(&step_lock, f);
}

void
clock_slew(int64_t ns)
{
	irqflags_t f = spin_lock_irq(&lock);
	uint64_t now = arch_clock_ns();

	wall.offset_ns = arch_wall_at(&wall, now) - now;
	wall.slew_from_ns = now;
	wall.slew_ns = ns;
	arch_wall_set(&wall);
	spin_unlock_irq(&lock, f);
}

void
clock_synchronised(uint64_t err_ns)
{
	irqflags_t f = spin_lock_irq(&lock);

	synchronised = true;
	error_ns = err_ns;
	error_at_ns = arch_clock_ns();
	spin_unlock_irq(&lock, f);
}

bool
clock_error_ns(uint64_t *out)
{
	irqflags_t f = spin_lock_irq(&lock);
	bool known = synchronised;

	*out = error_ns + (arch_clock_ns() - error_at_ns) / 1000000 * DRIFT_PPM;
	spin_unlock_irq(&lock, f);
	return known;
}

void
clock_watch(struct clock_watch *w)
{
	irqflags_t f = spin_lock_irq(&step_lock);

	list_add_tail(&watches, &w->link);
	spin_unlock_irq(&step_lock, f);
}

void
clock_unwatch(struct clock_watch *w)
{
	irqflags_t f = spin_lock_irq(&step_lock);

	list_del(&w->link);
	spin_unlock_irq(&step_lock, f);
}

void
clock_init(void)
{
	uint64_t ns = arch_wallclock_ns();

	if (ns)
		clock_set_real_ns(ns);
}
