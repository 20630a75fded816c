/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors and their handlers.  Entries change rarely and under the lock;
 * interrupts read them without one.  A freed vector's handler may still be
 * running on another CPU: the owner silences its device first.
 */
#include <abi/errno.h>
#include <arch/irqchip.h>
#include <arch/upcall.h>
#include <base/atomic.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <core/timer_queue.h>

#define GSI_MAX	   128
#define SHARED_MAX 8

struct handler {
	void (*fn)(void *arg); /* [a] NULL: free */
	void *arg;
	uint64_t count; /* [a] */
};

struct gsi {
	int vector; /* [lock] 0: not routed */
	unsigned n; /* [lock] */
	struct handler shared[SHARED_MAX];
};

static struct spinlock lock = SPINLOCK_INIT(RANK_DEVICE);
static struct handler handlers[256];
static struct gsi gsis[GSI_MAX];

int
irq_alloc(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	irqflags_t f = spin_lock_irq(&lock);
	int v;

	(void)cpu;
	for (v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		if (!handlers[v].fn)
			break;
	if (v <= IRQ_VECTOR_LAST) {
		handlers[v].arg = arg;
		atomic_store_release(&handlers[v].fn, fn);
	} else {
		v = -ENOSPC;
	}
	spin_unlock_irq(&lock, f);
	return v;
}

void
irq_free(int vector)
{
	irqflags_t f = spin_lock_irq(&lock);

	atomic_store_release(&handlers[vector].fn, NULL);
	spin_unlock_irq(&lock, f);
}

static void
gsi_interrupt(void *arg)
{
	struct gsi *g = arg;

	for (unsigned i = 0; i < atomic_load_acquire(&g->n); i++)
		g->shared[i].fn(g->shared[i].arg);
}

int
irq_route_gsi(unsigned gsi, bool level, void (*fn)(void *arg), void *arg)
{
	struct gsi *g;
	int err;

	if (gsi >= GSI_MAX)
		return -EINVAL;
	g = &gsis[gsi];
	if (g->n == SHARED_MAX)
		return -ENOSPC;
	g->shared[g->n].fn = fn;
	g->shared[g->n].arg = arg;
	atomic_store_release(&g->n, g->n + 1);
	if (g->vector)
		return g->vector;
	err = irq_alloc(0, gsi_interrupt, g);
	if (err < 0)
		goto fail;
	g->vector = err;
	err = irqchip_route(gsi, level, (uint8_t)g->vector);
	if (err)
		goto fail_vector;
	return g->vector;

fail_vector:
	irq_free(g->vector);
	g->vector = 0;
fail:
	g->n--;
	return err;
}

void
irq_msi_message(int vector, unsigned cpu, uint64_t *addr, uint32_t *data)
{
	irqchip_msi((uint8_t)vector, cpu, addr, data);
}

uint64_t
irq_count(int vector)
{
	return vector >= 0 && vector < 256 ? handlers[vector].count : 0;
}

void
upcall_irq(unsigned vector)
{
	struct handler *h = &handlers[vector & 255];
	void (*fn)(void *);

	h->count++;
	if (vector == IRQ_VECTOR_TIMER) {
		timer_interrupt();
		return;
	}
	fn = atomic_load_acquire(&h->fn);
	if (fn)
		fn(h->arg);
}
